//! The options of a policy.

use std::error::Error;
use std::fmt;
use std::mem;
use std::sync::Arc;

use crate::config_error::ConfigError;
use crate::context::IdSource;
use crate::delivery::{Diagnostic, Hook};
use crate::http::{
    Attribute, Forwarded, Pattern, QueryRedaction, RequestView, Route, SemanticConvention, SpanEnd,
    TraceIdHeader, Trust,
};
use crate::http_tracing::HttpTracing;
use crate::propagation::Propagation;
use crate::sampler::{Rules, Sampler, TextSampler, read_rules};
use crate::span::{Clock, Policy, RequestEnd, ScopeHook, Span};
use crate::tag::Limits;
use crate::tracer::NoopTracer;

/// The builder of an [`HttpTracing`]; see there for an example.
///
/// Wrong options are reported by [`build`](Self::build), so that calls can be chained. This policy uses many of them:
///
/// ```
/// use opentracing_http::propagation::{B3, Propagation, W3c};
/// use opentracing_http::{
///     Attribute, Forwarded, HttpTracing, InMemoryTracer, Limits, QueryRedaction, Route, SemanticConvention,
///     SpanEnd, TraceIdHeader, Trust,
/// };
///
/// let tracing = HttpTracing::builder(InMemoryTracer::new())
///     .attributes([Attribute::URL, Attribute::USER_AGENT])
///     .convention(SemanticConvention::OpenTelemetry)
///     .name_with(|method, route| match route {
///         Route::Template(template) => Some(format!("{method} of {template}")),
///         _ => None, // the default name
///     })
///     .skip("GET /health")
///     .skip_when(|request| request.header("x-probe").is_some())
///     .on_start(|span, request| {
///         span.set_tag("is_secure", request.scheme() == Some("https"));
///     })
///     .on_finish(|end| println!("{} {:?} {:?}", end.method, end.route, end.outcome))
///     .ends(SpanEnd::Head)
///     .trust(Trust::when(|request| request.header("x-internal").is_some()))
///     .trust_debug(Trust::nobody())
///     .forwarded(Forwarded::hops(1))
///     .query_redaction(QueryRedaction::Keys(vec!["token".into()]))
///     .return_trace_id(TraceIdHeader::ServerTiming)
///     .propagation(Propagation::none().read(W3c).read(B3::multi()).write(W3c))
///     .limits(Limits::default())
///     .build()?;
/// # drop(tracing);
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[must_use = "a policy is made by `build`"]
pub struct HttpTracingBuilder {
    pub(super) policy: Policy,
    /// Rules that are asked before the policy's sampler.
    pub(super) rules: Rules,
    /// The first error.
    pub(super) error: Option<ConfigError>,
}

impl HttpTracingBuilder {
    /// Sets attributes of requests and responses that become tags of every request's span. None by default.
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.policy.http.attributes.extend(attributes);
        self
    }

    /// Adds attributes by their names, as a configuration file has them. [`build`](Self::build) returns an error for an
    /// unknown name.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .attribute_names(["url", "header:x-request-id"])
    ///     .build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn attribute_names<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            match name.parse() {
                Ok(attribute) => self.policy.http.attributes.push(attribute),
                Err(error) => self.unreadable("attribute_names", error),
            }
        }
        self
    }

    /// Sets the convention that tags are named after. [`SemanticConvention::OpenTracing`] by default.
    pub fn convention(mut self, convention: SemanticConvention) -> Self {
        self.policy.http.convention = convention;
        self
    }

    /// Sets the function that names requests' spans. It gets the method (`_OTHER` for an unknown one) and the route. It
    /// is called when a recorded request ends that neither a mount point nor a handler has named, once, on the thread
    /// where it ends.
    ///
    /// If it returns `None` or panics, the name is the default: method and route template, with `HTTP` instead of an
    /// unknown method; for a gRPC call its method, `package.Service/Method`. Keep the number of different names small.
    pub fn name_with(
        mut self,
        name: impl Fn(&str, Route<'_>) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.policy.callbacks.naming = Some(Arc::new(name));
        self
    }

    /// Does not trace requests that match this [`Pattern`], such as `"GET /health"`. The caller's context is propagated
    /// unchanged. [`build`](Self::build) returns an error for a malformed pattern.
    pub fn skip(mut self, pattern: &str) -> Self {
        match pattern.parse::<Pattern>() {
            Ok(pattern) => self.policy.http.skip.push(pattern),
            Err(error) => self.unreadable("skip", error),
        }
        self
    }

    /// Does not trace requests for which this function returns `true`. It is called on the request's thread; a panic in
    /// it counts as `false`.
    pub fn skip_when(
        mut self,
        skip: impl Fn(&dyn RequestView) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.policy.callbacks.skip_when.push(Arc::new(skip));
        self
    }

    /// Sets the sampler that decides which spans are recorded, before the tracer is asked. None by default. See
    /// [`sampler`](crate::sampler) for an example.
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.policy.sampler = Some(Arc::new(sampler));
        self
    }

    /// Sets the sampler from its text form, such as `parent:probability:0.1`; see [`TextSampler`].
    /// [`build`](Self::build) returns an error for a malformed text.
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

    /// Adds sampling rules in text form, such as `GET /checkout/* = always`; see [`Rules`]. [`build`](Self::build)
    /// returns an error for a malformed rule.
    ///
    /// The first rule that matches a request decides. Rules are asked before the policy's sampler, no matter whether
    /// that is set before, later or by [`env`](Self::env). A rule for all other requests (`* = never`) sets that
    /// sampler.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let file = "
    ///     /health = never
    ///     GET /checkout/* = always   # keep every order
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

    /// Sets a function that is called when the recorded span of a request has started, on the request's thread
    /// (`start_span_cb` of Flask-OpenTracing). A panic in it is caught and [counted](HttpTracing::caught_panics).
    pub fn on_start(
        mut self,
        callback: impl Fn(&Span, &dyn RequestView) + Send + Sync + 'static,
    ) -> Self {
        self.policy.callbacks.on_start.push(Arc::new(callback));
        self
    }

    /// Sets a function that is called when a request ends, just before its span does; use it for metrics. It is called
    /// also for requests that are skipped or not recorded. A panic in it is caught and
    /// [counted](HttpTracing::caught_panics).
    ///
    /// A request that is not recorded ends with its response head if the size of the body is known by then. That size
    /// then counts as sent, and the duration is the time to the head.
    pub fn on_finish(mut self, callback: impl Fn(&RequestEnd<'_>) + Send + Sync + 'static) -> Self {
        self.policy.callbacks.on_finish.push(Arc::new(callback));
        self
    }

    /// Sets a function that is called with reports for the operator, such as [lost spans](Diagnostic::SpansLost) or
    /// [a missing route](Diagnostic::RouteUnknown). By default they are written to the `log` crate, as warnings of the target `opentracing_http`.
    ///
    /// It is called on the thread where the trouble occurs, which may be a request's or the tracer's own, without a
    /// lock, and seldom. A panic in it is caught and [counted](HttpTracing::caught_panics). It may end spans and write
    /// logs: reports that it causes itself are not passed to it again. It must not own a clone of the policy, because
    /// the policy would then never end.
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

    /// Sets when requests' spans end. The default, [`SpanEnd::Auto`], is the last byte of the response body, but the response
    /// head for event streams that respond to `GET`.
    pub fn ends(mut self, end: SpanEnd) -> Self {
        self.policy.http.ends = end;
        self
    }

    /// Sets which callers' trace headers are trusted. All by default.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.policy.http.trust = trust;
        self
    }

    /// Sets which callers may request a debug trace (`jaeger-debug-id`, Jaeger's debug flag, B3's `d`), which overrides
    /// every sampler. None by default.
    pub fn trust_debug(mut self, trust: Trust) -> Self {
        self.policy.http.trust_debug = Some(trust);
        self
    }

    /// Sets which proxies are trusted to report a request's origin: the client's address, and the scheme, host and port
    /// that it used. None by default. [`build`](Self::build) returns an error for 0 hops.
    pub fn forwarded(mut self, forwarded: Forwarded) -> Self {
        if let Some(fault) = forwarded.fault() {
            self.wrong("forwarded", &fault);
        }
        self.policy.http.forwarded = forwarded;
        self
    }

    /// Sets the scheme of this service's URLs, `https` or `http` in any letter case, for requests whose scheme is
    /// otherwise unknown. `http` by default.
    ///
    /// Use it for a service that ends TLS itself where the framework does not report that, as axum, warp and tower do
    /// not over HTTP/1, or behind a proxy that ends TLS and reports no scheme. It is not used if a
    /// [trusted proxy](Self::forwarded) reports the scheme, or if the request has one: in a target in absolute form, in
    /// `:scheme` of HTTP/2, or because the framework knows that the connection has TLS (actix-web, rocket).
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) returns an error for any other scheme.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new()).scheme("https").build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn scheme(mut self, scheme: &str) -> Self {
        let mut known = ["https", "http"].into_iter();
        match known.find(|known| known.eq_ignore_ascii_case(scheme)) {
            Some(known) => self.policy.http.scheme = Some(known),
            None => self.wrong(
                "scheme",
                &format_args!("{scheme:?} is not a scheme of HTTP; give `https` or `http`"),
            ),
        }
        self
    }

    /// Sets which query values are redacted in tags, in the request's URL and in URLs of headers. All by default.
    pub fn query_redaction(mut self, redaction: QueryRedaction) -> Self {
        self.policy.http.query_redaction = redaction;
        self
    }

    /// Redacts the values of these request and response headers, in addition to the headers that carry credentials by
    /// their names; see [`Attribute`].
    ///
    /// Names are compared without regard to case. [`Attribute::unredacted`] shows a value anyway.
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

    /// Sets the response header that carries the trace id. None by default.
    pub fn return_trace_id(mut self, header: TraceIdHeader) -> Self {
        self.policy.http.return_trace_id = Some(header);
        self
    }

    /// Sets the formats that are read and written. [`build`](Self::build) returns an error if the
    /// [budget](Propagation::max_bytes) is too small for their ids.
    pub fn propagation(mut self, propagation: Propagation) -> Self {
        // Formats may be the application's code.
        if let Some(fault) = self.policy.guard(|| propagation.fault()).flatten() {
            self.wrong("propagation", &fault);
        }
        self.policy.propagation = propagation;
        self
    }

    /// Sets how much one span stores. [`build`](Self::build) returns an error for a limit of 0 tags or 0 bytes per
    /// value.
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

    /// Sets how many recorded spans' memory is kept for later spans, besides what threads keep; 2,048 by default. With
    /// 0 no memory of this policy is kept.
    ///
    /// The memory of a span is free when nothing holds the span any more: no handle, no tracer, no queue. Each thread
    /// keeps the memory of at most 64 recorded spans and of 64 that are not recorded. The rest goes to a pool that all
    /// policies of the process share, and is freed if the pool already has the number of this option. The memory of a
    /// recorded span is about 1.2 KiB with the text of an ordinary request, and at most 6 KiB: up to 2 KiB of text and
    /// room for 32 tags are kept. A span that is not recorded takes about 180 bytes.
    ///
    /// When the last clone of the policy is dropped, the memory of its spans is freed on all threads. While a
    /// [background reporter](crate::report::Reporter) runs, it also frees memory that was not used for ten seconds, on
    /// all threads.
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

    /// Sets the clock that times are read from. The operating system's clocks by default.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use opentracing_http::{Clock, HttpTracing, InMemoryTracer};
    ///
    /// /// Stands still, so that a test knows every time.
    /// #[derive(Debug)]
    /// struct Still;
    ///
    /// impl Clock for Still {
    ///     fn wall(&self) -> SystemTime {
    ///         SystemTime::UNIX_EPOCH
    ///     }
    ///
    ///     fn monotonic(&self) -> Duration {
    ///         Duration::ZERO
    ///     }
    /// }
    ///
    /// let tracer = InMemoryTracer::new();
    /// let tracing = HttpTracing::builder(tracer.clone()).clock(Still).build()?;
    /// tracing.span("work").start().finish();
    /// assert_eq!(tracer.finished()[0].duration(), Duration::ZERO);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.policy.clock = Some(Arc::new(clock));
        self
    }

    /// Sets the source of trace and span ids. [`RandomIds`](crate::RandomIds) by default; see [`IdSource`] for an example.
    pub fn ids(mut self, ids: impl IdSource + 'static) -> Self {
        self.policy.ids = Some(Arc::new(ids));
        self
    }

    /// Sets a hook that makes each scope visible to another context system. None by default.
    ///
    /// ```
    /// use opentracing_http::scope::ScopeHook;
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Span};
    ///
    /// /// Prints when a span becomes current, and when it stops being current.
    /// struct Print;
    ///
    /// impl ScopeHook for Print {
    ///     fn enter(&self, span: &Span) {
    ///         println!("enter {:?}", span.context());
    ///     }
    ///
    ///     fn exit(&self, span: &Span) {
    ///         println!("exit {:?}", span.context());
    ///     }
    /// }
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new()).scope_hook(Print).build()?;
    /// tracing.span("work").start().in_scope(|| println!("at work"));
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn scope_hook(mut self, hook: impl ScopeHook + 'static) -> Self {
        self.policy.hooks.push(Arc::new(hook));
        self
    }

    /// Creates the policy.
    ///
    /// # Errors
    ///
    /// Returns an error for the first wrong option. It names the option and the remedy.
    pub fn build(mut self) -> Result<HttpTracing, ConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.policy.is_disabled {
            // The tracer is dropped here, and with it what it holds, such as a thread.
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

    /// Stores the error of an option whose text could not be read.
    pub(super) fn unreadable(
        &mut self,
        option: &'static str,
        error: impl Error + Send + Sync + 'static,
    ) {
        self.error
            .get_or_insert_with(|| ConfigError::new(option, error.to_string()).with_source(error));
    }

    pub(super) fn wrong(&mut self, option: &'static str, error: &dyn fmt::Display) {
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
