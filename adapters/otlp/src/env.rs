//! The variables of OpenTelemetry's specification, as far as they are the tracer's.

use std::time::Duration;

use opentracing_http::{ConfigError, Tag};

use crate::builder::{Compression, OtlpTracerBuilder, Protocol};
use crate::endpoint::Destination;

/// Where variables come from: the process' own, or a test's.
type Source<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The two names of a variable, of which the second wins.
struct Names(&'static str, &'static str);

macro_rules! names {
    ($end:literal) => {
        Names(
            concat!("OTEL_EXPORTER_OTLP_", $end),
            concat!("OTEL_EXPORTER_OTLP_TRACES_", $end),
        )
    };
}

/// Applies every variable that is set to the builder.
pub(crate) fn apply(
    builder: &mut OtlpTracerBuilder,
    source: Source<'_>,
) -> Result<(), ConfigError> {
    resource(builder, source)?;
    collector(builder, source)?;
    tls(builder, source)?;
    const QUEUE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";
    if let Some(size) = get(source, QUEUE) {
        builder.queue_spans = Some(parse_spans(QUEUE, &size)?);
    }
    const BATCH: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
    if let Some(size) = get(source, BATCH) {
        let size = parse_spans(BATCH, &size)?;
        if let Some(queue) = builder.queue_spans.filter(|queue| *queue < size) {
            let remedy = format!(
                "a batch of {size} never fills in a queue of {queue}; lower it, or raise {QUEUE}"
            );
            return Err(ConfigError::new(BATCH, remedy));
        }
        builder.batch_spans = Some(size);
    }
    const DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";
    if let Some(delay) = get(source, DELAY) {
        builder.batch_interval = Some(parse_time(DELAY, &delay)?);
    }
    const DISABLED: &str = "OTEL_SDK_DISABLED";
    if let Some(disabled) = get(source, DISABLED) {
        builder.disabled = parse_truth(DISABLED, &disabled)?;
    }
    Ok(())
}

fn resource(builder: &mut OtlpTracerBuilder, source: Source<'_>) -> Result<(), ConfigError> {
    const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
    if let Some(attributes) = get(source, ATTRIBUTES) {
        for (key, value) in parse_pairs(ATTRIBUTES, &attributes)? {
            match &*key {
                "service.name" => builder.service_name = value,
                _ => builder.tags.push(Tag::new(key, value)),
            }
        }
    }
    if let Some(name) = get(source, "OTEL_SERVICE_NAME") {
        builder.service_name = name;
    }
    Ok(())
}

fn collector(builder: &mut OtlpTracerBuilder, source: Source<'_>) -> Result<(), ConfigError> {
    let names = names!("ENDPOINT");
    if let Some((option, url)) = either(source, &names) {
        builder.destination = Some(Destination {
            url,
            option: option.into(),
            is_base: option == names.0,
        });
    }
    if let Some((option, insecure)) = either(source, &names!("INSECURE")) {
        builder.is_insecure = parse_truth(option, &insecure)?;
    }
    if let Some((option, protocol)) = either(source, &names!("PROTOCOL")) {
        let protocol = match &*protocol {
            "http/protobuf" => Protocol::HttpProtobuf,
            "grpc" => Protocol::Grpc,
            other => {
                let remedy = format!("`{other}` is not supported; set `http/protobuf` or `grpc`");
                return Err(ConfigError::new(option, remedy));
            }
        };
        builder.protocol = (protocol, option.into());
    }
    if let Some((option, compression)) = either(source, &names!("COMPRESSION")) {
        let compression = match &*compression {
            "gzip" => Compression::Gzip,
            "none" => Compression::None,
            other => {
                let remedy = format!("`{other}` is not supported; set `gzip` or `none`");
                return Err(ConfigError::new(option, remedy));
            }
        };
        builder.compression = (compression, option.into());
    }
    if let Some((option, timeout)) = either(source, &names!("TIMEOUT")) {
        builder.timeout = parse_time(option, &timeout)?;
    }
    if let Some((option, headers)) = either(source, &names!("HEADERS")) {
        for (name, value) in parse_pairs(option, &headers)? {
            builder.add_header(option, &name, &value)?;
        }
    }
    Ok(())
}

fn tls(builder: &mut OtlpTracerBuilder, source: Source<'_>) -> Result<(), ConfigError> {
    let file = |names: Names| match either(source, &names) {
        Some((option, path)) => match std::fs::read(&path) {
            Ok(pem) => Ok(Some((pem, option))),
            Err(error) => Err(ConfigError::new(
                option,
                format!("`{path}` cannot be read ({error}); give the path of a file in PEM"),
            )),
        },
        None => Ok(None),
    };
    let tls = &mut builder.tls;
    tls.certificate = file(names!("CERTIFICATE"))?.or(tls.certificate.take());
    let certificate = file(names!("CLIENT_CERTIFICATE"))?;
    tls.client_certificate = certificate.or(tls.client_certificate.take());
    tls.client_key = file(names!("CLIENT_KEY"))?.or(tls.client_key.take());
    Ok(())
}

/// A variable's value; one that is empty or blank is as good as unset.
fn get(source: Source<'_>, name: &str) -> Option<String> {
    let value = source(name)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The one of two variables that counts, with its name.
fn either(source: Source<'_>, names: &Names) -> Option<(&'static str, String)> {
    let found = |name| get(source, name).map(|value| (name, value));
    found(names.1).or_else(|| found(names.0))
}

/// `key=value,key=value`, percent-encoded (OpenTelemetry specification, "Resource SDK" and "OTLP exporter").
fn parse_pairs(option: &'static str, text: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let pairs = text.split(',').map(str::trim);
    let pairs = pairs.filter(|pair| !pair.is_empty());
    let pairs = pairs.enumerate().map(|(number, pair)| {
        // Not shown: it may be a secret.
        let wrong = |cause: &str| {
            let remedy = format!(
                "entry {} {cause}; write `name=value`, with commas between and `%2C` for a comma in a value",
                number + 1
            );
            ConfigError::new(option, remedy)
        };
        let (key, value) = pair.split_once('=').ok_or_else(|| wrong("has no `=`"))?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(wrong("has no name"));
        }
        let decode = |text| decode(text).ok_or_else(|| wrong("is not percent-encoded UTF-8"));
        Ok((decode(key)?, decode(value)?))
    });
    pairs.collect()
}

/// Undoes percent-encoding; `None` for what is none, or no UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let [high, low] = digits else { return None };
        bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

fn parse_spans(option: &'static str, text: &str) -> Result<usize, ConfigError> {
    text.parse().ok().filter(|&size| size > 0).ok_or_else(|| {
        ConfigError::new(
            option,
            format!("`{text}` is no number of spans; give a whole number above 0"),
        )
    })
}

fn parse_time(option: &'static str, text: &str) -> Result<Duration, ConfigError> {
    let milliseconds = text.parse().ok().filter(|&milliseconds| milliseconds > 0);
    milliseconds.map(Duration::from_millis).ok_or_else(|| {
        ConfigError::new(
            option,
            format!(
                "`{text}` is no time; give milliseconds as a whole number above 0, such as `10000`"
            ),
        )
    })
}

fn parse_truth(option: &'static str, text: &str) -> Result<bool, ConfigError> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(ConfigError::new(
            option,
            format!("`{text}` is neither `true` nor `false`"),
        )),
    }
}
