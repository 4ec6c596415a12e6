//! Event streams, and changes of spans that have ended.

use std::sync::{Arc, Mutex};

use opentracing_http::{Diagnostic, Outcome, Span, SpanEnd};

use crate::app::{Gate, Playing, Reply};
use crate::server::cases::bodies::ends_early;
use crate::server::cases::outcomes::{assert_abandoned, assert_whole};
use crate::server::cases::{CHUNKS, assert_chunks_below, endless, in_chunks, outcome, turn};
use crate::server::{Feature, Kit, Server};

const EVENTS: &str = "text/event-stream";

/// The span of an event stream that responds to `GET` ends with its head, whatever parameters its type has, and is complete. It is
/// still current while the events are made.
pub fn event_stream_of_get_ends_with_its_head<S: Server>() {
    for content_type in [EVENTS, "text/event-stream; charset=utf-8"] {
        assert!(ends_early::<S>(None, "GET", "/play", content_type));
    }
    assert!(!ends_early::<S>(None, "GET", "/play", "text/event-streamx"));
    let kit = Kit::<S>::playing(|_| async { in_chunks("").await.header("content-type", EVENTS) });
    assert_eq!(kit.get("/play").text(), CHUNKS.concat());
    let spans = kit.spans(1 + CHUNKS.len());
    let (request, chunks) = spans.split_first().expect("the request's span ends first");
    assert!(request.http().is_some());
    assert_chunks_below(request, chunks);
}

/// The span of an event stream that responds to another method, such as that of a language model, ends with its body.
pub fn event_stream_of_post_ends_with_its_body<S: Server>() {
    assert!(!ends_early::<S>(None, "POST", "/play", EVENTS));
}

/// The span of an event stream that responds to `POST`, and that the client leaves, is that of an abandoned body.
pub fn event_stream_that_is_left_is_an_abandoned_body<S: Server>() {
    if !S::CAPABILITIES.has(Feature::Streams) {
        return assert_whole::<S>();
    }
    let gate = Gate::default();
    let endless = endless(&gate);
    let kit = Kit::<S>::playing(move |query| {
        let playing: Playing = endless(query);
        async { playing.await.header("content-type", EVENTS) }
    });
    let mut connection = kit.request("POST", "/play", &[]);
    assert_eq!(connection.head().map(|head| head.status), Some(200));
    assert!(connection.chunk().is_some());
    gate.wait_for_arrivals(1);
    connection.hang_up();
    assert_abandoned(&kit, "hang_up", S::CAPABILITIES.hang_up(), &gate);
}

/// The policy sets whether the spans of event streams end with the head, and a mount point overrides it.
pub fn end_of_an_event_stream_can_be_set<S: Server>() {
    let ends_early = |end, method, path| ends_early::<S>(Some(end), method, path, EVENTS);
    assert!(!ends_early(SpanEnd::Body, "GET", "/play"));
    assert!(ends_early(SpanEnd::Head, "POST", "/play"));
    // This mount point ends its spans with the head.
    assert!(ends_early(SpanEnd::Body, "GET", "/named"));
}

/// A tag that the body of an event stream sets is lost if its span ends with the head. It is counted, and the first one is
/// reported. It is not lost if the span ends with the body.
pub fn change_after_the_end_is_counted_and_reported_once<S: Server>() {
    let reports: Arc<Mutex<Vec<String>>> = Arc::default();
    let chunks = u64::try_from(CHUNKS.len()).expect("there are few");
    let kit = {
        let reports = reports.clone();
        let report = move |diagnostic: &Diagnostic| {
            assert!(matches!(diagnostic, Diagnostic::LateChange(_)));
            let report = diagnostic.to_string();
            reports.lock().expect("no panic").push(report);
        };
        Kit::<S>::setup()
            .policy(|policy| policy.on_diagnostic(report))
            .late_changes(2 * chunks)
            .play(|_| async { Reply::stream(tagged_chunk).header("content-type", EVENTS) })
            .start()
    };
    let lost = || kit.tracing().late_changes();

    assert_eq!(kit.send("POST", "/play", &[]).text(), CHUNKS.concat());
    let span = kit.span();
    assert_eq!(outcome(&span), (Outcome::Completed, Some(200)));
    assert_eq!(
        (span.tag("chunk").and_then(|tag| tag.as_i64()), lost()),
        (Some(2), 0)
    );

    for requests in 1..=2 {
        assert_eq!(kit.get("/play").text(), CHUNKS.concat());
        let span = kit.span();
        assert_eq!(span.tag("chunk"), None);
        assert_eq!(lost(), requests * chunks);
        let reports = reports.lock().expect("no panic");
        let start = format!("tag `chunk` was set after the span `{}`", span.name());
        assert!(
            reports.len() == 1 && reports[0].starts_with(&start),
            "{reports:?}"
        );
    }
}

async fn tagged_chunk(number: usize) -> Option<crate::app::Chunk> {
    turn().await;
    let chunk = CHUNKS.get(number)?;
    Span::current().set_tag("chunk", number);
    Some(Ok(chunk.as_bytes().to_vec()))
}
