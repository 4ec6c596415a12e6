//! Facts that a framework does not report are diagnostics, once for a policy.

use std::sync::mpsc::{Receiver, channel};

use opentracing_http::{Diagnostic, Network};

use super::*;

const REMEDY: &str = "serve it with peers";

/// A request without a mark, with or without a peer.
struct View<'r>(&'r Request<()>, Option<SocketAddr>);

impl RequestView for View<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.uri().path()
    }

    fn headers(&self) -> &dyn HeaderView {
        self.0.headers()
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.1
    }
}

/// A policy whose diagnostics the test receives.
fn listening(
    change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder,
) -> (Harness, Receiver<Diagnostic>) {
    let (send, told) = channel();
    let harness = policy(|policy| {
        change(policy).on_diagnostic(move |diagnostic| {
            let _ = send.send(diagnostic.clone());
        })
    });
    (harness, told)
}

fn texts(told: &Receiver<Diagnostic>) -> Vec<String> {
    told.try_iter().map(|told| told.to_string()).collect()
}

#[test]
fn missing_peer_is_reported_once_if_an_option_needs_it() {
    let network: Network = "10.0.0.0/8".parse().unwrap();
    let by_peer = |view: &dyn RequestView| view.peer().is_some_and(|peer| peer.ip().is_loopback());
    type Change = Box<dyn FnOnce(HttpTracingBuilder) -> HttpTracingBuilder>;
    let options: [(Change, bool); 7] = [
        (Box::new(|p| p), false),
        (Box::new(|p| p.attributes([Attribute::URL])), false),
        (Box::new(|p| p.forwarded(Forwarded::hops(1))), false),
        (
            Box::new(|p| p.trust(Trust::when(|r| r.header("x").is_some()))),
            false,
        ),
        (Box::new(|p| p.attributes([Attribute::REMOTE_ADDR])), true),
        (
            Box::new(move |p| p.forwarded(Forwarded::networks([network]))),
            true,
        ),
        (Box::new(move |p| p.trust(Trust::when(by_peer))), true),
    ];
    for (position, (change, needs_peer)) in options.into_iter().enumerate() {
        let (harness, told) = listening(change);
        let request = get("/", &[("traceparent", TRACEPARENT)]);
        let instrumentation = harness.mount(|mount| mount).with_peer_remedy(REMEDY);
        drop(instrumentation.begin(&View(&request, Some(([127, 0, 0, 1], 7).into()))));
        assert_eq!(texts(&told), [""; 0], "{position}: it has a peer");
        for _ in 0..3 {
            drop(instrumentation.begin(&View(&request, None)));
        }
        let expected =
            format!("the policy needs the peer's address, but test reports none: {REMEDY}");
        assert_eq!(
            texts(&told),
            vec![expected; usize::from(needs_peer)],
            "{position}"
        );
        // Another mount point has the same policy.
        drop(
            harness
                .mount(|mount| mount)
                .with_peer_remedy("!")
                .begin(&View(&request, None)),
        );
        assert_eq!(texts(&told), [""; 0], "{position}");
        let _ = harness.tracer.take();
    }
}

#[test]
fn missing_peer_is_reported_for_the_attributes_of_mount_points() {
    let (harness, told) = listening(|policy| policy);
    let request = get("/", &[]);
    let with_peer = |mount: MountPoint| mount.attributes([Attribute::REMOTE_ADDR]);
    // Without a remedy there is nothing that the service could change.
    drop(harness.mount(with_peer).begin(&request));
    assert_eq!(texts(&told), [""; 0]);
    let mut outer = harness.begin(&request);
    let inner = harness.mount(with_peer).with_peer_remedy(REMEDY);
    outer.scope(|| drop(inner.begin(&Marked(&request))));
    let told: Vec<_> = told.try_iter().collect();
    let [
        Diagnostic::PeerUnknown {
            component, remedy, ..
        },
    ] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((*component, *remedy), ("test", REMEDY));
}

#[test]
fn disabled_policy_reports_nothing_missing() {
    let (send, told) = channel();
    let tracing = HttpTracing::builder(InMemoryTracer::new())
        .attributes([Attribute::REMOTE_ADDR])
        .on_diagnostic(move |diagnostic| drop(send.send(diagnostic.clone())))
        .env_with(|name| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned()))
        .build()
        .unwrap();
    let instrumentation = Instrumentation::new(&tracing, "test").with_peer_remedy(REMEDY);
    let mut span = instrumentation.begin(&get("/", &[]));
    span.expect_route(|| Some(REMEDY));
    drop(respond(span, 200, BodySize::Empty));
    assert_eq!(texts(&told), [""; 0]);
}

/// Responds to a request that no router has seen.
fn unrouted(harness: &Harness, method: &str, status: u16, change: impl FnOnce(&mut RequestSpan)) {
    let request = Request::builder().method(method).body(()).unwrap();
    let mut span = harness.begin(&request);
    span.expect_route(|| Some(REMEDY));
    change(&mut span);
    drop(respond(span, status, BodySize::Empty));
    harness.only();
}

#[test]
fn missing_route_is_reported_once_for_a_successful_response() {
    let (harness, told) = listening(|policy| policy);
    // Others need no route: layers around the router answer them, or they have a name.
    for status in [301, 401, 404, 405, 500] {
        unrouted(&harness, "GET", status, |_| ());
    }
    unrouted(&harness, "OPTIONS", 204, |_| ());
    unrouted(&harness, "GET", 200, |span| {
        span.set_route(Route::Template("/x"))
    });
    unrouted(&harness, "GET", 200, |span| {
        span.set_route(Route::Unmatched)
    });
    unrouted(&harness, "GET", 200, |span| span.span().set_route("/x"));
    unrouted(&harness, "GET", 200, |span| span.span().set_name("x"));
    // A gRPC call is named after its method.
    let mut call = harness.begin(&get(
        "/shop.Orders/Get",
        &[("content-type", "application/grpc")],
    ));
    call.expect_route(|| Some(REMEDY));
    drop(respond(call, 200, BodySize::Empty));
    harness.only();
    // The router has seen it.
    drop(respond(harness.begin(&get("/", &[])), 200, BodySize::Empty));
    harness.only();
    assert_eq!(texts(&told), [""; 0]);

    for _ in 0..3 {
        unrouted(&harness, "GET", 200, |_| ());
    }
    let expected = format!("test has not reported a request's route: {REMEDY}");
    assert_eq!(texts(&told), [expected]);
}

#[test]
fn panic_of_the_hook_at_a_missing_fact_leaves_the_request_alone() {
    let harness = policy(|policy| {
        let policy = policy.attributes([Attribute::REMOTE_ADDR]);
        policy.on_diagnostic(|_| panic!("the hook"))
    });
    let instrumentation = harness.mount(|mount| mount).with_peer_remedy(REMEDY);
    let mut span = instrumentation.begin(&get("/", &[]));
    span.expect_route(|| Some(REMEDY));
    drop(respond(span, 200, BodySize::Empty));
    assert_eq!(outcome(&harness.only()), Outcome::Completed);
    assert_eq!(harness.instrumentation.tracing().caught_panics(), 2);
}
