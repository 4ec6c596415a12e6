//! Options of a policy for what a request's facts mean: which methods are known, which statuses are failures, and what the error
//! log shows of a panic.

use std::sync::Arc;

use crate::http::{KnownMethods, Route};
use crate::http_tracing::HttpTracingBuilder;

impl HttpTracingBuilder {
    /// Sets the rule that decides which responses are failures. It gets the method (`_OTHER` for an unknown one), the route and the
    /// status. By default statuses of 500 and above are failures.
    ///
    /// The tags `error` and `error.type`, the error log, [`FinishedSpan::is_error`](crate::FinishedSpan::is_error) and
    /// [`RequestEnd::is_failure`](crate::RequestEnd::is_failure) follow the rule. A request without a status, and one that panicked,
    /// was cancelled, or whose body failed or was abandoned, is always a failure. So is a gRPC call with the status of one.
    ///
    /// It is called once when a request ends that has a status, and that is recorded or has a finish callback, on the thread where
    /// it ends. If it panics, the default applies, and the panic is [counted](crate::HttpTracing::caught_panics). The last call of
    /// this method or of [`failure_statuses`](Self::failure_statuses) decides.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Route};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .failure_when(|method, route, status| match (method, route) {
    ///         ("PUT", Route::Template("/locks/{id}")) => status == 409 || status >= 500,
    ///         _ => status >= 500 && status != 503,
    ///     })
    ///     .build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn failure_when(
        mut self,
        fails: impl Fn(&str, Route<'_>, u16) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.policy.callbacks.failure = Some(Arc::new(fails));
        self
    }

    /// Sets which statuses are failures, as a configuration file has them: a status (`404`), or a range (`500-599`). They replace
    /// the default; an empty list means that no status is a failure. See [`failure_when`](Self::failure_when).
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) returns an error for a text that is neither, a status that is not from 100 to 999, and a range whose
    /// end is before its start.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .failure_statuses(["429", "500-599"])
    ///     .build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn failure_statuses<'a>(mut self, statuses: impl IntoIterator<Item = &'a str>) -> Self {
        let mut ranges = Vec::new();
        for text in statuses {
            match range(text) {
                Some(range) => ranges.push(range),
                None => self.wrong(
                    "failure_statuses",
                    &format_args!(
                        "{text:?} is no status; write one from 100 to 999, or a range such as `500-599`"
                    ),
                ),
            }
        }
        self.failure_when(move |_, _, status| {
            let mut ranges = ranges.iter();
            ranges.any(|(first, last)| (*first..=*last).contains(&status))
        })
    }

    /// Records the messages of panics: the error log of a request that panicked gets the message of its first panic, cut to
    /// [`Limits::value_bytes`](crate::Limits::value_bytes). Off by default, because a message can contain data of users.
    ///
    /// The panic goes on as without this option: with the same payload, and the panic hook of the application is called once. A
    /// payload that is neither `&str` nor `String` has no message. Nothing is recorded where an adapter does not run the code that
    /// panics in the [scope](crate::server::RequestSpan::scope) of its request: in warp's filter form, and in routes of rocket that are
    /// not mounted through `traced`.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new()).record_panic_messages().build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn record_panic_messages(mut self) -> Self {
        self.policy.http.records_panic_messages = true;
        self
    }

    /// Sets the methods that are known, in their letter case. Names and tags show every other method as `HTTP` and `_OTHER`, so that
    /// callers cannot create new ones. By default these are the methods of RFC 9110, `PATCH` and `QUERY`.
    ///
    /// The list replaces the default, as OpenTelemetry requires ("HTTP spans", `http.request.method`). With an empty list no method
    /// is known. The variable `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` sets it, too; see [`env`](Self::env).
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) returns an error if one of these is not a token (RFC 9110, section 9.1).
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new())
    ///     .known_methods(["GET", "HEAD", "PROPFIND", "REPORT"])
    ///     .build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn known_methods<'a>(mut self, methods: impl IntoIterator<Item = &'a str>) -> Self {
        match KnownMethods::of(methods) {
            Ok(known) => self.policy.http.known_methods = known,
            Err(error) => self.wrong("known_methods", &error),
        }
        self
    }
}

/// Parses a status, or two of them with a hyphen between them.
fn range(text: &str) -> Option<(u16, u16)> {
    let status = |text: &str| {
        let text = text.trim();
        let is_status = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|status| is_status && *status >= 100)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (status(first)?, status(last)?);
    (first <= last).then_some((first, last))
}
