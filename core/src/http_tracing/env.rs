//! Options of a policy from environment variables.

use std::sync::Arc;

use crate::config_error::ConfigError;
use crate::env::{self, Variables};
use crate::http::KnownMethods;
use crate::http_tracing::HttpTracingBuilder;
use crate::propagation;
use crate::sampler::{Always, Never, ParentBased, Probability, Sampler};
use crate::tag::Limits;

const KNOWN_METHODS: &str = "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS";

const SAMPLERS: &str =
    "`always_on`, `always_off`, `traceidratio`, and each of them after `parentbased_`";

impl HttpTracingBuilder {
    /// Applies these variables of the process' environment. Unset and empty variables change nothing:
    ///
    /// | variable | option | values |
    /// |---|---|---|
    /// | `OTEL_TRACES_SAMPLER` | [`sampler`](Self::sampler) | `always_on`, `always_off`, `traceidratio`, `parentbased_always_on`, `parentbased_always_off`, `parentbased_traceidratio` |
    /// | `OTEL_TRACES_SAMPLER_ARG` | the share of `traceidratio` | 0 to 1; 1 by default. Read with that sampler only |
    /// | `OTEL_PROPAGATORS` | the formats of [`propagation`](Self::propagation), read and written | `tracecontext`, `baggage`, `b3`, `b3multi`, `jaeger`, separated by commas; `none` |
    /// | `OTEL_SDK_DISABLED` | whether anything is recorded | `true`: nothing is recorded, callers' contexts are propagated unchanged |
    /// | `OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS` | [`known_methods`](Self::known_methods) | methods in their letter case, separated by commas; they replace the default |
    /// | `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, else `OTEL_ATTRIBUTE_COUNT_LIMIT` | [`Limits::tags`] | 1 or more |
    /// | `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, else `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` | [`Limits::value_bytes`] | 1 or more, in bytes |
    /// | `OTEL_SPAN_EVENT_COUNT_LIMIT` | [`Limits::logs`] | 0 or more |
    /// | `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`, else `OTEL_ATTRIBUTE_COUNT_LIMIT` | [`Limits::log_fields`] | 0 or more |
    /// | `OTEL_SPAN_LINK_COUNT_LIMIT` | [`Limits::references`] | 0 or more |
    ///
    /// They override options that were set before, and later calls override them. There are two exceptions:
    /// [`sampling_rules`](Self::sampling_rules) are asked before any sampler, and no later call enables what
    /// `OTEL_SDK_DISABLED` has disabled. An unset variable leaves the option as it is, even if OpenTelemetry has
    /// another default.
    ///
    /// Names and formats are read in any letter case. Differences from [OpenTelemetry's
    /// specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/), and choices
    /// that it leaves open:
    ///
    /// - If a request carries ids in several formats, the last format in `OTEL_PROPAGATORS` wins, as in OpenTelemetry's
    ///   SDKs. The [budget](crate::propagation::Propagation::max_bytes) of headers stays as it was set.
    /// - A length limit counts bytes here and characters there: a text that is not ASCII is cut earlier, and never has
    ///   more characters than the limit. It also applies to names, routes and paths.
    /// - The samplers `jaeger_remote`, `parentbased_jaeger_remote` and `xray` and the formats `xray` and `ottrace` are
    ///   errors.
    ///
    /// A tracer has its own `env` for the address, the transport and the service's name.
    ///
    /// # Errors
    ///
    /// [`build`](Self::build) returns an error that names the variable if a value cannot be used, even if a later call
    /// sets the same option.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let tracing = HttpTracing::builder(InMemoryTracer::new()).sampler_text("parent:rate:100").env().build()?;
    /// # drop(tracing);
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn env(self) -> Self {
        self.env_with(env::var)
    }

    /// Applies the same variables from another source than the process' environment, such as a table in a test.
    ///
    /// ```
    /// use opentracing_http::{HttpTracing, InMemoryTracer};
    ///
    /// let error = HttpTracing::builder(InMemoryTracer::new())
    ///     .env_with(|name| (name == "OTEL_PROPAGATORS").then(|| "w3c".to_owned()))
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "option `OTEL_PROPAGATORS`: `w3c` is not a format; there are `tracecontext`, `baggage`, `b3`, `b3multi`, `jaeger` and `none`",
    /// );
    /// ```
    pub fn env_with(mut self, source: impl Fn(&str) -> Option<String>) -> Self {
        if let Err(error) = self.apply(Variables::new(&source)) {
            self.error.get_or_insert(error);
        }
        self
    }

    fn apply(&mut self, variables: Variables<'_>) -> Result<(), ConfigError> {
        if let Some(disabled) = variables.truth("OTEL_SDK_DISABLED")? {
            self.policy.is_disabled = disabled;
        }
        if let Some(sampler) = sampler(variables)? {
            self.policy.sampler = Some(sampler);
        }
        if let Some(names) = variables.get("OTEL_PROPAGATORS") {
            let wrong = |remedy| ConfigError::new("OTEL_PROPAGATORS", remedy);
            let propagation = propagation::parse_names(&names).map_err(wrong)?;
            let propagation = propagation.within_budget_of(&self.policy.propagation);
            if let Some(fault) = propagation.fault() {
                return Err(wrong(fault));
            }
            self.policy.propagation = propagation;
        }
        if let Some(list) = variables.get(KNOWN_METHODS) {
            let known = KnownMethods::parse(&list);
            let known = known.map_err(|remedy| ConfigError::new(KNOWN_METHODS, remedy))?;
            self.policy.http.known_methods = known;
        }
        limits(&mut self.policy.limits, variables)
    }
}

fn sampler(variables: Variables<'_>) -> Result<Option<Arc<dyn Sampler>>, ConfigError> {
    let Some(name) = variables.get("OTEL_TRACES_SAMPLER") else {
        return Ok(None);
    };
    let lower = name.to_ascii_lowercase();
    let (root, follows_caller) = match lower.strip_prefix("parentbased_") {
        Some(root) => (root, true),
        None => (&*lower, false),
    };
    Ok(Some(match root {
        "always_on" => boxed(Always, follows_caller),
        "always_off" => boxed(Never, follows_caller),
        "traceidratio" => boxed(share(variables)?, follows_caller),
        "jaeger_remote" | "xray" => {
            return Err(ConfigError::new(
                "OTEL_TRACES_SAMPLER",
                format!("`{name}` is not supported: no strategies are fetched; set {SAMPLERS}"),
            ));
        }
        _ => {
            return Err(ConfigError::new(
                "OTEL_TRACES_SAMPLER",
                format!("`{name}` is not a sampler; set {SAMPLERS}"),
            ));
        }
    }))
}

fn boxed(sampler: impl Sampler + 'static, follows_caller: bool) -> Arc<dyn Sampler> {
    match follows_caller {
        true => Arc::new(ParentBased::new(sampler)),
        false => Arc::new(sampler),
    }
}

fn share(variables: Variables<'_>) -> Result<Probability, ConfigError> {
    let Some(share) = variables.get("OTEL_TRACES_SAMPLER_ARG") else {
        return Probability::new(1.0);
    };
    let sampler = share.parse().ok().map(Probability::new);
    sampler.and_then(Result::ok).ok_or_else(|| {
        ConfigError::new(
            "OTEL_TRACES_SAMPLER_ARG",
            format!("`{share}` is not a share of traces; give a number from 0 to 1, such as 0.1"),
        )
    })
}

fn limits(limits: &mut Limits, variables: Variables<'_>) -> Result<(), ConfigError> {
    let general = variables.integer("OTEL_ATTRIBUTE_COUNT_LIMIT", 1)?;
    let length = variables.integer("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 1)?;
    for (limit, name, least, fallback) in [
        (
            &mut limits.tags,
            "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
            1,
            general,
        ),
        (
            &mut limits.value_bytes,
            "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
            1,
            length,
        ),
        (&mut limits.logs, "OTEL_SPAN_EVENT_COUNT_LIMIT", 0, None),
        (
            &mut limits.log_fields,
            "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
            0,
            general,
        ),
        (
            &mut limits.references,
            "OTEL_SPAN_LINK_COUNT_LIMIT",
            0,
            None,
        ),
    ] {
        if let Some(number) = variables.integer(name, least)?.or(fallback) {
            *limit = number;
        }
    }
    Ok(())
}
