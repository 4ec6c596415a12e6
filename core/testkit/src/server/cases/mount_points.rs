//! Tracing of everything, of scopes and of single routes, together and alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use opentracing_http::sampler::Sampler;
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::server::Instrumentation;
use opentracing_http::{FinishedSpan, HttpTracingBuilder, Route, Span};

use crate::app::{Gate, NAMED, Reply, injected as inject};
use crate::server::cases::{
    CHUNKS, PARENT, TRACEPARENT, UNSAMPLED, assert_current, assert_tags, gated, in_chunks, outcome,
    parent, text,
};
use crate::server::{Feature, Kit, Server};

/// Traced everywhere and on its route, a request has one span, with the attributes of both.
pub fn stacked_twice_makes_one_span<S: Server>() {
    let kit = Kit::<S>::with(|policy| policy.attribute_names(["method", "user_agent"]));
    let headers = [
        ("x-request-id", "r-1"),
        ("user-agent", "kit"),
        ("traceparent", TRACEPARENT),
    ];
    let response = kit.get_with("/chosen?secret=1", &headers);
    let span = kit.span();
    assert_eq!(parent(&span).as_deref(), Some(PARENT));
    assert_current(&response, &span);
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/chosen"));
    assert_tags(
        &span,
        &[
            ("method", "GET"),
            ("user_agent", "kit"),
            ("url", "http://test.example/chosen?secret=REDACTED"),
            ("http.request.header.x-request-id", "r-1"),
        ],
    );
    // Those of the route are its own.
    assert_eq!(kit.span_of("/play").tag("url"), None);
}

/// Traced everywhere, at a scope and on its route, a request has one span, with the attributes of all three.
pub fn route_scope_and_app_make_one_span<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| policy.attribute_names(["method"]))
        .play(|_| async { Reply::text(inject()).header("x-cache", "hit") })
        .start();
    let headers = [("x-request-id", "r-1"), ("traceparent", TRACEPARENT)];
    let response = kit.get_with("/scope/chosen?page=2", &headers);
    let span = kit.span();
    assert_eq!(parent(&span).as_deref(), Some(PARENT));
    assert_current(&response, &span);
    assert_eq!(span.name(), S::CAPABILITIES.name("GET", "/scope/chosen"));
    assert_tags(
        &span,
        &[
            ("method", "GET"),
            ("query", "page=REDACTED"),
            ("http.response.header.x-cache", "hit"),
            ("url", "http://test.example/scope/chosen?page=REDACTED"),
            ("http.request.header.x-request-id", "r-1"),
        ],
    );
}

/// A request that is not recorded is one request as well, at however many mount points it is traced: it is judged once, and ends
/// once.
pub fn unrecorded_request_is_judged_once<S: Server>() {
    #[derive(Debug, Default)]
    struct FirstNeverThenAlways(AtomicU64);
    impl Sampler for FirstNeverThenAlways {
        fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0 => SamplingResult::drop(),
                _ => SamplingResult::record_and_sample(),
            }
        }
    }
    let (ends, sent) = (Arc::new(AtomicU64::new(0)), [("traceparent", TRACEPARENT)]);
    for headers in [&[][..], &sent] {
        let mut kit = {
            let ends = ends.clone();
            Kit::<S>::with(|policy| {
                policy
                    .sampler(FirstNeverThenAlways::default())
                    .on_finish(move |_| _ = ends.fetch_add(1, Ordering::Relaxed))
            })
        };
        kit.get_ok_with("/scope/chosen", headers);
        kit.stop();
        assert_eq!(ends.swap(0, Ordering::Relaxed), 1);
    }
}

/// A request that a handler makes within the process is a request of its own: a child of the handler's span, unless it
/// brings the context of another caller.
pub fn request_made_in_a_handler_is_its_own<S: Server>() {
    let ends: Arc<Mutex<Vec<u16>>> = Arc::default();
    let inner: Arc<OnceLock<Instrumentation>> = Arc::default();
    let mut kit = {
        let (ends, inner) = (ends.clone(), inner.clone());
        Kit::<S>::setup()
            .policy(|policy| {
                policy.on_finish(move |end| ends.lock().expect("no panic").extend(end.status))
            })
            .play(move |_| {
                for (status, traceparent) in [(201, None), (202, Some(TRACEPARENT))] {
                    let mut request = http::Request::get("/inner");
                    if let Some(traceparent) = traceparent {
                        request = request.header("traceparent", traceparent);
                    }
                    let request = request.body(()).expect("the request is right");
                    let begun = inner.get().map(|inner| inner.begin(&request));
                    begun
                        .expect("the kit has started")
                        .fail(Some(status), &"none");
                }
                async { Reply::text(inject()) }
            })
            .start()
    };
    let _ = inner.set(Instrumentation::new(kit.tracing(), "inner"));
    let ended = || std::mem::take(&mut *ends.lock().expect("no panic"));

    let response = kit.get("/play");
    let [child, called, outer] = kit.spans(3).try_into().expect("three spans");
    assert_current(&response, &outer);
    assert_eq!(child.parent_id(), Some(outer.context().span_id()));
    assert_eq!(child.context().trace_id(), outer.context().trace_id());
    assert_eq!(parent(&called).as_deref(), Some(PARENT));
    assert_eq!(ended(), [201, 202, 200]);

    // Below a request that is not recorded only the one with the context of another caller is.
    assert_eq!(
        parent(&kit.span_of_with("/play", &[("traceparent", UNSAMPLED)])).as_deref(),
        Some(PARENT)
    );
    kit.stop();
    assert_eq!(ended(), [201, 202, 200]);
}

/// Where single routes are traced, the others are not, and those have one span each.
pub fn single_routes_can_be_traced_alone<S: Server>() {
    let kit = Kit::<S>::setup().only_mount_points().start();
    let headers = [("traceparent", TRACEPARENT), ("x-request-id", "r-1")];
    assert_eq!(kit.get_with("/play", &headers).text(), "none\n");
    assert_eq!(kit.get_with("/items/7", &headers).text(), "7");
    for path in ["/chosen", "/scope/chosen"] {
        let response = kit.get_with(path, &headers);
        let span = kit.span();
        assert_eq!(parent(&span).as_deref(), Some(PARENT));
        assert_current(&response, &span);
        assert_eq!(
            text(&span, "http.request.header.x-request-id").as_deref(),
            Some("r-1"),
            "{path}"
        );
        assert_eq!(text(&span, "http.status_code").as_deref(), Some("200"));
    }
    assert_eq!(kit.get("/no/such/path").status, 404);
}

/// A handler returns text, a status, headers or a stream: whatever it is, the span has the status, and is not current any more
/// in the next request.
pub fn single_route_is_traced_whatever_it_returns<S: Server>() {
    let kit = Kit::<S>::setup()
        .only_mount_points()
        .play(|query| {
            let query = query.to_owned();
            async move {
                match query.as_str() {
                    "status" => Reply::status(202),
                    "tuple" => Reply::text("made")
                        .with_status(201)
                        .header("location", "/items/8"),
                    "stream" => in_chunks("").await,
                    _ => Reply::text("text"),
                }
            }
        })
        .start();
    for (query, status, spans) in [
        ("text", 200, 1),
        ("status", 202, 1),
        ("tuple", 201, 1),
        ("stream", 200, 4),
    ] {
        assert_eq!(kit.get(&format!("/chosen?{query}")).status, status);
        let spans = kit.spans(spans);
        let request = spans.iter().find(|span| span.http().is_some());
        let request = request.expect("the request's span");
        assert_eq!(outcome(request).1, Some(status), "{query}");
        assert!(!request.is_error());
        assert_eq!(kit.get("/extracted").text(), "none\n", "after {query}");
    }
}

/// A mount point can name its spans; a name that the handler sets wins.
pub fn mount_point_names_its_spans<S: Server>() {
    for only_mount_points in [false, true] {
        // A rule of the policy's names what no mount point does.
        let ruled = |policy: HttpTracingBuilder| {
            policy.name_with(|_, route| {
                (route != Route::Unknown).then(|| "named by the rule".to_owned())
            })
        };
        let setup = Kit::<S>::setup().policy(ruled).play(|query| {
            if query == "rename" {
                Span::current().set_name("renamed");
            }
            async { Reply::text(inject()) }
        });
        let kit = if only_mount_points {
            setup.only_mount_points()
        } else {
            setup
        }
        .start();
        for (path, name) in [("/named", NAMED), ("/named?rename", "renamed")] {
            let response = kit.get(path);
            let span = kit.span();
            assert_eq!(span.name(), name, "{path}");
            assert_current(&response, &span);
            assert_eq!(
                text(&span, "http.route"),
                S::CAPABILITIES.template("/named")
            );
        }
    }
}

/// A mount point can set when its spans end, whatever the policy sets for the others.
pub fn mount_point_sets_when_its_spans_end<S: Server>() {
    let gate = Gate::default();
    let kit = Kit::<S>::playing(gated(&gate, "text/plain"));
    let sent = |span: &FinishedSpan| span.http().map(|http| http.body_bytes());
    if !S::CAPABILITIES.has(Feature::Streams) {
        // Nothing is seen of it before all of it is there. What the span counts shows when it ended.
        gate.open();
        for (path, bytes) in [("/named", 0), ("/play", CHUNKS[..2].concat().len() as u64)] {
            assert_eq!(kit.get(path).text(), CHUNKS[..2].concat());
            assert_eq!(sent(&kit.span()), Some(bytes), "{path}");
        }
        return;
    }
    let mut connection = kit.request("GET", "/named", &[]);
    assert!(connection.head().is_some() && connection.chunk().is_some());
    gate.wait_for_arrivals(1);
    let span = kit.span();
    assert_eq!((outcome(&span).1, sent(&span)), (Some(200), Some(0)));
    let mut other = kit.connect();
    other.request("GET", "/play", &[]);
    assert!(other.head().is_some() && other.chunk().is_some());
    gate.wait_for_arrivals(2);
    assert!(kit.left().is_empty());
    gate.open();
    while other.chunk().flatten().is_some() {}
    assert_eq!(outcome(&kit.span()).1, Some(200));
}
