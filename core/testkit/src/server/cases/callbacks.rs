//! The policy's callbacks, and the trace id in responses.

use std::sync::{Arc, Mutex};

use http::HeaderName;
use opentracing_http::{Outcome, Route, TraceIdHeader, Value};

use crate::app::{Gate, Reply, injected as inject};
use crate::server::cases::{
    TRACE, TRACEPARENT, UNSAMPLED, assert_current, assert_injected, assert_tags, text, traceparent,
};
use crate::server::{Kit, Server};

/// A start callback sees the request and its span, and what it sets stays.
pub fn start_callback_sees_the_request<S: Server>() {
    let kit = Kit::<S>::with(|policy| {
        policy.on_start(|span, request| {
            let user = request.header("x-user").unwrap_or_default();
            span.set_tag("user", String::from_utf8_lossy(user).into_owned());
            span.set_tag(
                "seen",
                format!(
                    "{} {} {:?}",
                    request.method(),
                    request.path(),
                    request.query()
                ),
            );
            span.set_baggage_item("started", "yes");
        })
    });
    let response = kit.get_with("/play?page=2", &[("x-user", "ada")]);
    assert_injected(&response, &[("baggage", "started=yes")]);
    assert_tags(
        &kit.span(),
        &[("user", "ada"), ("seen", "GET /play Some(\"page=2\")")],
    );
    // Not for what is not recorded.
    kit.get_ok_with("/play", &[("traceparent", UNSAMPLED)]);
}

/// Finish callbacks are called for every request, recorded or not, with what metrics need.
pub fn finish_callback_is_called_for_every_request<S: Server>() {
    type Seen = (String, Option<String>, Option<u16>, Outcome, u64);
    let seen = Arc::new(Mutex::new(Vec::<Seen>::new()));
    let called = Gate::default();
    let kit = {
        let (seen, called) = (seen.clone(), called.clone());
        Kit::<S>::with(|policy| {
            policy.skip("POST /play").on_finish(move |end| {
                let route = match end.route {
                    Route::Template(template) => Some(template.to_owned()),
                    _ => None,
                };
                assert!(end.time_to_head.is_some_and(|head| head <= end.duration));
                let mut seen = seen.lock().expect("no panic");
                let method = end.method.to_owned();
                seen.push((method, route, end.status, end.outcome, end.body_bytes));
                called.arrive();
            })
        })
    };
    kit.get_ok("/items/7");
    called.wait_for_arrivals(1);
    let _ = kit.span();
    kit.get_ok_with("/items/7", &[("traceparent", UNSAMPLED)]);
    called.wait_for_arrivals(2);
    assert_eq!(kit.send("POST", "/play", &[]).status, 200);
    called.wait_for_arrivals(3);
    let template = S::CAPABILITIES.template("/items/{id}");
    let item = ("GET".to_owned(), template, Some(200), Outcome::Completed, 1);
    let seen = seen.lock().expect("no panic").clone();
    assert_eq!(seen[..2], [item.clone(), item]);
    assert_eq!((&*seen[2].0, seen[2].2), ("POST", Some(200)));
}

/// The finished span has the facts of the request for tracers, beside its tags.
pub fn finished_span_has_the_facts_of_the_request<S: Server>() {
    let kit = Kit::<S>::new();
    let span = kit.span_of("/items/7?page=2");
    let http = span.http().expect("a request's span");
    assert_eq!((http.method(), http.path()), ("GET", "/items/7"));
    let template = S::CAPABILITIES.template("/items/{id}");
    let route = template.as_deref().map_or(Route::Unknown, Route::Template);
    assert_eq!(http.route(), route);
    assert_eq!(
        (http.status(), http.outcome(), http.body_bytes()),
        (Some(200), Outcome::Completed, 1)
    );
    assert!(
        http.time_to_head()
            .is_some_and(|head| head <= span.duration())
    );
}

/// Callbacks that panic lose their own effect, nothing else; the panics are counted.
pub fn failing_callbacks_do_not_fail_the_request<S: Server>() {
    let kit = Kit::<S>::setup()
        .policy(|policy| {
            policy
                .on_start(|_, _| panic!("a callback fails"))
                .on_start(|span, request| {
                    span.set_tag("started", request.path().to_owned());
                })
                .skip_when(|_| panic!("a callback fails"))
                .on_finish(|_| panic!("a callback fails"))
                .on_finish(|end| {
                    end.span.set_tag("finished", format!("{:?}", end.status));
                })
        })
        .caught_panics(3)
        .start();
    assert_eq!(kit.get("/items/7").text(), "7");
    let span = kit.span();
    assert_tags(&span, &[("started", "/items/7"), ("finished", "Some(200)")]);
    assert!(!span.is_error());
}

/// The trace id is returned to callers in the header that the policy names; in none by default.
pub fn trace_id_is_returned_if_set<S: Server>() {
    let play = |_: &str| async { Reply::text(inject()).header("server-timing", "db;dur=53") };
    for header in [
        None,
        Some(TraceIdHeader::TraceResponse),
        Some(TraceIdHeader::ServerTiming),
        Some(TraceIdHeader::ServerTimingTrace),
        Some(TraceIdHeader::ServerTimingTraceparent),
        Some(TraceIdHeader::Named(HeaderName::from_static("x-trace"))),
    ] {
        let asked = header.clone();
        let kit = Kit::<S>::setup()
            .policy(|policy| match header {
                Some(header) => policy.return_trace_id(header),
                None => policy,
            })
            .play(play)
            .start();
        let response = kit.get_with("/play", &[("traceparent", TRACEPARENT)]);
        let span = kit.span();
        assert_current(&response, &span);
        let timings: Vec<_> = response
            .headers
            .iter()
            .filter(|(name, _)| name == "server-timing")
            .map(|(_, value)| value.as_str())
            .collect();
        let ids = traceparent(&span);
        let (trace, parent) = (
            format!("trace;desc={ids}"),
            format!("traceparent;desc=\"{ids}\""),
        );
        let ours = match asked {
            Some(TraceIdHeader::ServerTiming) => format!(", {trace}, {parent}"),
            Some(TraceIdHeader::ServerTimingTrace) => format!(", {trace}"),
            Some(TraceIdHeader::ServerTimingTraceparent) => format!(", {parent}"),
            _ => String::new(),
        };
        assert_eq!(timings.join(", "), format!("db;dur=53{ours}"));
        let is = |kind: &Option<TraceIdHeader>| *kind == asked;
        assert_eq!(
            response
                .header("traceresponse")
                .is_some_and(|found| found == ids),
            is(&Some(TraceIdHeader::TraceResponse))
        );
        assert_eq!(
            response
                .header("x-trace")
                .is_some_and(|found| found == TRACE),
            is(&Some(TraceIdHeader::Named(HeaderName::from_static(
                "x-trace"
            ))))
        );
        assert_eq!(span.tag("error"), None::<Value>);
        assert_eq!(text(&span, "http.status_code").as_deref(), Some("200"));
    }
}
