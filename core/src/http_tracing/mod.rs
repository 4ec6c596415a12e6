//! The policy object that an application builds once and gives to any adapter.

mod env;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::config_error::ConfigError;
use crate::context::{IdSource, SpanContext};
use crate::delivery::{Diagnostic, Flushed, Hook};
use crate::http::{
    Attribute, Forwarded, Pattern, QueryRedaction, RequestView, Route, SemanticConvention, SpanEnd,
    TraceIdHeader, Trust,
};
use crate::propagation::{Carrier, Extraction, HeaderView, IncomingHeaders, Outgoing, Propagation};
use crate::sampler::{Rules, Sampler, TextSampler, read_rules};
use crate::span::{Clock, Policy, RequestEnd, ScopeHook, Span, SpanBuilder, Tracer, pool};
use crate::tag::Limits;
use crate::tracer::NoopTracer;

/// The tracing policy of an application: built once, given to the adapter of any framework, cheap to clone.
///
/// [`new`](Self::new) has the defaults; [`builder`](Self::builder) changes them. The tracer is the one argument of both:
/// swapping it is a change of one line.
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
/// When the last clone is dropped, the tracer is [flushed](Tracer::end) for at most five seconds, on that thread. After a
/// [`flush`](Self::flush) that timed out the [background reporter](crate::report) does not wait again, unless something was
/// delivered or reported since.
#[derive(Debug, Clone)]
pub struct HttpTracing {
    owner: Arc<Owner>,
}

/// What the clones of an [`HttpTracing`] share, and no span does.
///
/// Spans own the policy and with it the tracer, also those that wait in a tracer's queue: waiting for the tracer's own end
/// would be waiting for ever.
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
    /// The default policy for this tracer: reads W3C, Jaeger and B3 headers of everyone, writes W3C and Jaeger, follows
    /// the caller's sampling decision and samples everything else, names spans after method and route, tags them after
    /// OpenTracing's conventions, ends them with the body.
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        Self::of(Policy::new(Arc::new(tracer)))
    }

    /// Starts from the defaults and changes some.
    pub fn builder(tracer: impl Tracer + 'static) -> HttpTracingBuilder {
        HttpTracingBuilder {
            policy: Policy::new(Arc::new(tracer)),
            rules: Rules::new(),
            error: None,
        }
    }

    /// Prepares a span outside of any request: a job, a message, a start-up. It becomes a child of the current span, if
    /// there is one.
    pub fn span(&self, name: impl Into<Cow<'static, str>>) -> SpanBuilder {
        SpanBuilder::new(self.policy().clone(), name.into())
    }

    /// Reads the context and baggage of an incoming message of any kind, such as one from a queue.
    ///
    /// The policy's trust of callers is about HTTP requests and is not applied here.
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

    /// Writes a context and its baggage into an outgoing message of any kind, in the place of everything that stands there
    /// under the headers of the policy's formats. A span in hand is [injected](Span::inject) directly.
    pub fn inject(&self, context: &SpanContext, carrier: &mut dyn Carrier) {
        self.policy().guard(|| {
            self.policy()
                .propagation
                .inject(&Outgoing::new(context), carrier)
        });
    }

    /// Delivers what has been reported so far, within `timeout`; returns whether that was enough, and how many of these spans
    /// were lost. To be called after a server's graceful shutdown.
    ///
    /// Blocks the calling thread for at most that time. Give it all the time that there is: after one that timed out,
    /// [dropping](Self) the policy does not wait for a backend that has taken nothing since.
    #[allow(
        clippy::must_use_candidate,
        reason = "a process that is about to exit can do nothing with the result"
    )]
    pub fn flush(&self, timeout: Duration) -> Flushed {
        self.policy()
            .call_tracer(|tracer| tracer.flush(timeout))
            .unwrap_or(Flushed::COMPLETE.with_panic())
    }

    /// How many reported spans the tracer lost so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.policy()
            .guard(|| self.policy().tracer.dropped())
            .unwrap_or(0)
    }

    /// How many requests each format refused because their headers broke its grammar.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.policy().propagation.refusals()
    }

    /// Returns how many headers, baggage items and members of tracestates each format left out of what it wrote, because
    /// they went over the [budget](Propagation::max_bytes).
    pub fn omissions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.policy().propagation.omissions()
    }

    /// How many panics of callbacks, hooks, samplers, propagators, clocks, id sources and of the tracer were caught so far.
    #[must_use]
    pub fn caught_panics(&self) -> u64 {
        self.policy().panics.count() + self.policy().diagnostics.panics()
    }

    fn of(policy: Policy) -> Self {
        policy.guard(|| policy.tracer.attach(&policy.diagnostics.handle()));
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

/// Changes the defaults of an [`HttpTracing`]; see there for an example.
#[must_use = "a policy is made by `build`"]
pub struct HttpTracingBuilder {
    policy: Policy,
    /// What is asked before the policy's sampler.
    rules: Rules,
    /// The first thing that is wrong.
    error: Option<ConfigError>,
}

impl HttpTracingBuilder {
    /// Tags these attributes on every request.
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.policy.http.attributes.extend(attributes);
        self
    }

    /// Tags the attributes of these names, as they come from a configuration file. An unknown name is an error.
    pub fn attribute_names<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            match name.parse() {
                Ok(attribute) => self.policy.http.attributes.push(attribute),
                Err(error) => self.unreadable("attribute_names", error),
            }
        }
        self
    }

    /// Chooses the names of the tags; [`SemanticConvention::OpenTracing`] by default.
    pub fn convention(mut self, convention: SemanticConvention) -> Self {
        self.policy.http.convention = convention;
        self
    }

    /// Sets the rule that names requests' spans. It is called once for each recorded request that no mount point or handler
    /// has named, when the request ends, on the thread where it ends. It gets the method (`_OTHER` for an unknown one) and
    /// the route as it is known then.
    ///
    /// Where it returns `None` or panics, the name is the method and the route's template, with `HTTP` instead of an unknown
    /// method. Keep the number of different names bounded.
    pub fn name_with(
        mut self,
        name: impl Fn(&str, Route<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.policy.callbacks.naming = Some(Arc::new(name));
        self
    }

    /// Leaves requests untraced that match this [`Pattern`], such as `"GET /health"`: what their callers sent is passed on
    /// unchanged. A pattern that cannot be read is an error.
    pub fn skip(mut self, pattern: &str) -> Self {
        match pattern.parse::<Pattern>() {
            Ok(pattern) => self.policy.http.skip.push(pattern),
            Err(error) => self.unreadable("skip", error),
        }
        self
    }

    /// Leaves requests untraced for which this answers `true`. A panic in it counts as `false`.
    pub fn skip_when(
        mut self,
        skip: impl Fn(&dyn RequestView) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.policy.callbacks.skip_when.push(Arc::new(skip));
        self
    }

    /// Decides which spans are recorded, before the tracer is asked; see [`sampler`](crate::sampler).
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.policy.sampler = Some(Arc::new(sampler));
        self
    }

    /// Sets the same sampler as it comes from a configuration file, such as `parent:probability:0.1`; see [`TextSampler`]. A
    /// text that cannot be read is an error.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new()).sampler_text("parent:rate:100").build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn sampler_text(mut self, sampler: &str) -> Self {
        match sampler.parse::<TextSampler>() {
            Ok(sampler) => self.policy.sampler = Some(Arc::new(sampler)),
            Err(error) => self.unreadable("sampler_text", error),
        }
        self
    }

    /// Adds rules as they come from a configuration file, such as `GET /checkout/* = always`; the text form of
    /// [`Rules`] shows how they are written. A rule that cannot be read is an error.
    ///
    /// The first rule that matches a request decides. They are asked before the policy's sampler, whether that is set
    /// before, later or by [`env`](Self::env); a rule for the rest (`* = never`) sets that sampler.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let file = "
    ///     /health = never
    ///     GET /checkout/* = always   # where the money is made
    /// ";
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .sampling_rules(file.lines())
    ///     .sampler_text("parent:probability:0.1")
    ///     .build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn sampling_rules<'a>(mut self, rules: impl IntoIterator<Item = &'a str>) -> Self {
        match read_rules(rules) {
            Ok((rules, rest)) => {
                self.rules.append(rules);
                if let Some(sampler) = rest {
                    self.policy.sampler = Some(Arc::new(sampler));
                }
            }
            Err(error) => self.unreadable("sampling_rules", error),
        }
        self
    }

    /// Is called when a request's recorded span has started, on the request's thread (Flask-OpenTracing's
    /// `start_span_cb`). A panic in it is caught and [counted](HttpTracing::caught_panics).
    pub fn on_start(
        mut self,
        callback: impl Fn(&Span, &dyn RequestView) + Send + Sync + 'static,
    ) -> Self {
        self.policy.callbacks.on_start.push(Arc::new(callback));
        self
    }

    /// Is called when a request ends, just before its span does, also for one that is not recorded or skipped: metrics come
    /// from here. A panic in it is caught and [counted](HttpTracing::caught_panics).
    ///
    /// The end of a request that is not recorded is its response head, if the size of its body is known by then: that size
    /// counts as sent, and the duration is the time to the head.
    pub fn on_finish(mut self, callback: impl Fn(&RequestEnd<'_>) + Send + Sync + 'static) -> Self {
        self.policy.callbacks.on_finish.push(Arc::new(callback));
        self
    }

    /// Is called with what an operator should know, such as that spans are [lost](Diagnostic::SpansLost). By default it is
    /// written to the `log` crate, as a warning of the target `opentracing_http`.
    ///
    /// Called on the thread where it happens, which may be a request's or the tracer's own, under no lock and seldom. A
    /// panic in it is caught and [counted](HttpTracing::caught_panics). It may end spans and write logs: what it causes
    /// itself is not told to it again. It must not own a clone of the policy, which would then never end.
    ///
    /// ```
    /// use opentracing_http::{Diagnostic, HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .on_diagnostic(|diagnostic| match diagnostic {
    ///         Diagnostic::SpansLost(lost) => eprintln!("tracing has lost {} spans", lost.drops.total()),
    ///         other => eprintln!("tracing: {other}"),
    ///     })
    ///     .build()?;
    /// # let _ = tracing;
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn on_diagnostic(mut self, callback: impl Fn(&Diagnostic) + Send + Sync + 'static) -> Self {
        self.policy.diagnostics = Hook::new(callback);
        self
    }

    /// Says when requests' spans end; [`SpanEnd::Body`] by default.
    pub fn ends(mut self, end: SpanEnd) -> Self {
        self.policy.http.ends = end;
        self
    }

    /// Says whose trace headers count; everyone's by default.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.policy.http.trust = trust;
        self
    }

    /// Says whose debug requests count (`jaeger-debug-id`, Jaeger's debug flag, B3's `d`), which override every sampler;
    /// nobody's by default.
    pub fn trust_debug(mut self, trust: Trust) -> Self {
        self.policy.http.trust_debug = Some(trust);
        self
    }

    /// Says whose word counts for the client's address; nobody's by default.
    pub fn forwarded(mut self, forwarded: Forwarded) -> Self {
        if forwarded == Forwarded::hops(0) {
            self.wrong(
                "forwarded",
                &"no hop is no proxy; use `Forwarded::nobody()` or count the proxies",
            );
        }
        self.policy.http.forwarded = forwarded;
        self
    }

    /// Sets which values of queries are kept out of tags, in the request's URL and in URLs that headers carry; all by default.
    pub fn query_redaction(mut self, redaction: QueryRedaction) -> Self {
        self.policy.http.query_redaction = redaction;
        self
    }

    /// Redacts the values of these headers as well, of requests and of responses.
    ///
    /// Beside them stand the headers whose names are those of credentials, as [`Attribute`] describes. Names are compared
    /// without regard to case. [`Attribute::unredacted`] shows a value all the same.
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) returns an error if one of these is not a header's name.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .attribute_names(["header:x-ticket", "header:x-request-id"])
    ///     .redact_headers(["x-ticket"])
    ///     .build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn redact_headers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            match name.parse() {
                Ok(name) => self.policy.http.redacted_headers.push(name),
                Err(_) => self.wrong(
                    "redact_headers",
                    &format_args!(
                        "{name:?} is not a header's name; write the name alone, as in `x-ticket`"
                    ),
                ),
            }
        }
        self
    }

    /// Sets the response header that carries the trace id; none by default.
    pub fn return_trace_id(mut self, header: TraceIdHeader) -> Self {
        self.policy.http.return_trace_id = Some(header);
        self
    }

    /// Chooses the formats that are read and written. A [budget](Propagation::max_bytes) without room for their ids is an
    /// error.
    pub fn propagation(mut self, propagation: Propagation) -> Self {
        // Formats may be the user's code.
        if let Some(fault) = self.policy.guard(|| propagation.fault()).flatten() {
            self.wrong("propagation", &fault);
        }
        self.policy.propagation = propagation;
        self
    }

    /// Bounds what one span holds.
    pub fn limits(mut self, limits: Limits) -> Self {
        for (name, limit) in [("tags", limits.tags), ("value_bytes", limits.value_bytes)] {
            if limit == 0 {
                self.wrong(
                    "limits",
                    &format_args!(
                        "`{name}` is 0, which keeps nothing; leave the default or raise it"
                    ),
                );
            }
        }
        self.policy.limits = limits;
        self
    }

    /// Sets how many recorded spans' memory may wait to be used again by later spans; 2,048 by default. With 0 nothing of this
    /// policy is kept.
    ///
    /// Memory of a span is used again when nothing holds the span any more: no handle, no tracer, no queue. Each thread keeps
    /// the memory of at most 64 recorded spans and of 64 that are not. What is beyond that goes to a stock that the policies of
    /// a process share, and is freed if there is as much in it already as this option says. A recorded span's memory is about
    /// 1.2 KiB with the text of an ordinary request; at most 2 KiB of text and the room for 32 tags are kept, which makes it
    /// 6 KiB. One that is not recorded takes about 180 bytes.
    ///
    /// When the last clone of the policy is dropped, its spans' memory is freed on all threads. As long as a
    /// [background reporter](crate::report::Reporter) runs, it also frees, every ten seconds or less often, what was not used since
    /// the last time, on all threads.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new()).pooled_spans(256).build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn pooled_spans(mut self, spans: usize) -> Self {
        self.policy.pooled_spans = spans;
        self
    }

    /// Takes times from this clock.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.policy.clock = Some(Arc::new(clock));
        self
    }

    /// Takes ids from this source.
    pub fn ids(mut self, ids: impl IdSource + 'static) -> Self {
        self.policy.ids = Some(Arc::new(ids));
        self
    }

    /// Shows every scope to another context system.
    pub fn scope_hook(mut self, hook: impl ScopeHook + 'static) -> Self {
        self.policy.hooks.push(Arc::new(hook));
        self
    }

    /// Makes the policy.
    ///
    /// # Errors
    ///
    /// The first option that was given something wrong, with the remedy.
    pub fn build(mut self) -> Result<HttpTracing, ConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.policy.is_disabled {
            // What the tracer holds is let go of, such as its thread.
            let tracer = mem::replace(&mut self.policy.tracer, Arc::new(NoopTracer));
            self.policy.guard(|| drop(tracer));
        }
        if !self.rules.is_empty() {
            let rules = match self.policy.sampler.take() {
                Some(sampler) => self.rules.otherwise(sampler),
                None => self.rules,
            };
            self.policy.sampler = Some(Arc::new(rules));
        }
        self.policy.wanted_headers = self.policy.http.wanted_headers();
        let mut attributes = self.policy.http.attributes.iter();
        self.policy.http.has_response_headers = attributes.any(Attribute::is_of_response);
        Ok(HttpTracing::of(self.policy))
    }

    /// Notes that an option's text could not be read.
    fn unreadable(&mut self, option: &'static str, error: impl Error + Send + Sync + 'static) {
        self.error
            .get_or_insert_with(|| ConfigError::new(option, error.to_string()).with_source(error));
    }

    fn wrong(&mut self, option: &'static str, error: &dyn fmt::Display) {
        self.error
            .get_or_insert_with(|| ConfigError::new(option, error.to_string()));
    }
}

impl fmt::Debug for HttpTracingBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTracingBuilder")
            .field("http", &self.policy.http)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
