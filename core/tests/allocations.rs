//! The number of allocations of spans and requests. The counts are exact, and part of the core's guarantees.

#![allow(clippy::unwrap_used)]

mod support;

use allocation_counter::measure;
use http::{HeaderMap, Request};
use opentracing_http::sampler::Never;
use opentracing_http::scope::ScopeHook;
use opentracing_http::server::{BodyPart, BodySize, BodySpan, Instrumentation, RequestSpan};
use opentracing_http::{
    Attribute, FinishedSpan, Forwarded, HttpTracing, NoopTracer, Route, Span, SpanContext, SpanId,
    TraceFlags, TraceId, Tracer, Trust,
};

use self::support::Response;

struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

/// Returns the number of allocations of a second run. The first run fills thread-locals and lazy statics.
fn allocations(mut run: impl FnMut()) -> u64 {
    run();
    measure(run).count_total
}

fn request(traceparent: &str) -> Request<()> {
    Request::get("/users/7?page=2")
        .header("host", "shop.example")
        .header("user-agent", "curl/8.5.0")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, br")
        .header("accept-language", "en")
        .header("connection", "keep-alive")
        .header("cache-control", "no-cache")
        .header("traceparent", traceparent)
        .body(())
        .unwrap()
}

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn serve(instrumentation: &Instrumentation, request: &Request<()>, headers: &mut HeaderMap) {
    let mut span = instrumentation.begin(request);
    span.scope(|| {
        let current = Span::current();
        assert!(current.context().is_some());
        current.clone().set_tag("ignored.when", "not recorded");
    });
    span.set_route(Route::Template("/users/{id}"));
    let body = span.respond(&mut Response {
        status: 200,
        headers,
        body: BodySize::Exact(5),
        upgrade: false,
    });
    if let Some(mut body) = body {
        body.scope(|| {});
        body.note(BodyPart::LastData(5));
    }
}

fn served(tracing: &HttpTracing, traceparent: &str) -> u64 {
    let mount_point = tracing.mount_point().attributes([Attribute::USER_AGENT]);
    let instrumentation = Instrumentation::new(mount_point, "test");
    let (request, mut headers) = (request(traceparent), HeaderMap::new());
    allocations(|| serve(&instrumentation, &request, &mut headers))
}

#[test]
fn what_a_request_carries_is_a_pointer() {
    assert_eq!(size_of::<Span>(), size_of::<usize>());
    assert_eq!(size_of::<FinishedSpan>(), size_of::<usize>());
    assert!(size_of::<RequestSpan>() <= 16);
    assert!(size_of::<BodySpan>() <= 40);
}

#[test]
fn a_request_that_is_not_recorded_costs_none() {
    assert_eq!(served(&HttpTracing::new(Discard), UNSAMPLED), 0);
    assert_eq!(served(&HttpTracing::new(NoopTracer), SAMPLED), 0);
    let skipping = HttpTracing::builder(Discard)
        .skip("/users/{id}")
        .build()
        .unwrap();
    assert_eq!(served(&skipping, SAMPLED), 0);
}

#[test]
fn a_recorded_request_costs_none_once_there_is_a_cell_to_use_again() {
    assert_eq!(served(&HttpTracing::new(Discard), SAMPLED), 0);
}

#[test]
fn a_grpc_call_costs_none_unless_it_fails_with_a_message() {
    let tracing = HttpTracing::new(Discard);
    let instrumentation = Instrumentation::new(&tracing, "test");
    let call = Request::post("/shop.v1.Orders/Get").header("content-type", "application/grpc");
    let call = call.body(()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/grpc".parse().unwrap());
    let mut serve = |trailers: &[(&str, &str)]| {
        let span = instrumentation.begin(&call);
        let body = span.respond(&mut Response {
            status: 200,
            headers: &mut headers,
            body: BodySize::Unknown,
            upgrade: false,
        });
        body.unwrap().note(BodyPart::Trailers(&trailers));
    };
    assert_eq!(allocations(|| serve(&[("grpc-status", "0")])), 0);
    assert_eq!(allocations(|| serve(&[("grpc-status", "13")])), 0);
    let failure = [("grpc-status", "13"), ("grpc-message", "busy")];
    assert_eq!(allocations(|| serve(&failure)), 2);
}

#[test]
fn redacted_headers_of_a_request_cost_none() {
    let tracing = HttpTracing::builder(Discard)
        .redact_headers(["accept-language"])
        .attribute_names(["referrer", "header:x-note", "header:accept-language"])
        .attribute_names(["header:x-session-id"])
        .build()
        .unwrap();
    let instrumentation = Instrumentation::new(&tracing, "test");
    let mut request = request(SAMPLED);
    for (name, value) in [
        ("referer", "https://u:p@shop.example/x?%74oken=s#f"),
        ("x-note", "see https://u:p@shop.example/x?a=b"),
        ("x-session-id", "s"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let mut headers = HeaderMap::new();
    let count = allocations(|| serve(&instrumentation, &request, &mut headers));
    assert_eq!(count, 0);
}

#[test]
fn what_a_trusted_proxy_reports_costs_none_unless_it_changes_the_port() {
    let shown = [Attribute::URL, Attribute::HOST, Attribute::SCHEME];
    let tracing = HttpTracing::builder(Discard)
        .forwarded(Forwarded::hops(1).host(true))
        .attributes(shown)
        .build()
        .unwrap();
    let outer = Instrumentation::new(&tracing, "test");
    let common = [
        ("x-forwarded-for", "6.6.6.6, 203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "www.shop.example"),
    ];
    let standard = "for=6.6.6.6, for=203.0.113.7;proto=https;host=\"www.shop.example:8443\"";
    for (headers, port, expected) in [
        (&common[..], "443", 0),
        (&common[..], "8443", 1),
        (&[("forwarded", standard)], "8443", 0),
    ] {
        let mut request = request(SAMPLED);
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        let port = port.parse().unwrap();
        request.headers_mut().insert("x-forwarded-port", port);
        let mut headers = HeaderMap::new();
        let counted = allocations(|| serve(&outer, &request, &mut headers));
        assert_eq!(counted, expected, "{request:?}");
    }
}

#[test]
fn a_span_with_eight_tags_costs_none() {
    let tracing = HttpTracing::new(Discard);
    let parent = SpanContext::new(
        TraceId::new(1).unwrap(),
        SpanId::new(2).unwrap(),
        TraceFlags::SAMPLED,
    );
    let span = || tracing.span("work").child_of(parent.clone()).start();
    let tags = |span: &Span| {
        for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            span.set_tag(key, 1);
        }
    };
    assert_eq!(allocations(|| drop(span())), 0);
    assert_eq!(allocations(|| tags(&span())), 0);
    // Tags that are set at once are collected in a vector first.
    let eight = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|key| (key, 1));
    let at_once = || {
        span().set_tags(eight);
    };
    assert_eq!(allocations(at_once), 1);
    assert_eq!(allocations(|| drop(span().clone())), 0);
}

#[test]
fn a_child_costs_none() {
    let tracing = HttpTracing::new(Discard);
    let span = tracing.span("work").start();
    assert_eq!(allocations(|| span.child("part").finish()), 0);
    let tracing = HttpTracing::new(NoopTracer);
    let unsampled = tracing.span("work").start();
    assert_eq!(allocations(|| unsampled.child("part").finish()), 0);
}

#[test]
fn handles_scopes_and_injection_cost_none() {
    let tracing = HttpTracing::new(Discard);
    let span = tracing.span("work").start();
    let mut bytes = 0;
    assert_eq!(
        allocations(|| {
            let guard = span.enter();
            let current = Span::current();
            current.in_scope(|| {});
            current.inject(&mut |name: &str, value: &str| bytes += name.len() + value.len());
            drop(guard);
        }),
        0
    );
    assert!(bytes > 0);
}

/// Returns a request with as much tracestate and baggage as is accepted, and the key of one baggage item.
fn with_everything(traceparent: &str) -> Request<()> {
    let members: Vec<_> = (0..64).map(|n| format!("key{n}=%41")).collect();
    let states: Vec<_> = (0..32).map(|n| format!("vendor{n}=1")).collect();
    let mut request = request(traceparent);
    let headers = request.headers_mut();
    headers.insert("baggage", members.join(",").parse().unwrap());
    headers.insert("tracestate", states.join(",").parse().unwrap());
    headers.insert("jaeger-debug-id", "find-me".parse().unwrap());
    headers.insert("jaeger-baggage", "own=1,other=a+b".parse().unwrap());
    headers.insert("uberctx-more", "%41".parse().unwrap());
    request
}

#[test]
fn a_caller_that_is_not_trusted_costs_none_whatever_it_sends() {
    for trust in [Trust::nobody(), Trust::when(|_| false)] {
        let tracing = HttpTracing::builder(Discard)
            .sampler(Never)
            .trust(trust)
            .build()
            .unwrap();
        let instrumentation = Instrumentation::new(&tracing, "test");
        let (request, mut headers) = (with_everything(SAMPLED), HeaderMap::new());
        assert_eq!(
            allocations(|| serve(&instrumentation, &request, &mut headers)),
            0
        );
    }
}

#[test]
fn a_debug_id_of_a_caller_whose_debug_is_not_trusted_costs_none() {
    for trust in [None, Some(Trust::nobody()), Some(Trust::when(|_| false))] {
        let mut tracing = HttpTracing::builder(NoopTracer);
        if let Some(trust) = trust {
            tracing = tracing.trust_debug(trust);
        }
        let tracing = tracing.build().unwrap();
        let instrumentation = Instrumentation::new(&tracing, "test");
        let (mut request, mut headers) = (request(SAMPLED), HeaderMap::new());
        let id = "find-me".parse().unwrap();
        request.headers_mut().insert("jaeger-debug-id", id);
        assert_eq!(
            allocations(|| serve(&instrumentation, &request, &mut headers)),
            0
        );
    }
}

#[test]
fn baggage_of_a_request_that_is_not_recorded_is_read_once() {
    let tracing = HttpTracing::new(Discard);
    let instrumentation = Instrumentation::new(&tracing, "test");
    let (request, mut headers) = (with_everything(UNSAMPLED), HeaderMap::new());
    // Text and lengths of the baggage, the buffer to decode it, the tracestate, and the structure that has both.
    let counted = allocations(|| serve(&instrumentation, &request, &mut headers));
    assert!(counted <= 8, "{counted}");
}

#[test]
fn a_scope_that_a_hook_follows_costs_nothing() {
    struct Follows;

    impl ScopeHook for Follows {
        fn enter(&self, _: &Span) {}
        fn exit(&self, _: &Span) {}
    }

    let policy = HttpTracing::builder(Discard).scope_hook(Follows);
    let span = policy.build().unwrap().span("work").start();
    let scopes = || {
        span.in_scope(|| span.in_scope(|| ()));
        drop(span.enter());
    };
    assert_eq!(allocations(scopes), 0);
}
