//! Trailers of a response's body.

use opentracing_http::server::ResponseView;

use super::*;

fn with_status_of_grpc() -> Harness {
    policy(|policy| {
        policy.attribute_names(["response.header:grpc-status", "response.header:x-cache"])
    })
}

fn follow(harness: &Harness, headers: &[(&str, &str)]) -> BodySpan {
    let mut response = http::Response::new(());
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        response.headers_mut().append(name, value.parse().unwrap());
    }
    let response: &mut dyn ResponseView = &mut response;
    harness.begin(&get("/", &[])).respond(response).unwrap()
}

#[test]
fn an_attribute_of_a_response_header_is_read_from_the_trailers_where_the_head_lacks_it() {
    let harness = with_status_of_grpc();
    let mut body = follow(&harness, &[("x-cache", "hit")]);
    body.note(BodyPart::Data(5));
    body.note(BodyPart::Trailers(&[
        ("grpc-status", "5"),
        ("x-cache", "miss"),
    ]));
    let span = harness.only();
    let shown = |name: &str| tag(&span, &format!("http.response.header.{name}"));
    assert_eq!(shown("grpc-status").as_deref(), Some("5"));
    assert_eq!(shown("x-cache").as_deref(), Some("hit"));
    let request = span.http().unwrap();
    assert_eq!(
        (request.outcome(), request.body_bytes()),
        (Outcome::Completed, 5)
    );
}

#[test]
fn trailers_that_nobody_asked_for_leave_no_tag() {
    let harness = defaults();
    follow(&harness, &[]).note(BodyPart::Trailers(&[("grpc-status", "5")]));
    let span = harness.only();
    assert!(span.tags().iter().all(|tag| !tag.key.contains("grpc")));
}

#[test]
fn trailers_that_panic_end_the_request_all_the_same() {
    struct Broken;
    impl HeaderView for Broken {
        fn each_header<'a>(&'a self, _: &mut dyn FnMut(&'a str, &'a [u8])) {
            panic!("as asked for")
        }
    }
    let harness = with_status_of_grpc();
    follow(&harness, &[]).note(BodyPart::Trailers(&Broken));
    assert_eq!(outcome(&harness.only()), Outcome::Completed);
    assert_eq!(harness.instrumentation.tracing().caught_panics(), 2);
}
