//! The variables of all Jaeger clients, and OpenTelemetry's where those are unset.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use opentracing_http::env::{Resource, Variables};
use opentracing_http::sampler::{Always, Never, ParentBased, Probability, RateLimit, Sampler};
use opentracing_http::{ConfigError, Tag};

use crate::agent::{Host, parse_port};
use crate::builder::JaegerTracerBuilder;

/// Applies every variable that is set to the builder.
pub(crate) fn apply(
    builder: &mut JaegerTracerBuilder,
    variables: Variables<'_>,
) -> Result<(), ConfigError> {
    open_telemetry(builder, variables)?;
    if let Some(name) = variables.get("JAEGER_SERVICE_NAME") {
        builder.service_name = name;
    }
    if let Some(host) = variables.get("JAEGER_AGENT_HOST") {
        builder.agent.host =
            Host::parse(&host).map_err(|remedy| ConfigError::new("JAEGER_AGENT_HOST", remedy))?;
    }
    if let Some(port) = variables.get("JAEGER_AGENT_PORT") {
        builder.agent.port =
            parse_port(&port).map_err(|remedy| ConfigError::new("JAEGER_AGENT_PORT", remedy))?;
    }
    if let Some(tags) = variables.get("JAEGER_TAGS") {
        builder.tags.extend(parse_tags(&tags, variables)?);
        builder.tags_option = "JAEGER_TAGS";
    }
    if let Some(spans) = variables.integer("JAEGER_REPORTER_MAX_QUEUE_SIZE", 1)? {
        builder.reporter = mem::take(&mut builder.reporter).queue_spans(spans);
    }
    if let Some(interval) = variables.get("JAEGER_REPORTER_FLUSH_INTERVAL") {
        let interval = parse_interval(&interval)?;
        builder.reporter = mem::take(&mut builder.reporter).batch_interval(interval);
    }
    if let Some(sampler) = parse_sampler(
        variables.get("JAEGER_SAMPLER_TYPE").as_deref(),
        variables.get("JAEGER_SAMPLER_PARAM").as_deref(),
    )? {
        builder.sampler = Some(sampler);
    }
    if let Some(disabled) = variables.get("JAEGER_DISABLED") {
        builder.disabled = parse_truth(&disabled)?;
    }
    if variables.get("JAEGER_ENDPOINT").is_some() {
        return Err(ConfigError::new(
            "JAEGER_ENDPOINT",
            "spans are sent to an agent's UDP port only; unset it and set JAEGER_AGENT_HOST and JAEGER_AGENT_PORT",
        ));
    }
    Ok(())
}

/// Applies the variables of OpenTelemetry.
fn open_telemetry(
    builder: &mut JaegerTracerBuilder,
    variables: Variables<'_>,
) -> Result<(), ConfigError> {
    let resource = Resource::read(&variables)?;
    if let Some(name) = resource.service_name() {
        builder.service_name = name.to_owned();
    }
    for (key, value) in resource.attributes() {
        builder
            .tags
            .push(Tag::new(key.to_owned(), value.to_owned()));
        builder.tags_option = "OTEL_RESOURCE_ATTRIBUTES";
    }
    if let Some(disabled) = variables.truth("OTEL_SDK_DISABLED")? {
        builder.disabled = disabled;
    }
    let reporter = mem::take(&mut builder.reporter);
    builder.reporter = reporter.env_with(|name| variables.get(name));
    Ok(())
}

/// Parses `key=value,key=${VARIABLE:default}`.
fn parse_tags(text: &str, variables: Variables<'_>) -> Result<Vec<Tag>, ConfigError> {
    let mut tags = Vec::new();
    for pair in text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
    {
        let (key, value) = match pair.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => (key.trim(), value.trim()),
            _ => {
                return Err(ConfigError::new(
                    "JAEGER_TAGS",
                    format!(
                        "`{pair}` is not a tag; write `key=value` or `key=${{VARIABLE:default}}`, with commas between"
                    ),
                ));
            }
        };
        let variable = value
            .strip_prefix("${")
            .and_then(|value| value.strip_suffix('}'));
        let value = match variable {
            Some(variable) => {
                let (name, default) = variable.split_once(':').unwrap_or((variable, ""));
                variables.get(name).unwrap_or_else(|| default.to_owned())
            }
            None => value.to_owned(),
        };
        tags.push(Tag::new(key.to_owned(), value));
    }
    Ok(tags)
}

/// Parses milliseconds, also with a unit as in Jaeger's Go client.
fn parse_interval(text: &str) -> Result<Duration, ConfigError> {
    let (number, scale) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1000),
        (None, None) => (text, 1),
    };
    let milliseconds = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(scale));
    match milliseconds {
        Some(milliseconds) if milliseconds > 0 => Ok(Duration::from_millis(milliseconds)),
        _ => Err(ConfigError::new(
            "JAEGER_REPORTER_FLUSH_INTERVAL",
            format!(
                "`{text}` is not an interval; give milliseconds as a whole number above 0, such as `1000`"
            ),
        )),
    }
}

fn parse_truth(text: &str) -> Result<bool, ConfigError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ConfigError::new(
            "JAEGER_DISABLED",
            format!("`{text}` is neither `true` nor `false`"),
        )),
    }
}

/// Returns the sampler for spans without a caller's decision.
fn parse_sampler(
    kind: Option<&str>,
    param: Option<&str>,
) -> Result<Option<Arc<dyn Sampler>>, ConfigError> {
    let Some(kind) = kind else {
        return match param {
            None => Ok(None),
            Some(_) => Err(ConfigError::new(
                "JAEGER_SAMPLER_PARAM",
                "nothing says what it is the parameter of; set JAEGER_SAMPLER_TYPE to `const`, `probabilistic` or \
                 `ratelimiting`",
            )),
        };
    };
    let wrong = |remedy: &str| {
        let found = param.unwrap_or("");
        ConfigError::new(
            "JAEGER_SAMPLER_PARAM",
            format!("`{found}` does not fit `{kind}`; {remedy}"),
        )
    };
    let number = param.and_then(|param| param.parse::<f64>().ok());
    Ok(Some(match kind {
        "const" => match (param, number) {
            (None, _) => Arc::new(ParentBased::new(Always)),
            (_, Some(1.0)) => Arc::new(ParentBased::new(Always)),
            (_, Some(0.0)) => Arc::new(ParentBased::new(Never)),
            _ => return Err(wrong("give 1 to keep every trace, 0 to keep none")),
        },
        "probabilistic" => match number.and_then(|share| Probability::new(share).ok()) {
            Some(sampler) => Arc::new(ParentBased::new(sampler)),
            None => return Err(wrong("give the share of traces to record, from 0 to 1")),
        },
        "ratelimiting" => match number.and_then(|rate| RateLimit::per_second(rate).ok()) {
            Some(sampler) => Arc::new(ParentBased::new(sampler)),
            None => return Err(wrong("give the number of traces per second, such as 10")),
        },
        "remote" => {
            return Err(ConfigError::new(
                "JAEGER_SAMPLER_TYPE",
                "`remote` is not supported: strategies are not fetched; set `const`, `probabilistic` or `ratelimiting`",
            ));
        }
        _ => {
            return Err(ConfigError::new(
                "JAEGER_SAMPLER_TYPE",
                format!(
                    "`{kind}` is not a sampler; set `const`, `probabilistic` or `ratelimiting`"
                ),
            ));
        }
    }))
}
