//! Conversions: from and to text, from and to parts, and traits behind pointers.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::error::Error;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use http::HeaderName;
use opentracing_http::error::{ParseAttributeError, ParsePatternError};
use opentracing_http::propagation::{Propagation, Propagator, W3c};
use opentracing_http::scope::ScopeHook;
use opentracing_http::{
    Attribute, Baggage, Clock, ConfigError, HttpTracing, IdSource, InMemoryTracer, Limits, Network,
    Pattern, RandomIds, Span, SpanContext, SpanId, TraceFlags, TraceId, TraceState,
};

/// Asserts that each text is parsed, and displayed as the same text.
fn assert_round_trips<T>(texts: &[&str])
where
    T: FromStr<Err: Debug> + Display + PartialEq + Debug,
{
    for text in texts {
        let read: T = text.parse().unwrap();
        assert_eq!(read.to_string(), *text);
        assert_eq!(read.to_string().parse::<T>().unwrap(), read);
    }
}

#[test]
fn what_is_read_from_text_is_written_as_the_same_text() {
    assert_round_trips::<Pattern>(&["/", "/*", "GET /users/{id}", "GET,HEAD /static/*"]);
    assert_round_trips::<Attribute>(&[
        "url",
        "query",
        "path",
        "method",
        "host",
        "scheme",
        "version",
        "remote_addr",
        "user_agent",
        "referrer",
        "content_type",
        "content_length",
        "header:x-request-id",
        "response.header:x-cache",
    ]);
    assert_round_trips::<Network>(&["10.0.0.0/8", "fd00::/8", "192.0.2.1/32", "::1/128"]);
    assert_round_trips::<TraceState>(&["", "congo=t61", "rojo=2,congo=t61"]);
    assert_round_trips::<TraceId>(&["4bf92f3577b34da6a3ce929d0e0e4736"]);
    assert_round_trips::<SpanId>(&["00f067aa0ba902b7"]);
}

#[test]
fn attribute_is_written_by_its_name_in_configuration() {
    let renamed = Attribute::header(HeaderName::from_static("x-id")).tag("id");
    assert_eq!(renamed.to_string(), "header:x-id");
    assert_eq!(Attribute::URL.unredacted().to_string(), "url");
}

#[test]
fn tracestate_that_breaks_the_grammar_is_an_error() {
    let error = "Vendor=1".parse::<TraceState>().unwrap_err();
    assert!(error.to_string().contains("key=value"), "{error}");
}

#[test]
fn network_of_one_address_is_made_of_it() {
    let network = Network::from(std::net::IpAddr::from([192, 0, 2, 1]));
    assert_eq!(network, "192.0.2.1".parse().unwrap());
    assert!(!network.contains([192, 0, 2, 2].into()));
}

#[test]
fn baggage_is_made_of_pairs_and_gives_them_back() {
    let baggage: Baggage = [("a", "1"), ("b", "2"), ("a", "3"), ("not a token", "4")]
        .into_iter()
        .collect();
    assert_eq!(Vec::from_iter(&baggage), [("a", "3"), ("b", "2")]);
    assert_eq!(baggage.iter().len(), 2);
    let mut more = baggage.clone();
    more.extend(HashMap::from([(String::from("c"), String::from("5"))]));
    let mut values = Vec::new();
    for (_, value) in &more {
        values.push(value);
    }
    assert_eq!(values, ["3", "2", "5"]);
    assert!(format!("{:?}", more.iter()).contains("\"5\""));
}

#[test]
fn limits_are_set_one_by_one() {
    let limits = Limits::default()
        .with_tags(1)
        .with_logs(2)
        .with_log_fields(3)
        .with_references(4)
        .with_value_bytes(5);
    let mut expected = Limits::default();
    expected.tags = 1;
    expected.logs = 2;
    expected.log_fields = 3;
    expected.references = 4;
    expected.value_bytes = 5;
    assert_eq!(limits, expected);
}

#[test]
fn configuration_error_keeps_its_source_and_equals_one_with_the_same_message() {
    let builder = || HttpTracing::builder(InMemoryTracer::new());
    let pattern = builder().skip("health").build().unwrap_err();
    let source = pattern.source().unwrap();
    assert!(source.is::<ParsePatternError>());
    assert!(pattern.to_string().contains(&source.to_string()));
    let attribute = builder().attribute_names(["ulr"]).build().unwrap_err();
    assert!(attribute.source().unwrap().is::<ParseAttributeError>());
    let rule = builder().sampling_rules(["/x = often"]).build();
    assert!(rule.unwrap_err().source().is_some());
    let sampler = builder().sampler_text("sometimes").build();
    assert!(sampler.unwrap_err().source().is_some());

    let plain = ConfigError::new("file", "gone");
    let caused = plain.clone().with_source(std::io::Error::other("gone"));
    assert_eq!(plain, caused);
    assert!(plain.source().is_none() && caused.clone().source().is_some());
    assert_ne!(plain, ConfigError::new("file", "here"));
}

/// A clock, a source of ids and a hook: each counts its calls.
#[derive(Debug, Default)]
struct Counts([AtomicUsize; 6]);

impl Counts {
    fn note(&self, at: usize) {
        self.0[at].fetch_add(1, Ordering::Relaxed);
    }
}

impl Clock for Counts {
    fn wall(&self) -> SystemTime {
        self.note(0);
        SystemTime::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        self.note(1);
        Duration::ZERO
    }
}

impl IdSource for Counts {
    fn trace_id(&self) -> TraceId {
        self.note(2);
        RandomIds.trace_id()
    }

    fn span_id(&self) -> SpanId {
        self.note(3);
        RandomIds.span_id()
    }
}

impl ScopeHook for Counts {
    fn enter(&self, _: &Span) {
        self.note(4);
    }

    fn exit(&self, _: &Span) {
        self.note(5);
    }

    fn ambient_parent(&self) -> Option<SpanContext> {
        let ids = (TraceId::new(1)?, SpanId::new(2)?);
        Some(SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED))
    }
}

#[test]
fn options_can_be_behind_pointers() {
    let counts = Arc::new(Counts::default());
    let tracer = InMemoryTracer::new();
    let format: Arc<dyn Propagator> = Arc::new(W3c);
    let clock: Arc<dyn Clock> = counts.clone();
    let ids: Box<dyn IdSource> = Box::new(counts.clone());
    let hook: Box<dyn ScopeHook> = Box::new(counts.clone());
    let tracing = HttpTracing::builder(tracer.clone())
        .clock(clock)
        .ids(ids)
        .scope_hook(hook)
        .propagation(
            Propagation::none()
                .read(Box::new(W3c) as Box<dyn Propagator>)
                .write(format),
        )
        .build()
        .unwrap();
    let mut headers = http::HeaderMap::new();
    let span = tracing.span("below").start();
    span.in_scope(|| Span::current().inject(&mut headers));
    span.finish();
    drop(tracing.span("root").root().start());
    assert!(headers.contains_key("traceparent"));
    let below = tracer.named("below").remove(0);
    assert_eq!(below.parent_id(), SpanId::new(2));
    for (at, count) in counts.0.iter().enumerate() {
        assert!(count.load(Ordering::Relaxed) > 0, "call {at}");
    }
}
