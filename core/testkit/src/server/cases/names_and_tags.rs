//! What the span says of the request.

use opentracing_http::Value;

use crate::server::{Capabilities, Kit, Server};

/// The tags that every request has.
pub fn tags_server_kind_component_and_request<S: Server>() {
    let kit = Kit::<S>::new();
    let _ = kit.get("/foo?page=2");
    let span = kit.span();
    for (key, value) in [
        ("span.kind", Value::from("server")),
        ("component", Value::from(S::CAPABILITIES.component)),
        ("http.method", Value::from("GET")),
        ("http.url", Value::from("http://test.example/foo")),
        ("http.status_code", Value::from(200)),
    ] {
        assert_eq!(span.tag(key), Some(value), "{key}");
    }
    assert_eq!((span.tag("error"), span.tag("http.outcome")), (None, None));
    assert!(span.tag("http.time_to_head_us").is_some());
}

/// A request's span is named after its method and its route's template.
pub fn route_names_the_span<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/items/7").text(), "7");
    let span = kit.span();
    assert_eq!(span.name(), Capabilities::name(S::CAPABILITIES.item));
    assert_eq!(
        span.tag("http.route"),
        S::CAPABILITIES.item.map(Value::from)
    );
}

/// A nested route's template is the whole one.
pub fn nested_route_is_joined_with_single_slashes<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/nested/items/7").text(), "7");
    assert_eq!(
        kit.span().name(),
        Capabilities::name(S::CAPABILITIES.nested_item)
    );
}

/// Where no route matches, the name is the method, never the path.
pub fn not_found_has_a_bounded_name<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/no/such/path").status, 404);
    let span = kit.span();
    assert_eq!(span.name(), "GET");
    assert_eq!(span.tag("http.route"), None);
    assert_eq!(span.tag("http.status_code"), Some(Value::from(404)));
    assert!(!span.is_error());
}

/// The address of the connection's other end is tagged where the framework tells it.
pub fn reports_the_peer_address<S: Server>() {
    let kit = Kit::<S>::new();
    let mut connection = kit.connect();
    connection.request("GET", "/foo", &[("x-forwarded-for", "6.6.6.6")]);
    let _ = connection.response("GET").expect("the server answers");
    let span = kit.span();
    let peer = S::CAPABILITIES.peer.then(|| connection.local_addr());
    assert_eq!(
        span.tag("peer.ipv4"),
        peer.map(|_| Value::from("127.0.0.1"))
    );
    assert_eq!(
        span.tag("peer.port"),
        peer.map(|peer| Value::from(peer.port()))
    );
}

/// A bad request is tagged with its status, and is no error of the server's.
pub fn status_tag_matches_a_bad_request<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/badrequest").status, 400);
    let span = kit.span();
    assert_eq!(span.tag("http.status_code"), Some(Value::from(400)));
    assert_eq!((span.is_error(), span.tag("error")), (false, None));
}
