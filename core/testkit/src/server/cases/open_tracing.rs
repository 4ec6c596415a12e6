//! The tags of OpenTracing's semantic conventions.

use opentracing_http::Value;

use crate::server::cases::{assert_no_tags, assert_tags, text};
use crate::server::{Feature, Kit, Server};

/// The tags that every request has; no attribute of another convention is among them.
pub fn tags_kind_component_method_url_and_status<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/play").status, 200);
    let span = kit.span();
    assert_tags(
        &span,
        &[
            ("span.kind", Value::from("server")),
            ("component", Value::from(S::CAPABILITIES.component)),
            ("http.method", Value::from("GET")),
            ("http.url", Value::from("http://test.example/play")),
            ("http.status_code", Value::from(200)),
        ],
    );
    assert!(matches!(
        span.tag("http.time_to_head_us"),
        Some(Value::I64(0..))
    ));
    assert_no_tags(
        &span,
        &[
            "error",
            "http.outcome",
            "http.request.method",
            "url.path",
            "http.response.status_code",
            "server.address",
        ],
    );
    assert!(span.logs().is_empty());
}

/// The query is in no tag of the convention.
pub fn path_excludes_the_query<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/play?token=s3cret").status, 200);
    let span = kit.span();
    assert_tags(&span, &[("http.url", "http://test.example/play")]);
    for tag in span.tags() {
        assert!(!tag.value.to_string().contains("s3cret"), "{tag:?}");
    }
}

/// The path is neither decoded nor normalised.
pub fn path_is_kept_as_it_came<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/items/a%20b%C3%A9").status, 200);
    let span = kit.span();
    assert_tags(
        &span,
        &[("http.url", "http://test.example/items/a%20b%C3%A9")],
    );
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/items/{id}"));
}

/// A target in absolute form (RFC 9112, section 3.2.2) is read as its path.
pub fn absolute_target_is_read_as_its_path<S: Server>() {
    let kit = Kit::<S>::new();
    let response = kit.get("http://test.example/play?page=2");
    assert_eq!(response.status, 200);
    let span = kit.span();
    assert_tags(&span, &[("http.url", "http://test.example/play")]);
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/play"));
}

/// A password in the host does not become a tag.
pub fn credentials_in_the_host_are_left_out<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.attribute_names(["url", "host"]));
    let mut connection = kit.connect();
    connection.request("GET", "/play", &[("host", "ada:s3cret@test.example")]);
    // Whether such a host is served at all is the framework's business.
    let served = connection
        .response("GET")
        .is_some_and(|response| response.status == 200);
    let spans = if served { vec![kit.span()] } else { kit.left() };
    for tag in spans.iter().flat_map(|span| span.tags()) {
        assert!(!tag.value.to_string().contains("s3cret"), "{tag:?}");
    }
}

/// The address of the connection's other end is tagged.
pub fn reports_the_peer_address<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    connection.request("GET", "/play", &[]);
    assert!(connection.response("GET").is_some());
    let span = kit.span();
    let peer = S::CAPABILITIES.has(Feature::Peer);
    let port = peer.then(|| Value::from(connection.local_addr().port()));
    assert_eq!(
        text(&span, "peer.ipv4"),
        peer.then(|| "127.0.0.1".to_owned())
    );
    assert_eq!((span.tag("peer.port"), span.tag("peer.ipv6")), (port, None));
}
