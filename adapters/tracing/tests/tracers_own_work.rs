//! What a tracer does is not traced, although it uses `tracing` itself.
//!
//! A test of its own, because the subscriber is the process's: a thread's subscriber is not called while it runs.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use opentracing_http::{FinishedSpan, HttpTracing, InMemoryTracer, NoopTracer, Span, Tracer};
use opentracing_tracing::SpanLayer;
use tracing::{error, info, info_span};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

/// A tracer that reports its own work through `tracing`, as an HTTP client in it would.
struct Chatty {
    kept: InMemoryTracer,
}

static EXPORTS: AtomicUsize = AtomicUsize::new(0);
static WITHIN_ANOTHER: AtomicUsize = AtomicUsize::new(0);

impl Tracer for Chatty {
    fn report(&self, span: FinishedSpan) {
        // Of a span that closes within another one, which is recorded and current.
        if Span::current().is_recording() {
            WITHIN_ANOTHER.fetch_add(1, Ordering::Relaxed);
        }
        error!("reporting");
        let export = info_span!("export");
        export.in_scope(|| {
            assert!(!Span::current().records_children());
            info!("exported");
            error!("and failed");
        });
        // The exporter's work stays unrecorded on other threads, too. The span closes there, because the registry does not forget
        // one that closes while another one does.
        let connect = move || {
            export.in_scope(|| info_span!("connect").in_scope(|| info!("connected")));
        };
        thread::spawn(connect).join().unwrap();
        EXPORTS.fetch_add(1, Ordering::Relaxed);
        self.kept.report(span);
    }
}

#[test]
fn work_of_a_tracer_is_not_traced() {
    let kept = InMemoryTracer::new();
    let tracing = HttpTracing::new(Chatty { kept: kept.clone() });
    // Without a current span, the tracer's spans would be roots.
    let layer = SpanLayer::new()
        .roots(&tracing)
        .with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(layer).init();

    let request = tracing.span("request").start();
    request.in_scope(|| {
        info_span!("outer").in_scope(|| info_span!("inner").in_scope(|| {}));
        Span::current().child("ours").finish();
    });
    request.finish();
    info_span!("job").in_scope(|| {});

    let spans = kept.finished();
    let names: Vec<_> = spans.iter().map(FinishedSpan::name).collect();
    assert_eq!(names, ["inner", "outer", "ours", "request", "job"]);
    assert_eq!(EXPORTS.load(Ordering::Relaxed), 5);
    assert_eq!(WITHIN_ANOTHER.load(Ordering::Relaxed), 3);
    for span in &spans {
        assert!(
            span.logs().is_empty() && !span.is_error(),
            "{}",
            span.name()
        );
    }

    // A policy that records nothing makes no difference.
    let off = HttpTracing::new(NoopTracer);
    off.span("off")
        .start()
        .in_scope(|| info_span!("nothing").in_scope(|| info!("nothing")));
    assert_eq!(kept.finished().len(), 5);
}
