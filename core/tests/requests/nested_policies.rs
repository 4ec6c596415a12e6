//! A mount point within one of another policy joins the request, and this is reported.

use opentracing_http::Diagnostic;

use super::*;

type Reports = Arc<Mutex<Vec<String>>>;

fn audible() -> (HttpTracing, InMemoryTracer, Reports) {
    let (reports, tracer) = (Reports::default(), InMemoryTracer::new());
    let hook = reports.clone();
    let tracing = HttpTracing::builder(tracer.clone())
        .on_diagnostic(move |diagnostic| {
            assert!(matches!(diagnostic, Diagnostic::NestedPolicies(_)));
            hook.lock().unwrap().push(diagnostic.to_string());
        })
        .build()
        .unwrap();
    (tracing, tracer, reports)
}

#[test]
fn inner_policy_reports_once_that_its_tracer_gets_nothing() {
    let (outer, outer_tracer, outer_reports) = audible();
    let (inner, inner_tracer, inner_reports) = audible();
    let outside = Instrumentation::new(&outer, "outer-framework");
    let inside = Instrumentation::new(&inner, "inner-framework");
    let request = get("/", &[]);
    for _ in 0..3 {
        let mut span = outside.begin(&request);
        span.scope(|| {
            let joined = inside.begin(&Marked(&request));
            assert!(!joined.is_outermost());
            let joinable = inside.joinable(&Marked(&request)).unwrap();
            drop(inside.join(&joinable, &request));
        });
        assert!(respond(span, 200, BodySize::Empty).is_none());
    }
    assert_eq!(outer_tracer.finished().len(), 3);
    assert!(inner_tracer.finished().is_empty());
    assert!(outer_reports.lock().unwrap().is_empty());
    let reports = inner_reports.lock().unwrap();
    let [report] = reports.as_slice() else {
        panic!("reported once: {reports:?}");
    };
    for part in ["(inner-framework)", "`HttpTracing`", "`FanOut`"] {
        assert!(report.contains(part), "{report}");
    }
}

#[test]
fn unrecorded_request_of_an_outer_policy_is_reported_as_well() {
    let silent = policy(|policy| policy.sampler(opentracing_http::sampler::Never));
    let (inner, _, reports) = audible();
    let request = get("/", &[]);
    silent.begin(&request).scope(|| {
        drop(Instrumentation::new(&inner, "inner").begin(&Marked(&request)));
    });
    assert_eq!(reports.lock().unwrap().len(), 1);
}

#[test]
fn clones_of_one_policy_and_disabled_policies_are_not_reported() {
    let (tracing, _, reports) = audible();
    let request = get("/", &[]);
    let inside = Instrumentation::new(tracing.clone(), "inner");
    let mut span = Instrumentation::new(&tracing, "outer").begin(&request);
    span.scope(|| drop(inside.begin(&Marked(&request))));
    drop(span);
    assert!(reports.lock().unwrap().is_empty());

    let disabled = HttpTracing::builder(InMemoryTracer::new())
        .env_with(|name| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned()))
        .on_diagnostic(|diagnostic| panic!("{diagnostic}"))
        .build()
        .unwrap();
    let inside = Instrumentation::new(&disabled, "inner");
    let mut span = Instrumentation::new(&tracing, "outer").begin(&request);
    span.scope(|| drop(inside.begin(&Marked(&request))));
    assert_eq!(disabled.caught_panics(), 0);
}

#[test]
fn request_made_within_a_request_of_another_policy_has_a_span_in_each() {
    let (outer, outer_tracer, _) = audible();
    let (inner, inner_tracer, reports) = audible();
    let mut span = Instrumentation::new(&outer, "outer").begin(&get("/", &[]));
    // Without a mark it is another request.
    span.scope(|| {
        let made = Instrumentation::new(&inner, "inner").begin(&get("/inner", &[]));
        assert!(respond(made, 200, BodySize::Empty).is_none());
    });
    assert!(respond(span, 200, BodySize::Empty).is_none());
    let (outer, inner) = (outer_tracer.finished(), inner_tracer.finished());
    assert_eq!(inner[0].parent_id(), Some(outer[0].context().span_id()));
    assert!(reports.lock().unwrap().is_empty());
}
