//! Selection of the formats that are read and written.

use opentracing_http::propagation::{B3, Jaeger, Propagation};
use opentracing_http::{Span, SpanContext};

use super::*;

const NAME: &str = "OTEL_PROPAGATORS";
const BAGGAGE: (&str, &str) = ("baggage", "tenant=7");
const STATE: (&str, &str) = ("tracestate", "house=1");

fn of(formats: &str) -> HttpTracing {
    with(&[(NAME, formats)])
}

/// Headers of all formats, each with a trace of its own.
fn all() -> Vec<(&'static str, &'static str)> {
    vec![
        (
            "traceparent",
            "00-0000000000000000000000000000000a-00f067aa0ba902b7-01",
        ),
        STATE,
        BAGGAGE,
        ("b3", "0000000000000000000000000000000b-00f067aa0ba902b7-1"),
        ("x-b3-traceid", "0000000000000000000000000000000c"),
        ("x-b3-spanid", "00f067aa0ba902b7"),
        ("x-b3-sampled", "1"),
        ("uber-trace-id", "d:f067aa0ba902b7:0:1"),
        ("uberctx-zone", "north"),
    ]
}

/// The trace that is read, as one digit, with its tracestate and baggage.
fn read(tracing: &HttpTracing, without: &[&str]) -> String {
    let mut headers = all();
    headers.retain(|(name, _)| !without.contains(name));
    match tracing.extract(&headers) {
        None => "-".to_owned(),
        Some(found) => {
            let baggage: Vec<_> = found.baggage().iter().map(|(key, _)| key).collect();
            let trace = found.trace_id().get();
            format!(
                "{trace:x} {} {}",
                found.tracestate().as_str(),
                baggage.join(",")
            )
        }
    }
}

/// The names of the headers that are written, over those of another call.
fn written(tracing: &HttpTracing) -> Vec<String> {
    let mut headers: Vec<(String, String)> = Vec::new();
    tracing.inject(&context(), &mut headers);
    let mut names: Vec<_> = headers.into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    names
}

/// A context with a tracestate and baggage.
fn context() -> SpanContext {
    let everything = HttpTracing::new(InMemoryTracer::new());
    let headers = [("traceparent", SAMPLED), STATE, BAGGAGE];
    everything.extract(&headers).unwrap()
}

const TRACE_CONTEXT: [&str; 2] = ["traceparent", "tracestate"];
const W3C: [&str; 3] = ["baggage", "traceparent", "tracestate"];
const MULTI: [&str; 3] = ["x-b3-sampled", "x-b3-spanid", "x-b3-traceid"];

#[test]
fn each_format_is_read_and_written_alone() {
    for (formats, expected_read, expected_written) in [
        ("tracecontext", "a house=1 ", &TRACE_CONTEXT[..]),
        ("tracecontext,baggage", "a house=1 tenant", &W3C),
        (" Baggage , TRACECONTEXT ,", "a house=1 tenant", &W3C),
        ("tracecontext,tracecontext", "a house=1 ", &TRACE_CONTEXT),
        ("b3", "b  ", &["b3"]),
        ("b3multi", "b  ", &MULTI),
        ("jaeger", "d  zone", &["uber-trace-id", "uberctx-tenant"]),
        ("baggage", "-", &["baggage"]),
        ("none", "-", &[]),
        ("none,none", "-", &[]),
    ] {
        let tracing = of(formats);
        assert_eq!(read(&tracing, &[]), expected_read, "{formats}");
        assert_eq!(written(&tracing), expected_written, "{formats}");
    }
    assert_eq!(read(&of("b3multi"), &["b3"]), "c  ");
    assert_eq!(read(&of("b3"), &["b3"]), "c  ");
}

#[test]
fn of_several_formats_with_ids_the_last_one_named_wins() {
    let w3c = ["traceparent"];
    for (formats, with_all, without_w3c) in [
        ("tracecontext,b3", "b  ", "b  "),
        ("b3,tracecontext", "a house=1 ", "b  "),
        ("b3,tracecontext,baggage", "a house=1 tenant", "b  tenant"),
        ("baggage,b3,tracecontext", "a house=1 tenant", "b  tenant"),
        ("tracecontext,baggage,b3", "b  tenant", "b  tenant"),
        ("tracecontext,jaeger,b3", "b  zone", "b  zone"),
        ("tracecontext,b3,jaeger", "d  zone", "d  zone"),
        (
            "b3,jaeger,b3multi,tracecontext",
            "a house=1 zone",
            "b  zone",
        ),
    ] {
        let tracing = of(formats);
        assert_eq!(read(&tracing, &[]), with_all, "{formats}");
        assert_eq!(read(&tracing, &w3c), without_w3c, "{formats}");
    }
}

#[test]
fn every_named_format_is_written() {
    let tracing = of("b3multi,jaeger,b3,baggage,tracecontext");
    let mut expected = [&W3C[..], &MULTI, &["b3", "uber-trace-id", "uberctx-tenant"]].concat();
    expected.sort_unstable();
    assert_eq!(written(&tracing), expected);
}

#[test]
fn a_request_that_both_forms_of_b3_refuse_is_counted_once() {
    let tracing = of("b3,b3multi");
    assert!(tracing.extract(&[("b3", "nonsense")]).is_none());
    assert_eq!(tracing.refusals().collect::<Vec<_>>(), [("b3", 1)]);
}

#[test]
fn refusals_have_the_names_of_the_halves() {
    let tracing = of("tracecontext");
    assert!(
        tracing
            .extract(&[("traceparent", "nonsense"), ("baggage", "=")])
            .is_none()
    );
    assert_eq!(
        tracing.refusals().collect::<Vec<_>>(),
        [("tracecontext", 1)]
    );
    let tracing = of("baggage");
    assert!(
        tracing
            .extract(&[("traceparent", "nonsense"), ("baggage", "=")])
            .is_none()
    );
    assert_eq!(tracing.refusals().collect::<Vec<_>>(), [("baggage", 1)]);
}

#[test]
fn a_header_of_a_format_that_is_not_named_stays_where_it_is() {
    let there = || {
        let pairs = all().into_iter();
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<Vec<_>>()
    };
    let left = |formats: &str, name: &str| {
        let mut headers = there();
        of(formats).inject(&context(), &mut headers);
        let copied = all().into_iter().find(|(other, _)| *other == name).unwrap();
        headers
            .iter()
            .any(|(other, value)| (&**other, &**value) == copied)
    };
    assert!(left("tracecontext", "baggage") && !left("tracecontext", "traceparent"));
    assert!(left("baggage", "traceparent") && left("baggage", "tracestate"));
    assert!(left("none", "traceparent") && left("none", "b3"));
    assert!(left("jaeger", "b3") && !left("b3multi", "b3"));
}

#[test]
fn baggage_without_ids_reaches_the_request_and_what_it_calls() {
    let tracing = of("baggage");
    let request = http::Request::get("/")
        .header("baggage", "tenant=7")
        .header("traceparent", SAMPLED);
    let request = request.body(()).unwrap();
    let span = opentracing_http::server::Instrumentation::new(&tracing, "test").begin(&request);
    let span: &Span = span.span();
    assert_eq!(span.baggage_item("tenant").as_deref(), Some("7"));
    assert_ne!(span.context().unwrap().trace_id(), context().trace_id());
    let mut headers: Vec<(String, String)> = Vec::new();
    span.inject(&mut headers);
    assert_eq!(headers, [("baggage".to_owned(), "tenant=7".to_owned())]);
}

#[test]
fn formats_of_variables_override_earlier_ones_and_not_later_ones_within_the_same_budget() {
    let jaeger = || Propagation::none().read(Jaeger).write(Jaeger);
    let b3 = [(NAME, "b3")];
    let (over, _) = traced(|policy| policy.propagation(jaeger()).env_with(table(&b3)));
    assert_eq!(written(&over), ["b3"]);
    let (under, _) = traced(|policy| policy.env_with(table(&b3)).propagation(jaeger()));
    assert_eq!(written(&under), ["uber-trace-id", "uberctx-tenant"]);
    let (kept, _) = traced(|policy| policy.propagation(jaeger()).env_with(table(&[(NAME, "")])));
    assert_eq!(written(&kept), ["uber-trace-id", "uberctx-tenant"]);

    // There is room for the ids only.
    let tight = Propagation::none().write(B3::single()).max_headers(1);
    let w3c = [(NAME, "tracecontext,baggage")];
    let (tracing, _) = traced(|policy| policy.propagation(tight.clone()).env_with(table(&w3c)));
    assert_eq!(written(&tracing), ["traceparent"]);
    let both = [(NAME, "tracecontext,b3")];
    let builder = HttpTracing::builder(InMemoryTracer::new()).propagation(tight);
    let error = builder.env_with(table(&both)).build().unwrap_err();
    assert_eq!(error.option(), NAME);
    assert!(error.to_string().contains("`max_headers`"), "{error}");
}

#[test]
fn an_unknown_format_is_an_error_with_the_known_ones() {
    for (formats, remedy) in [
        (
            "w3c",
            "`w3c` is not a format; there are `tracecontext`, `baggage`, `b3`",
        ),
        ("tracecontext baggage", "is not a format"),
        ("tracecontext,zipkin", "`zipkin` is not a format"),
        ("b3,XRay", "`XRay` is a format that is not in this crate"),
        ("ottrace", "code can add others"),
        ("none,b3", "`none` excludes formats"),
        ("b3,none", "`none` excludes formats"),
        (" , ", "it names no format"),
    ] {
        let (option, text) = fault(&[(NAME, formats)]);
        assert_eq!(option, NAME);
        assert!(text.contains(remedy), "{text}");
    }
}
