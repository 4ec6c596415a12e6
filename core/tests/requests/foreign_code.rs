//! Foreign code: callbacks, views, tracers. It never runs under a lock, and always under the guard.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use opentracing_http::Tracer;
use opentracing_http::propagation::Carrier;
use opentracing_http::sampler::Sampler;
use opentracing_http::sampler::{SamplingParams, SamplingResult};
use opentracing_http::server::{Mark, ResponseView, SharedRequestSpan};

use super::*;

/// A view whose every method uses the current span, and panics if asked to.
struct Nosy {
    marked: AtomicBool,
    panics: bool,
    asked: AtomicU64,
}

impl Nosy {
    fn new(panics: bool) -> Self {
        Self {
            panics,
            asked: AtomicU64::new(0),
            marked: AtomicBool::new(false),
        }
    }

    fn look(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let span = Span::current();
        span.set_tag("looked", true);
        span.set_baggage_item("looked", "yes");
        let _ = format!("{span:?} {:?}", span.context());
        assert!(!self.panics, "as asked for");
    }
}

impl HeaderView for Nosy {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.look();
        visit("x-cache", b"hit");
        visit("user-agent", b"kit");
    }
}

impl RequestView for Nosy {
    fn method(&self) -> &str {
        self.look();
        "GET"
    }
    fn path(&self) -> &str {
        self.look();
        "/path"
    }
    fn query(&self) -> Option<&str> {
        self.look();
        Some("q=1")
    }
    fn scheme(&self) -> Option<&str> {
        self.look();
        Some("https")
    }
    fn authority(&self) -> Option<&str> {
        self.look();
        Some("a.example")
    }
    fn peer(&self) -> Option<SocketAddr> {
        self.look();
        Some(SocketAddr::from(([127, 0, 0, 1], 80)))
    }
    fn local_addr(&self) -> Option<SocketAddr> {
        self.look();
        Some(SocketAddr::from(([127, 0, 0, 1], 8080)))
    }
    fn headers(&self) -> &dyn HeaderView {
        self.look();
        self
    }
    fn version(&self) -> Option<http::Version> {
        self.look();
        Some(http::Version::HTTP_11)
    }
    fn has_mark(&self, _: Mark) -> bool {
        self.look();
        self.marked.load(Ordering::Relaxed)
    }
    fn route(&self) -> Route<'_> {
        self.look();
        Route::Template("/{any}")
    }
}

impl Carrier for Nosy {
    fn set(&mut self, _: &str, _: &str) {
        self.look();
    }
}

impl ResponseView for Nosy {
    fn status(&self) -> u16 {
        self.look();
        200
    }
    fn headers(&self) -> &dyn HeaderView {
        self.look();
        self
    }
    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        self.look();
        Some(self)
    }
    fn body_size(&self) -> BodySize {
        self.look();
        BodySize::Empty
    }
    fn route(&self) -> Route<'_> {
        self.look();
        Route::Template("/{every}")
    }
    fn error(&self) -> Option<&dyn std::fmt::Display> {
        self.look();
        Some(&"no luck")
    }
    fn is_upgrade(&self) -> bool {
        self.look();
        false
    }
}

const ALL: [&str; 13] = [
    "url",
    "query",
    "path",
    "method",
    "host",
    "scheme",
    "version",
    "remote_addr",
    "local_port",
    "path_parameters",
    "user_agent",
    "header:x-cache",
    "response.header:x-cache",
];

#[test]
fn a_view_may_use_the_current_span_at_begin_join_and_respond() {
    let harness = policy(|policy| policy.attribute_names(ALL));
    let attributes = ALL.map(|name| name.parse::<Attribute>().unwrap());
    let inner = harness.mount(|mount_point| mount_point.attributes(attributes));
    let mut nosy = Nosy::new(false);
    let mut span = harness.instrumentation.begin(&nosy);
    nosy.marked.store(true, Ordering::Relaxed);
    span.scope(|| assert!(!inner.begin(&nosy).is_outermost()));
    let shared = SharedRequestSpan::new(span);
    let scope = shared.enter();
    let body = shared.take().unwrap().respond(&mut nosy);
    drop((scope, shared));
    assert!(body.is_none());
    let span = harness.only();
    for name in ALL {
        let key = match name.split_once(':') {
            Some(("header", name)) => format!("http.request.header.{name}"),
            Some((_, name)) => format!("http.response.header.{name}"),
            None if name == "local_port" => "network.local.port".to_owned(),
            None => name.to_owned(),
        };
        assert!(span.tag(&key).is_some(), "{key}");
    }
    assert_eq!(tag(&span, "looked").as_deref(), Some("true"));
    assert!(nosy.asked.load(Ordering::Relaxed) > 20);
}

#[test]
fn a_view_that_panics_loses_what_it_would_have_shown() {
    let harness = policy(|policy| policy.attribute_names(ALL).on_finish(|_| ()));
    let mut nosy = Nosy::new(true);
    let attributes = ALL.map(|name| name.parse::<Attribute>().unwrap());
    let inner = harness.mount(|mount_point| mount_point.attributes(attributes));
    let mut span = harness.instrumentation.begin(&nosy);
    // If a mark cannot be found, the request counts as another one.
    span.scope(|| drop(inner.begin(&nosy)));
    let body = span.respond(&mut nosy);
    // Its size is not known.
    drop(body);
    let spans = harness.tracer.take();
    let outcomes: Vec<_> = spans.iter().map(outcome).collect();
    assert_eq!(outcomes, [Outcome::Cancelled, Outcome::BodyAbandoned]);
    assert!(harness.instrumentation.tracing().caught_panics() > 20);
}

#[test]
fn what_panics_in_a_response_does_not_reach_the_adapter() {
    struct Broken;
    impl HeaderView for Broken {
        fn each_header<'a>(&'a self, _: &mut dyn FnMut(&'a str, &'a [u8])) {
            panic!("as asked for")
        }
    }
    impl Carrier for Broken {
        fn set(&mut self, _: &str, _: &str) {
            panic!("as asked for")
        }
    }
    impl ResponseView for Broken {
        fn status(&self) -> u16 {
            200
        }
        fn headers(&self) -> &dyn HeaderView {
            self
        }
        fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
            Some(self)
        }
    }
    let harness = policy(|policy| {
        let policy = policy.attribute_names(["response.header:x-cache"]);
        policy.return_trace_id(TraceIdHeader::TraceResponse)
    });
    let span = harness.begin(&get("/", &[]));
    drop(span.respond(&mut Broken));
    assert_eq!(outcome(&harness.only()), Outcome::BodyAbandoned);
    assert_eq!(harness.instrumentation.tracing().caught_panics(), 4);
}

/// Starts and ends spans of its own policy wherever it is called.
#[derive(Clone, Default)]
struct Busy {
    tracing: Arc<OnceLock<HttpTracing>>,
    other: Arc<OnceLock<HttpTracing>>,
    reported: Arc<Mutex<Vec<String>>>,
}

impl Busy {
    fn work(&self) {
        if let Some(tracing) = self.tracing.get() {
            let span = tracing.span("work").start();
            assert!(!span.is_recording());
            span.child("part").set_tag("sampling.priority", 1);
            span.build_child("asked for")
                .tag("sampling.priority", 1)
                .start()
                .finish();
            Span::current().child("of the current one").finish();
            let begun = Instrumentation::new(tracing, "test").begin(&get("/work", &[]));
            assert!(!begun.span().is_recording());
            begun.fail(None, &"none");
        }
        // Spans of another policy are recorded as usual.
        if let Some(other) = self.other.get() {
            other.span("elsewhere").root().start().finish();
        }
    }
}

impl Tracer for Busy {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        self.work();
        SamplingResult::record_and_sample()
    }

    fn started(&self, _: &Span) {
        self.work();
    }

    fn report(&self, span: FinishedSpan) {
        self.work();
        self.reported.lock().unwrap().push(span.name().to_owned());
    }
}

impl Sampler for Busy {
    fn sample(&self, _: &SamplingParams<'_>) -> SamplingResult {
        self.work();
        SamplingResult::undecided()
    }
}

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Busy")
    }
}

#[test]
fn what_a_tracer_and_finish_callbacks_do_with_spans_is_not_recorded() {
    let (busy, other) = (Busy::default(), InMemoryTracer::new());
    let ends = Arc::new(AtomicU64::new(0));
    let tracing = {
        let (finishing, ends) = (busy.clone(), ends.clone());
        HttpTracing::builder(busy.clone())
            .sampler(busy.clone())
            .on_finish(move |_| {
                ends.fetch_add(1, Ordering::Relaxed);
                finishing.work();
            })
            .on_start(|span, _| span.child("started with the request").finish())
            .build()
            .unwrap()
    };
    let _ = busy.tracing.set(tracing.clone());
    let _ = busy.other.set(HttpTracing::new(other.clone()));

    let mut request = Instrumentation::new(&tracing, "test").begin(&get("/", &[]));
    request.scope(|| Span::current().child("part").finish());
    request.fail(Some(500), &"no luck");
    tracing.span("job").start().finish();
    assert_eq!(
        *busy.reported.lock().unwrap(),
        ["started with the request", "part", "GET", "job"]
    );
    assert_eq!(ends.load(Ordering::Relaxed), 1);
    assert_eq!(tracing.caught_panics(), 0);
    assert!(other.take().len() > 8);
    // The tracer keeps its policies.
    drop(tracing);
}

/// An error whose `Display` panics.
#[derive(Debug)]
struct Unshowable {
    panics: bool,
    source: Option<Box<Self>>,
}

impl fmt::Display for Unshowable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half a mess")?;
        assert!(!self.panics, "as asked for");
        Err(fmt::Error)
    }
}

impl Error for Unshowable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[test]
fn an_error_that_cannot_be_shown_is_an_error_all_the_same() {
    for (panics, expected) in [(false, Some("half a mess")), (true, None)] {
        let harness = defaults();
        let unshowable = |source| Unshowable { panics, source };
        let error = unshowable(Some(Box::new(unshowable(None))));
        let request = harness.begin(&get("/", &[]));
        request.span().record_error(&error);
        request.fail(Some(500), &error);
        let span = harness.only();
        assert_eq!(tag(&span, "error").as_deref(), Some("true"));
        let logs = span.logs();
        assert_eq!(logs.len(), 2);
        let field = |log: usize, key: &str| {
            let found = logs[log].fields.iter().find(|field| field.key == key);
            found.map(|field| field.value.to_string())
        };
        assert_eq!(field(0, "event").as_deref(), Some("error"));
        assert_eq!(field(0, "message").as_deref(), expected);
        assert_eq!(field(0, "error.cause").as_deref(), expected);
        assert_eq!(field(1, "message").as_deref(), expected);
        let panicked = harness.instrumentation.tracing().caught_panics();
        assert_eq!(panicked, if panics { 3 } else { 0 });
    }
}

#[test]
fn an_error_longer_than_a_value_may_be_is_cut_and_counted() {
    let harness = defaults();
    let long = std::io::Error::other("x".repeat(10_000));
    let request = harness.begin(&get("/", &[]));
    request.span().record_error(&long);
    drop(request);
    let span = harness.only();
    assert_eq!(span.logs()[0].fields[1].value.as_str().unwrap().len(), 4096);
    assert_eq!(span.omitted().cut_values, 1);
}
