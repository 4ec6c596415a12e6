//! The variables of OpenTelemetry's specification ("OTLP exporter configuration", "SDK environment variables").

use std::mem;

use opentracing_http::env::{Resource, Variables};
use opentracing_http::{ConfigError, Tag};

use crate::builder::{Compression, OtlpTracerBuilder, Protocol};
use crate::endpoint::Destination;

/// The two names of a variable; the second overrides the first.
struct Names(&'static str, &'static str);

macro_rules! names {
    ($end:literal) => {
        Names(
            concat!("OTEL_EXPORTER_OTLP_", $end),
            concat!("OTEL_EXPORTER_OTLP_TRACES_", $end),
        )
    };
}

impl Names {
    /// Returns the name of the variable that is set and counts.
    fn set(&self, variables: Variables<'_>) -> &'static str {
        match variables.get(self.1) {
            Some(_) => self.1,
            None => self.0,
        }
    }

    /// Returns the value that counts, with the name of its variable.
    fn get(&self, variables: Variables<'_>) -> Option<(&'static str, String)> {
        let name = self.set(variables);
        variables.get(name).map(|value| (name, value))
    }
}

/// Applies every variable that is set to the builder.
pub(crate) fn apply(
    builder: &mut OtlpTracerBuilder,
    variables: Variables<'_>,
) -> Result<(), ConfigError> {
    let resource = Resource::read(&variables)?;
    if let Some(name) = resource.service_name() {
        builder.service_name = name.to_owned();
    }
    let attributes = resource.attributes();
    let tags = attributes.map(|(key, value)| Tag::new(key.to_owned(), value.to_owned()));
    builder.tags.extend(tags);
    collector(builder, variables)?;
    tls(builder, variables)?;
    if let Some(disabled) = variables.truth("OTEL_SDK_DISABLED")? {
        builder.disabled = disabled;
    }
    let reporter = mem::take(&mut builder.reporter);
    builder.reporter = reporter.env_with(|name| variables.get(name));
    Ok(())
}

fn collector(builder: &mut OtlpTracerBuilder, variables: Variables<'_>) -> Result<(), ConfigError> {
    let names = names!("ENDPOINT");
    if let Some((option, url)) = names.get(variables) {
        builder.destination = Some(Destination {
            url,
            option: option.into(),
            is_base: option == names.0,
        });
    }
    if let Some(insecure) = variables.truth(names!("INSECURE").set(variables))? {
        builder.is_insecure = insecure;
    }
    if let Some((option, protocol)) = names!("PROTOCOL").get(variables) {
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
    if let Some((option, compression)) = names!("COMPRESSION").get(variables) {
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
    if let Some(timeout) = variables.milliseconds(names!("TIMEOUT").set(variables), 1)? {
        builder.timeout = timeout;
    }
    let headers = names!("HEADERS").set(variables);
    for (name, value) in variables.pairs(headers)? {
        builder.add_header(headers, &name, &value)?;
    }
    Ok(())
}

fn tls(builder: &mut OtlpTracerBuilder, variables: Variables<'_>) -> Result<(), ConfigError> {
    let file = |names: Names| match names.get(variables) {
        Some((option, path)) => match std::fs::read(&path) {
            Ok(pem) => Ok(Some((pem, option))),
            Err(error) => Err(ConfigError::new(
                option,
                format!("`{path}` cannot be read ({error}); give the path of a file in PEM"),
            )
            .with_source(error)),
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
