//! Finished spans, as far as the tracers' contract does not check them at the backend.

#![allow(clippy::unwrap_used)]

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use http::Request;
use opentracing_http::report::Reference;
use opentracing_http::server::Instrumentation;
use opentracing_http::{
    Baggage, FinishedSpan, HttpTracing, InMemoryTracer, Log, Outcome, Route, Span, SpanBuilder,
    SpanContext, SpanId, SpanKind, Tag, TraceFlags, TraceId, TraceState,
};

/// Returns a finished span without parent and name, after `use_it` has used it.
fn bare(use_it: impl FnOnce(&Span)) -> FinishedSpan {
    built(|span| span, use_it)
}

fn built(
    build: impl FnOnce(SpanBuilder) -> SpanBuilder,
    use_it: impl FnOnce(&Span),
) -> FinishedSpan {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let span = build(tracing.span("")).start();
    use_it(&span);
    span.finish();
    tracer.take().remove(0)
}

fn context_with_baggage(baggage: usize) -> SpanContext {
    let mut items = Baggage::new();
    if baggage > 0 {
        items.set("k", &"v".repeat(baggage));
    }
    let (trace, span) = (TraceId::new(1).unwrap(), SpanId::new(2).unwrap());
    SpanContext::new(trace, span, TraceFlags::SAMPLED).with_baggage(items)
}

#[test]
fn accessors_return_kind_end_and_whether_it_follows() {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let root = tracing
        .span("root")
        .start_time(start)
        .kind(SpanKind::Client)
        .start();
    root.child("child").finish();
    root.follower("follower").finish();
    root.finish_at(start + Duration::from_secs(5));
    let spans = tracer.take();
    let [child, follower, root] = <[FinishedSpan; 3]>::try_from(spans).unwrap();
    assert_eq!(root.kind(), SpanKind::Client);
    assert_eq!(child.kind(), SpanKind::Internal);
    assert_eq!(root.end(), start + Duration::from_secs(5));
    assert!(follower.is_follower() && !child.is_follower() && !root.is_follower());
    assert!(root.http().is_none());
}

#[test]
fn a_span_failed_if_its_error_tag_is_true() {
    for (tag, failed) in [
        (None, false),
        (Some(Tag::new("error", true)), true),
        (Some(Tag::new("error", false)), false),
        (Some(Tag::new("error", "timeout")), true),
        (Some(Tag::new("no error", true)), false),
    ] {
        let span = bare(|span| {
            span.set_tags(Vec::from_iter(tag.clone()));
        });
        assert_eq!(span.is_error(), failed, "{tag:?}");
    }
    assert!(bare(|span| span.record_error(&std::fmt::Error)).is_error());
}

#[test]
fn request_facts_do_not_depend_on_the_convention() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let server = Instrumentation::new(&tracing, "test");
    let request = Request::put("/users/42?q=1").body(()).unwrap();
    let mut span = server.begin(&request);
    span.set_route(Route::Template("/users/{id}"));
    span.fail(Some(503), &"no luck");
    let span = tracer.take().remove(0);
    let http = span.http().unwrap();
    assert_eq!((http.method(), http.path()), ("PUT", "/users/42"));
    assert_eq!(http.route(), Route::Template("/users/{id}"));
    assert_eq!(http.status(), Some(503));
    assert_eq!(http.outcome(), Outcome::HandlerError);
    assert_eq!((http.time_to_head(), http.body_bytes()), (None, 0));
}

#[test]
fn omissions_are_none_until_there_are_some() {
    assert!(bare(|_| {}).omitted().is_empty());
    let cut = bare(|span| {
        span.set_tag("long", "x".repeat(5000));
    });
    assert!(!cut.omitted().is_empty());
    assert_eq!(cut.omitted().cut_values, 1);
}

#[test]
fn the_size_counts_texts_by_the_byte_and_static_ones_not_at_all() {
    let named = |name: Cow<'static, str>| bare(|span| span.set_name(name.clone())).size();
    assert_eq!(named("1234567".to_owned().into()) - named("".into()), 7);
    assert_eq!(named("1234567".into()), named("".into()));

    let tagged = |key: &str, value: &str| {
        bare(|span| span.set_tags([(key.to_owned(), value.to_owned())])).size()
    };
    let long = "a value that is too long to be held inline";
    assert_eq!(tagged("k", long) - tagged("k", ""), long.len());
    assert_eq!(tagged("k", "up to 24 are held inline"), tagged("k", ""));
    assert_eq!(tagged("k123456", "") - tagged("k", ""), 6);

    let logged =
        |key: &str, value: &str| bare(|span| span.log([(key.to_owned(), value.to_owned())])).size();
    assert_eq!(logged("k", long) - logged("k", ""), long.len());
    assert_eq!(logged("k123456", "") - logged("k", ""), 6);

    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::new(tracer.clone());
    let server = Instrumentation::new(&tracing, "test");
    let [short, long] = ["/", "/1234567"].map(|path| {
        let request = Request::get(path).body(()).unwrap();
        server.begin(&request).fail(None, &"");
        tracer.take().remove(0).size()
    });
    assert_eq!(long - short, 7);
}

#[test]
fn the_size_counts_tags_logs_and_references_by_their_number() {
    let empty = bare(|_| {}).size();
    let tags = bare(|span| span.set_tags([("a", 1), ("b", 2), ("c", 3)])).size();
    assert_eq!(tags - empty, 3 * size_of::<Tag>());

    let logged = |count: usize| {
        let size = bare(|span| {
            (0..count).for_each(|_| span.log([("a", 1), ("b", 2)]));
        });
        size.size() - empty
    };
    // A vector has room for four at first, and doubles it.
    for (count, room) in [(1, 4), (4, 4), (5, 8)] {
        let fields = count * 2 * size_of::<Tag>();
        assert_eq!(logged(count), room * size_of::<Log>() + fields, "{count}");
    }

    // The parent is part of the span.
    let child = |more: usize| {
        let build = |span: SpanBuilder| {
            let span = span.child_of(context_with_baggage(0));
            (0..more).fold(span, |span, _| span.child_of(context_with_baggage(0)))
        };
        built(build, |_| {}).size()
    };
    assert_eq!(child(0), empty);
    let grown = child(4) - empty;
    assert!(grown >= 4 * size_of::<Reference>(), "{grown}");
    assert_eq!(grown % size_of::<Reference>(), 0);
}

#[test]
fn size_counts_propagated_data_once() {
    let below =
        |baggage: usize| built(|span| span.child_of(context_with_baggage(baggage)), |_| {}).size();
    // Both have the same allocation.
    let own = below(3000) - below(2000);
    assert_eq!(own, 1000);
    // From now on the span has a copy of its own.
    let changed = |baggage: usize| {
        let build = |span: SpanBuilder| span.child_of(context_with_baggage(baggage));
        built(build, |span| span.set_baggage_item("k2", "v")).size()
    };
    assert_eq!(changed(3000) - changed(2000), 2000);
    let referring = |baggage: usize| {
        let build = |span: SpanBuilder| {
            let span = span.child_of(context_with_baggage(0));
            span.follows_from(context_with_baggage(baggage))
                .follows_from(context_with_baggage(baggage))
        };
        built(build, |_| {}).size()
    };
    assert_eq!(referring(3000) - referring(2000), 2000);

    let state = |text: &str| {
        let state = TraceState::parse([text.as_bytes()]).unwrap();
        built(
            |span| span.child_of(context_with_baggage(1).with_tracestate(state)),
            |_| {},
        )
        .size()
    };
    assert!(state("vendor=12345678901234567890") > state("vendor=1"));
}
