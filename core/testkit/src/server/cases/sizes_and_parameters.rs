//! Attributes that a framework has to tell: sizes of bodies, the server's address, parameters of the path.

use opentracing_http::{SpanEnd, Value};

use crate::app::Reply;
use crate::server::cases::{assert_no_tags, text};
use crate::server::{Feature, Kit, Server};

const REQUEST: &str = "http.request.body.size";
const RESPONSE: &str = "http.response.body.size";

/// The size of the request's body is the declared one, that of the response's is what was handed to the server. Both are numbers,
/// and a size that is not known sets no tag.
pub fn body_sizes_can_be_attributes<S: Server>() {
    for end in [SpanEnd::Body, SpanEnd::Head] {
        let kit = Kit::<S>::setup()
            .policy(|policy| {
                policy
                    .attribute_names(["request_body_size", "response_body_size"])
                    .ends(end)
            })
            .play(|_| async {
                Reply::stream(async |number| (number < 3).then(|| Ok(b"abcd".to_vec())))
            })
            .start();
        let whole = |bytes: i64| (end == SpanEnd::Body).then_some(Value::from(bytes));
        let mut connection = kit.connect();
        connection
            .send(b"POST /echo HTTP/1.1\r\nhost: test.example\r\ncontent-length: 4\r\n\r\necho");
        assert_eq!(
            connection.response("POST").map(|found| found.status),
            Some(200)
        );
        let span = kit.span();
        assert_eq!(span.tag(REQUEST), Some(Value::from(4)), "{span:?}");
        assert_eq!(span.tag(RESPONSE), whole(4), "{span:?}");
        // Without a body, and with one whose size is not declared.
        let span = kit.span_of("/play");
        assert_eq!(span.tag(REQUEST), None, "{span:?}");
        assert_eq!(span.tag(RESPONSE), whole(12), "{span:?}");
        // Where there is no body, its size is known.
        assert_eq!(kit.send("HEAD", "/items/7", &[]).status, 200);
        let span = kit.span();
        assert_eq!(span.tag(RESPONSE), Some(Value::from(0)), "{span:?}");
    }
}

/// The server's address and port, if the framework tells them.
pub fn local_address_can_be_an_attribute<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.attribute_names(["local_address", "local_port"]));
    let span = kit.span_of("/play");
    let known = S::CAPABILITIES.has(Feature::LocalAddress);
    let (address, port) = (kit.addr().ip().to_string(), kit.addr().port());
    assert_eq!(
        span.tag("network.local.address"),
        known.then_some(Value::from(address))
    );
    assert_eq!(
        span.tag("network.local.port"),
        known.then_some(Value::from(port))
    );
}

/// The parameters of the path are attributes, all of them or one, as the client sent them.
pub fn path_parameters_can_be_attributes<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy.attribute_names([
            "path_parameters",
            "path_parameter:id",
            "path_parameter:other",
        ])
    });
    let all = [
        "path_parameters",
        "path_parameter.id",
        "path_parameter.other",
    ];
    let known = S::CAPABILITIES.has(Feature::Routes);
    for (path, id) in [
        ("/items/7?id=8", "7"),
        ("/nested/items/seven", "seven"),
        ("/items/a%20b", "a%20b"),
    ] {
        let span = kit.span_of(path);
        let expected = [Some(format!("id={id}")), Some(id.to_owned()), None];
        let expected = expected.map(|value| value.filter(|_| known));
        assert_eq!(all.map(|key| text(&span, key)), expected, "{path}");
    }
    assert_no_tags(&kit.span_of("/play"), &all);
}
