//! What comes in from the caller, and what goes on to the next.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use crate::client::Response;
use crate::service::Service;
use crate::service::caller::{Caller, FORMATS};
use crate::service::kit::{Kit, last_response, sampled};
use crate::service::next::Next;
use crate::service::spans::{is, is_error, status};

/// Between the clock that a service reads and ours.
const APART: Duration = Duration::from_secs(1);

/// A request without trace headers starts a trace: a root, with the name, the status and the time of the request.
pub fn service_starts_a_trace_without_a_caller<S: Service>() {
    let kit = Kit::<S>::start();
    let before = SystemTime::now() - APART;
    kit.plain(&Vec::new());
    kit.plain(&Vec::new());
    let after = SystemTime::now() + APART;
    let spans = kit.stop();
    let requests = spans.requests(2);
    for span in &requests {
        assert_eq!((span.parent_id, &span.references[..]), (None, &[][..]));
        assert_eq!(span.name, S::ROUTES.plain.name);
        assert_eq!(status(span).as_deref(), Some("200"), "{span:?}");
        assert!(!is_error(span), "{span:?}");
        assert!(before < span.start && span.start < after, "{span:?}");
        assert!(span.start + span.duration < after, "{span:?}");
    }
    let traces: HashSet<_> = requests.iter().map(|span| span.trace_id).collect();
    assert_eq!(traces.len(), 2, "each has a trace of its own");
}

/// A request with W3C's, Jaeger's or B3's headers continues its caller's trace, as the child of the caller's span.
pub fn service_continues_its_callers_trace<S: Service>() {
    let kit = Kit::<S>::start();
    let callers: Vec<_> = (0..).map(Caller::number).zip(FORMATS).collect();
    for (caller, (_, format)) in &callers {
        kit.plain(&format(*caller, true));
    }
    let spans = kit.stop();
    spans.requests(callers.len());
    for (caller, (format, _)) in callers {
        let span = spans.request_of(caller);
        assert_eq!(span.name, S::ROUTES.plain.name, "{format}");
    }
}

/// A caller that has not sampled its trace, in whichever format, gets its response, and nothing is exported; what the service
/// calls gets the same decision.
pub fn service_keeps_an_unsampled_decision<S: Service>() {
    let kit = Kit::<S>::start();
    for (number, (_, format)) in (0..).zip(FORMATS) {
        kit.plain(&format(Caller::number(number), false));
    }
    if let Some(route) = S::ROUTES.calls() {
        let next = Next::listen();
        let caller = Caller::number(10);
        let (connection, call) = kit.call(route, &next, &caller.w3c(false));
        let sent = call.context();
        assert_eq!(sent.trace_id(), caller.trace_id);
        assert!(!sent.flags().is_sampled());
        call.answer();
        assert_eq!(last_response(connection).status, 200);
    }
    // What the service does otherwise.
    let (caller, headers) = sampled(11);
    kit.plain(&headers);
    let spans = kit.stop();
    spans.request_of(caller);
    for span in spans.all() {
        assert_eq!(span.trace_id, caller.trace_id, "{span:?}");
    }
}

/// Malformed trace headers change nothing but the trace: the response is the same, and the request starts a trace.
pub fn service_survives_malformed_headers<S: Service>() {
    let long = "a".repeat(4_000);
    let malformed: [&[(&str, &str)]; 14] = [
        &[("traceparent", "")],
        &[("traceparent", "00-0-0-01")],
        &[(
            "traceparent",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        )],
        &[(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        )],
        &[(
            "traceparent",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        )],
        &[(
            "traceparent",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )],
        &[
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ),
            (
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4737-00f067aa0ba902b8-01",
            ),
        ],
        &[("traceparent", &long)],
        &[("traceparent", "\u{fffd}\u{1f980}")],
        &[("tracestate", "=,=;,,\u{e4}")],
        &[("uber-trace-id", "x:y:z:1")],
        &[("uber-trace-id", "::::")],
        &[("b3", "4bf92f3577b34da6a3ce929d0e0e4736--1")],
        &[("baggage", "=;;%zz,,%,="), ("jaeger-baggage", "=,=%")],
    ];
    let kit = Kit::<S>::start();
    let plain = without_date(kit.plain(&Vec::new()));
    for headers in malformed {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let headers = headers.collect();
        assert_eq!(without_date(kit.plain(&headers)), plain, "{headers:?}");
    }
    let spans = kit.stop();
    let requests = spans.requests(1 + malformed.len());
    for span in &requests {
        assert_eq!(span.parent_id, None, "{span:?}");
    }
    let traces: HashSet<_> = requests.iter().map(|span| span.trace_id).collect();
    assert_eq!(traces.len(), requests.len(), "each has a trace of its own");
}

/// A call that the service makes for a request goes on with its trace, from the request's span or one below, and takes its
/// caller's tracestate and baggage along. A service that calls nobody has no span of a call.
pub fn service_calls_others_within_the_trace<S: Service>() {
    let kit = Kit::<S>::start();
    let (caller, mut headers) = sampled(1);
    let Some(route) = S::ROUTES.calls() else {
        kit.plain(&headers);
        let spans = kit.stop();
        assert_eq!(spans.all().iter().find(|span| is(span, "client")), None);
        return;
    };
    headers.push(("tracestate", "vendor=1".to_owned()));
    headers.push(("baggage", "tenant=blue".to_owned()));
    let next = Next::listen();
    let (connection, call) = kit.call(route, &next, &headers);
    let sent = call.context();
    call.answer();
    assert_eq!(last_response(connection).status, 200);

    let spans = kit.stop();
    let request = spans.request_of(caller);
    assert_eq!(request.name, route.name);
    assert_eq!(sent.trace_id(), caller.trace_id);
    assert!(
        spans.is_below(sent.span_id(), request),
        "{sent:?}: {spans:?}"
    );
    assert!(sent.flags().is_sampled());
    assert_eq!(sent.tracestate().as_str(), "vendor=1");
    assert_eq!(sent.baggage().get("tenant"), Some("blue"));
}

/// The response without the time at which it was made.
fn without_date(mut response: Response) -> Response {
    response.headers.retain(|(name, _)| name != "date");
    response
}
