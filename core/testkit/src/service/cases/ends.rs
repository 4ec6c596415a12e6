//! How requests end.

use opentracing_http::Tag;

use crate::server::HangUp;
use crate::service::cases::CUT;
use crate::service::kit::{Kit, request, sampled};
use crate::service::next::Next;
use crate::service::spans::{is_error, shown, status};
use crate::service::{Lasting, Service};
use crate::tracer::ReceivedSpan;

/// A response from 500 up is an error, with its status as a tag and one log; one of 200 is none.
pub fn service_records_an_error<S: Service>() {
    let kit = Kit::<S>::start();
    let failure = S::ROUTES.failure();
    let answer = failure.map(|route| kit.get(route.path, &sampled(1).1).status);
    kit.plain(&sampled(2).1);
    let spans = kit.stop();
    spans.requests(1 + usize::from(failure.is_some()));
    if let (Some(route), Some(answer)) = (failure, answer) {
        assert!((500..600).contains(&answer), "{answer}");
        let span = spans.request_of(sampled(1).0);
        assert_eq!(span.name, route.name);
        assert_eq!(status(span), Some(answer.to_string()), "{span:?}");
        assert!(is_error(span), "{span:?}");
        assert_eq!(error_logs(span), 1, "{span:?}");
    }
    let span = spans.request_of(sampled(2).0);
    assert_eq!(status(span).as_deref(), Some("200"), "{span:?}");
    assert!(!is_error(span), "{span:?}");
    assert_eq!(error_logs(span), 0, "{span:?}");
}

fn error_logs(span: &ReceivedSpan) -> usize {
    let fields = span.logs.iter().flat_map(|log| &log.fields);
    let told = Tag::new("event", "error");
    fields.filter(|field| **field == told).count()
}

/// However long a response takes, its span lasts as long.
pub fn service_covers_a_slow_response_to_its_end<S: Service>() {
    covers::<S>(S::ROUTES.slow());
}

/// The span of a streamed response lasts until the end of its body, and what is done in the body stands below it.
pub fn service_covers_a_stream_to_its_end<S: Service>() {
    covers::<S>(S::ROUTES.stream());
}

fn covers<S: Service>(Lasting { route, lasts }: Lasting) {
    let kit = Kit::<S>::start();
    let (caller, headers) = sampled(1);
    let response = kit.get(route.path, &headers);
    assert_eq!(response.status, 200);
    assert!(!response.body.is_empty(), "{response:?}");
    let spans = kit.stop();
    spans.requests(1);
    let span = spans.request_of(caller);
    assert_eq!(span.name, route.name);
    assert_eq!(status(span).as_deref(), Some("200"), "{span:?}");
    assert!(!is_error(span), "{span:?}");
    assert!(span.duration + CUT > lasts, "{span:?}");
    let end = span.start + span.duration + CUT;
    for part in spans.below(span) {
        assert!(span.start <= part.start + CUT, "{part:?} in {span:?}");
        assert!(part.start + part.duration <= end, "{part:?} in {span:?}");
    }
    assert_eq!(
        spans.below(span).len() + 1,
        spans.all().len(),
        "every other span stands below the request's: {spans:?}"
    );
}

/// A request whose client hangs up has its span all the same: an error where the handler is dropped; where it runs on,
/// the service ends it as it will. A service that makes no call is left while its response is on its way.
pub fn service_records_an_abandoned_request<S: Service>() {
    let kit = Kit::<S>::start();
    let (caller, headers) = sampled(1);
    let Some(route) = S::ROUTES.calls() else {
        let mut connection = kit.connect();
        request(&mut connection, S::ROUTES.plain.path, &headers);
        assert_eq!(connection.head().map(|head| head.status), Some(200));
        connection.hang_up();
        let spans = kit.stop();
        spans.requests(1);
        assert_eq!(spans.request_of(caller).name, S::ROUTES.plain.name);
        return;
    };
    // The handler waits for the response to its call, so the client can know when it leaves.
    let next = Next::listen();
    let (connection, call) = kit.call(route, &next, &headers);
    connection.hang_up();
    match S::ROUTES.hang_up() {
        HangUp::Cancels => call.wait_until_given_up(),
        HangUp::RunsOn => call.answer(),
    }
    let spans = kit.stop();
    spans.requests(1);
    let span = spans.request_of(caller);
    let outcome = shown(span, "http.outcome");
    match S::ROUTES.hang_up() {
        HangUp::Cancels => {
            assert_eq!(outcome.as_deref(), Some("cancelled"), "{span:?}");
            assert_eq!(status(span), None, "{span:?}");
            assert!(is_error(span), "{span:?}");
            // A framework that finds the route when the handler responds does not know it here.
            let names = [route.name, "GET"];
            assert!(names.contains(&&*span.name), "{span:?}");
        }
        HangUp::RunsOn => {
            // Whether the service finds the connection gone before it has written the response is a race of its own.
            let outcomes = [None, Some("body_abandoned"), Some("cancelled")];
            assert!(outcomes.contains(&outcome.as_deref()), "{span:?}");
            assert_eq!(is_error(span), outcome.is_some(), "{span:?}");
        }
    }
}
