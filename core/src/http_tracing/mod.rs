//! The tracing policy, which an application builds once and passes to its adapter.

mod builder;
mod env;
mod mount_point;
mod request_rules;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::context::SpanContext;
use crate::delivery::Flushed;
use crate::propagation::{Carrier, Extraction, HeaderView, IncomingHeaders, Outgoing};
use crate::sampler::Rules;
use crate::span::{Policy, SpanBuilder, Tracer, note_policy, pool};

pub use self::builder::HttpTracingBuilder;
pub use self::mount_point::MountPoint;

/// The tracing policy of an application: built once, passed to the adapter of any framework, cheap to clone.
///
/// [`new`](Self::new) uses the defaults; [`builder`](Self::builder) changes them. Both take the tracer, so that another
/// tracer is a change of one line.
///
/// ```
/// use opentracing_http::sampler::{Always, Never, Rules};
/// use opentracing_http::{Attribute, HttpTracing, InMemoryTracer};
///
/// let tracing = HttpTracing::builder(InMemoryTracer::new())
///     .attributes([Attribute::URL, Attribute::USER_AGENT])
///     .skip("GET /health")
///     .sampler(Rules::new().rule("/checkout/*".parse()?, Always).rule("/static/*".parse()?, Never))
///     .on_start(|span, request| {
///         span.set_tag("tenant.known", request.header("x-tenant").is_some());
///     })
///     .build()?;
/// # let _ = tracing;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// When the last clone is dropped, the tracer is [flushed](Tracer::end) for at most five seconds, on the dropping
/// thread. After a [`flush`](Self::flush) that timed out, the [background reporter](crate::report) waits again only if
/// a span was delivered or reported since.
#[derive(Debug, Clone)]
pub struct HttpTracing {
    owner: Arc<Owner>,
}

/// The value that the clones of an [`HttpTracing`] share; spans do not hold it.
///
/// Spans hold the policy and with it the tracer, including the spans that wait in the tracer's queue. So waiting for
/// the end of the tracer itself could take for ever.
#[derive(Debug)]
struct Owner {
    policy: Arc<Policy>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.policy
            .call_tracer(|tracer| tracer.end(Duration::from_secs(5)));
        pool::end(&self.policy);
    }
}

impl HttpTracing {
    /// Creates the default policy with this tracer. It reads W3C, Jaeger and B3 headers of every caller, writes W3C and
    /// Jaeger headers, follows the caller's sampling decision and samples all other requests, names spans `<method>
    /// <route>`, sets tags of OpenTracing's conventions, and ends a span with the last byte of its response body, but with
    /// the response head for event streams that respond to `GET`.
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        Self::of(Policy::new(Arc::new(tracer)))
    }

    /// Creates a builder with the defaults.
    pub fn builder(tracer: impl Tracer + 'static) -> HttpTracingBuilder {
        HttpTracingBuilder {
            policy: Policy::new(Arc::new(tracer)),
            rules: Rules::new(),
            error: None,
        }
    }

    /// Creates a builder of a span outside of any request: for a job, a message, a start-up. The span becomes a child
    /// of the current span, if there is one.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::new(InMemoryTracer::new());
    /// let span = tracing.span("nightly job").start();
    /// span.set_tag("rows", 250);
    /// span.finish();
    /// ```
    pub fn span(&self, name: impl Into<Cow<'static, str>>) -> SpanBuilder {
        SpanBuilder::new(self.policy().clone(), name.into())
    }

    /// Reads the context and the baggage of an incoming message of any kind, such as one of a queue. Returns `None` if
    /// it has no ids.
    ///
    /// [`trust`](HttpTracingBuilder::trust) applies to HTTP requests only, not here.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::new(InMemoryTracer::new());
    /// let sender = tracing.span("send").start().context().expect("it is recorded");
    ///
    /// let mut message = HashMap::new(); // the headers of the message
    /// tracing.inject(&sender, &mut message);
    ///
    /// let context = tracing.extract(&message).expect("the sender has written one");
    /// assert_eq!(context.span_id(), sender.span_id());
    /// ```
    #[must_use]
    pub fn extract(&self, headers: &dyn HeaderView) -> Option<SpanContext> {
        self.policy()
            .guard(|| {
                let mut headers = IncomingHeaders::read(headers);
                headers.want_no_debug_id();
                let mut found = Extraction::default();
                self.policy().propagation.extract_from(&headers, &mut found);
                found.into_context()
            })
            .flatten()
    }

    /// Writes a context and its baggage into an outgoing message of any kind. Headers of the policy's formats that are
    /// already present are removed first. For a span, use [`Span::inject`](crate::Span::inject); see [`extract`](Self::extract) for an
    /// example.
    pub fn inject(&self, context: &SpanContext, carrier: &mut dyn Carrier) {
        self.policy().guard(|| {
            self.policy()
                .propagation
                .inject(&Outgoing::new(context), carrier)
        });
    }

    /// Delivers all spans that have been reported so far. Returns whether `timeout` was sufficient, and how many of
    /// these spans were lost. Call it after a server's graceful shutdown.
    ///
    /// It blocks the calling thread for at most `timeout`. Pass all the time that is available: after a flush that
    /// timed out, [dropping](Self) the policy does not wait again for a backend that has taken nothing since. See
    /// [`Flushed`] for an example.
    #[allow(
        clippy::must_use_candidate,
        reason = "a process that is about to exit can do nothing with the result"
    )]
    pub fn flush(&self, timeout: Duration) -> Flushed {
        self.policy()
            .call_tracer(|tracer| tracer.flush(timeout))
            .unwrap_or(Flushed::COMPLETE.with_panic())
    }

    /// Returns the number of reported spans that the tracer has lost so far.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::new(InMemoryTracer::new());
    /// println!("lost spans: {}, panics in callbacks: {}", tracing.dropped(), tracing.caught_panics());
    /// for (format, requests) in tracing.refusals() {
    ///     println!("{requests} requests had malformed headers of {format}");
    /// }
    /// for (format, headers) in tracing.omissions() {
    ///     println!("{headers} headers of {format} exceeded the budget");
    /// }
    /// ```
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.policy()
            .guard(|| self.policy().tracer.dropped())
            .unwrap_or(0)
    }

    /// Returns each format's name, and the number of requests whose headers broke its grammar.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.policy().propagation.refusals()
    }

    /// Returns each format's name, and the number of headers, baggage items and tracestate members that it did not
    /// write because they exceeded the [budget](crate::propagation::Propagation::max_bytes).
    pub fn omissions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.policy().propagation.omissions()
    }

    /// Returns the number of calls so far that changed a span of this policy after its end: tags, logs, errors, names, routes,
    /// references and baggage. The tracer does not get them. Children and injections are not counted, and neither are changes of spans
    /// that are not recorded.
    ///
    /// The first one is [reported](HttpTracingBuilder::on_diagnostic) as [`LateChange`](crate::report::LateChange), which has an
    /// example.
    #[must_use]
    pub fn late_changes(&self) -> u64 {
        self.policy().late_changes.count()
    }

    /// Returns the number of panics that were caught so far: of callbacks, hooks, samplers, propagators, clocks, id
    /// sources and the tracer.
    #[must_use]
    pub fn caught_panics(&self) -> u64 {
        self.policy().panics.count() + self.policy().diagnostics.panics()
    }

    fn of(policy: Policy) -> Self {
        policy.guard(|| policy.tracer.attach(&policy.diagnostics.handle()));
        if !policy.is_disabled {
            note_policy();
        }
        Self {
            owner: Arc::new(Owner {
                policy: Arc::new(policy),
            }),
        }
    }

    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.owner.policy
    }
}
