//! How the request ends.

use std::time::Instant;

use opentracing_http::{FinishedSpan, Outcome};

use crate::app::{Broken, ERROR, Gate, Reply, turn};
use crate::client::Response;
use crate::server::cases::{
    CHUNKS, assert_tags, endless, in_chunks, outcome, waiting, with_status,
};
use crate::server::{Feature, HangUp, Kit, Server};

/// A response below 500 is no error, and the outcome is plain completion.
pub fn completed_request_is_no_error<S: Server>() {
    let kit = Kit::<S>::playing(with_status);
    for status in [200, 302, 403, 499] {
        assert_eq!(kit.get(&format!("/play?{status}")).status, status);
        let span = kit.span();
        assert_eq!(outcome(&span), (Outcome::Completed, Some(status)));
        assert_eq!((span.is_error(), span.tag("error")), (false, None));
        assert_eq!(span.tag("http.outcome"), None);
        assert!(span.logs().is_empty());
    }
}

/// A bad request is tagged with its status, and is no error of the server's.
pub fn bad_request_is_no_error<S: Server>() {
    let kit = Kit::<S>::playing(|_| async { Reply::text("bad").with_status(400) });
    assert_eq!(kit.get("/play").status, 400);
    let span = kit.span();
    assert_tags(&span, &[("http.status_code", 400)]);
    assert_eq!((span.is_error(), span.tag("error")), (false, None));
}

/// A response of 500 and above is an error, with one log of it.
pub fn server_error_is_an_error_with_one_log<S: Server>() {
    let kit = Kit::<S>::playing(with_status);
    for status in [500, 503, 599] {
        assert_eq!(kit.get(&format!("/play?{status}")).status, status);
        let span = kit.span();
        assert_eq!(outcome(&span), (Outcome::Completed, Some(status)));
        assert_tags(&span, &[("error", true)]);
        assert_eq!(
            logged(&span, "error.kind").as_deref(),
            Some(&*status.to_string())
        );
    }
}

/// A handler's error is tagged with the status that the client got, and logged once, with its message.
pub fn error_decides_its_own_status<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/error").status, 503);
    let span = kit.span();
    assert_eq!(outcome(&span), (Outcome::Completed, Some(503)));
    assert_tags(&span, &[("http.status_code", 503)]);
    assert_tags(&span, &[("error", true)]);
    assert_eq!(logged(&span, "event").as_deref(), Some("error"));
    assert_eq!(logged(&span, "error.kind").as_deref(), Some("503"));
    let message = S::CAPABILITIES.has(Feature::ErrorMessage);
    assert_eq!(
        logged(&span, "message").as_deref(),
        message.then_some(ERROR)
    );
}

/// An error that reaches the tracing instead of a response has its own outcome.
pub fn error_instead_of_a_response_is_a_handler_error<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/failed").status, 503);
    let span = kit.span();
    assert!(span.is_error());
    if S::CAPABILITIES.has(Feature::HandlerError) {
        assert_eq!(outcome(&span).0, Outcome::HandlerError);
        assert_tags(&span, &[("http.outcome", "handler_error")]);
        assert_eq!(logged(&span, "message").as_deref(), Some(ERROR));
        // Whether the error's status is known there is the framework's business.
        assert!(matches!(outcome(&span).1, None | Some(503)));
    } else {
        assert_eq!(outcome(&span), (Outcome::Completed, Some(503)));
    }
}

/// Where the framework's own means rewrite a response, the span has the status that the client got.
pub fn status_that_an_error_handler_sets_is_the_spans<S: Server>() {
    let kit = Kit::<S>::new();
    assert_eq!(kit.get("/rewritten").status, 418);
    let span = kit.span();
    assert_eq!(outcome(&span), (Outcome::Completed, Some(418)));
    assert_tags(&span, &[("http.status_code", 418)]);
    assert!(!span.is_error());
}

/// A panic ends the span, and is not a cancellation.
pub fn panic_finishes_the_span_with_an_error<S: Server>() {
    let kit = Kit::<S>::playing(|_| async {
        turn().await;
        panic!("as asked for")
    });
    let mut connection = kit.request("GET", "/play", &[]);
    let response = connection.response("GET");
    let panic = S::CAPABILITIES.panic();
    assert_eq!(response.map(|response| response.status), panic.answer());
    assert_panicked::<S>(&kit.span(), panic.status());
}

/// Under a layer that catches panics a panic is still one, whatever response the layer makes of it.
pub fn panic_under_a_catch_layer_is_a_panic<S: Server>() {
    let kit = Kit::<S>::setup()
        .catch_panics()
        .play(|_| async {
            turn().await;
            panic!("as asked for")
        })
        .start();
    let mut connection = kit.request("GET", "/play", &[]);
    let response = connection.response("GET").map(|response| response.status);
    let panic = S::CAPABILITIES.panic();
    let layer = S::CAPABILITIES.has(Feature::CatchPanicLayer).then_some(500);
    assert_eq!(response, layer.or(panic.answer()));
    // The layer's response is made outside of the tracing.
    assert_panicked::<S>(&kit.span(), panic.status());
}

fn assert_panicked<S: Server>(span: &FinishedSpan, status: Option<u16>) {
    assert_failed(span, (Outcome::Panicked, status), "panicked");
    assert_eq!(logged(span, "error.kind").as_deref(), Some("panicked"));
    assert_dropped_name::<S>(span);
}

/// Asserts that a request ended in this way, and that its tags show it as a failure.
#[track_caller]
fn assert_failed(span: &FinishedSpan, ended: (Outcome, Option<u16>), name: &str) {
    assert_eq!(outcome(span), ended);
    assert_tags(span, &[("http.outcome", name)]);
    assert_tags(span, &[("error", true)]);
}

/// A panic while the body is made is one as well; the client sees a body that breaks off.
pub fn panic_in_the_body_is_a_panic<S: Server>() {
    let kit = Kit::<S>::playing(|_| async {
        Reply::stream(async |number| {
            turn().await;
            assert!(number == 0, "as asked for");
            Some(Ok(CHUNKS[0].as_bytes().to_vec()))
        })
    });
    let mut connection = kit.request("GET", "/play", &[]);
    assert_breaks_off::<S>(Feature::BodyPanic, connection.response("GET"));
    let span = kit.span();
    assert_eq!(outcome(&span), (Outcome::Panicked, Some(200)));
    assert_tags(&span, &[("error", true)]);
}

/// What the client sees of a body of which no more than the first of [`CHUNKS`] could be made: a response that breaks off if the
/// framework has this feature, else a whole one.
#[track_caller]
fn assert_breaks_off<S: Server>(feature: Feature, response: Option<Response>) {
    let whole = response.map(|response| response.text());
    if S::CAPABILITIES.has(feature) {
        assert!(
            whole.is_none(),
            "the client took the broken body {whole:?} for a whole one; if the framework cannot break it off, declare \
             `lacks: &[(Feature::{feature:?}, \"reason\")]`"
        );
    } else {
        assert_eq!(
            whole.as_deref(),
            Some(CHUNKS[0]),
            "a whole response without `Feature::{feature:?}`, as declared"
        );
    }
}

/// A client that hangs up ends the span as cancelled, or the handler runs to its end and the span with it.
pub fn hang_up_before_the_head_ends_the_span<S: Server>() {
    let gate = Gate::default();
    let kit = Kit::<S>::playing(waiting(&gate));
    let connection = kit.request("GET", "/play", &[]);
    gate.wait_for_arrivals(1);
    connection.hang_up();
    assert_hung_up(&kit, "hang_up", S::CAPABILITIES.hang_up(), &gate);
}

/// What holds for a request whose client has left before its head, over either version of HTTP.
pub(super) fn assert_hung_up<S: Server>(kit: &Kit<S>, field: &str, becomes: HangUp, gate: &Gate) {
    let span = kit.span_of_hang_up(field, becomes, gate);
    match becomes {
        HangUp::Cancels => {
            assert_failed(&span, (Outcome::Cancelled, None), "cancelled");
            assert_eq!(span.tag("http.status_code"), None);
            assert_dropped_name::<S>(&span);
        }
        // Whether the server finds the connection gone before it has written the response is a race of its own.
        HangUp::RunsOn => assert!(
            matches!(
                outcome(&span),
                (Outcome::Completed | Outcome::BodyAbandoned, Some(200))
                    | (Outcome::Cancelled, None)
            ),
            "{span:?}"
        ),
    }
}

/// The name of a request that never came back from its handler.
fn assert_dropped_name<S: Server>(span: &FinishedSpan) {
    let named = S::CAPABILITIES.has(Feature::RouteOfDroppedRequests);
    let name = S::CAPABILITIES.name("GET", "/play");
    assert_eq!(span.name(), if named { name.as_str() } else { "GET" });
}

/// A body that ends in an error is neither complete nor abandoned; the error is logged.
pub fn body_that_fails_is_an_error<S: Server>() {
    let kit = Kit::<S>::playing(|_| async {
        Reply::stream(async |number| {
            turn().await;
            Some(match number {
                0 => Ok(CHUNKS[0].as_bytes().to_vec()),
                _ => Err(Broken),
            })
        })
    });
    let mut connection = kit.request("GET", "/play", &[]);
    assert_breaks_off::<S>(Feature::BodyError, connection.response("GET"));
    let span = kit.span();
    let http = span.http().expect("a request's span");
    assert_failed(&span, (Outcome::BodyFailed, Some(200)), "body_failed");
    assert_eq!(http.body_bytes(), CHUNKS[0].len() as u64);
    let message = logged(&span, "message").expect("the error's message");
    assert!(message.contains(&Broken.to_string()), "{message}");
}

/// The body is abandoned if the client leaves in the middle of it.
pub fn hang_up_in_the_body_is_an_abandoned_body<S: Server>() {
    if !S::CAPABILITIES.has(Feature::Streams) {
        return assert_whole::<S>();
    }
    let gate = Gate::default();
    let kit = Kit::<S>::playing(endless(&gate));
    let mut connection = kit.request("GET", "/play", &[]);
    assert_eq!(connection.head().map(|head| head.status), Some(200));
    assert_eq!(
        connection.chunk().flatten().as_deref(),
        Some(CHUNKS[0].as_bytes())
    );
    gate.wait_for_arrivals(1);
    connection.hang_up();
    assert_abandoned(&kit, "hang_up", S::CAPABILITIES.hang_up(), &gate);
}

/// Where a body is sent when all of it is there, a request is complete with it.
pub(super) fn assert_whole<S: Server>() {
    let kit = Kit::<S>::playing(in_chunks);
    assert_eq!(kit.get("/play").text(), CHUNKS.concat());
    let spans = kit.spans(1 + CHUNKS.len());
    let requests = spans.iter().filter(|span| span.http().is_some());
    let outcomes: Vec<_> = requests.map(outcome).collect();
    assert_eq!(outcomes, [(Outcome::Completed, Some(200))]);
}

/// What holds for a request whose client has left in the body. A framework that runs on finds out when it has more to send.
pub(super) fn assert_abandoned<S: Server>(kit: &Kit<S>, field: &str, becomes: HangUp, gate: &Gate) {
    let span = kit.span_of_hang_up(field, becomes, gate);
    assert_failed(&span, (Outcome::BodyAbandoned, Some(200)), "body_abandoned");
    let bytes = span.http().map(|http| http.body_bytes());
    match becomes {
        HangUp::Cancels => assert_eq!(bytes, Some(CHUNKS[0].len() as u64)),
        HangUp::RunsOn => assert!(bytes >= Some(CHUNKS[0].len() as u64)),
    }
}

/// However long a handler takes, its span lasts as long.
pub fn slow_handler_is_covered_to_the_end<S: Server>() {
    let gate = Gate::default();
    let kit = Kit::<S>::playing(waiting(&gate));
    let mut connection = kit.request("GET", "/play", &[]);
    gate.wait_for_arrivals(1);
    let since = Instant::now();
    // Others are served meanwhile, and take their time.
    for _ in 0..20 {
        kit.get_ok("/items/7");
    }
    let others = kit.spans(20);
    let waited = since.elapsed();
    gate.open();
    assert!(connection.response("GET").is_some());
    let span = kit.span();
    assert!(span.duration() >= waited, "{span:?}");
    let head = span.http().and_then(|http| http.time_to_head());
    assert!(head >= Some(waited), "{span:?}");
    for other in others {
        assert!(span.start() <= other.start() && other.end() <= span.end());
    }
}

/// A field of the span's only log.
pub(super) fn logged(span: &FinishedSpan, key: &str) -> Option<String> {
    let logs = span.logs();
    assert_eq!(logs.len(), 1, "{logs:?}");
    let field = logs[0].fields.iter().find(|field| field.key == key)?;
    Some(field.value.to_string())
}
