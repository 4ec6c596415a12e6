//! The tracing policy of a service, configured by its environment.

use std::env;
use std::error::Error;
use std::process;
use std::time::Duration;

use example_custom_tracer::PrintTracer;
use opentracing_http::propagation::{B3, Jaeger, Propagation, W3c};
use opentracing_http::{HttpTracing, NoopTracer, Tracer};
use opentracing_jaeger::JaegerTracer;
use opentracing_otlp::OtlpTracer;

/// Creates the policy of all examples: with the tracer and the formats of the environment; everything is traced but
/// `GET /health`.
///
/// The process ends with status 2 if a variable is wrong.
#[must_use]
pub fn tracing(service: &str) -> HttpTracing {
    let named = variable("OTEL_SERVICE_NAME").or_else(|| variable("JAEGER_SERVICE_NAME"));
    policy(named.unwrap_or_else(|| service.to_owned()))
        .unwrap_or_else(|error| fail(&error.to_string()))
}

/// Delivers the last spans, and logs how many were lost. Call it when the server has stopped.
pub fn flush(tracing: &HttpTracing) {
    let flushed = tracing.flush(Duration::from_secs(5));
    if !flushed.is_complete() {
        log::warn!("the last spans: {flushed}");
    }
    let dropped = tracing.dropped();
    if dropped > 0 {
        log::warn!("spans lost since the start: {dropped}");
    }
}

/// Returns the levels of log lines: those of `RUST_LOG`; by default what the service itself logs, and lost spans.
///
/// Each service installs its logger itself, before everything else. Lines go to the standard error output, because the
/// standard output is for the service's address and the spans of the custom tracer.
#[must_use]
pub fn levels(service: &str) -> String {
    let service = service.replace('-', "_");
    let default = || format!("opentracing_http=warn,example_shared=info,{service}=info");
    variable("RUST_LOG").unwrap_or_else(default)
}

fn policy(service: String) -> Result<HttpTracing, Box<dyn Error>> {
    let policy = HttpTracing::builder(tracer(service)?)
        .propagation(propagation()?)
        .skip("GET /health")
        .env()
        .build()?;
    Ok(policy)
}

fn tracer(service: String) -> Result<Box<dyn Tracer>, Box<dyn Error>> {
    // A short interval, so that spans are visible at once.
    let interval = Duration::from_millis(100);
    match variable("OTEL_TRACES_EXPORTER")
        .as_deref()
        .unwrap_or("otlp")
    {
        "otlp" => {
            let otlp = OtlpTracer::builder(service).batch_interval(interval);
            Ok(Box::new(otlp.env().build()?))
        }
        "jaeger" => {
            let jaeger = JaegerTracer::builder(service).batch_interval(interval);
            Ok(Box::new(jaeger.env().build()?))
        }
        "console" => Ok(Box::new(PrintTracer::new(service))),
        "none" => Ok(Box::new(NoopTracer)),
        other => Err(format!(
            "OTEL_TRACES_EXPORTER is {other:?}; there are otlp, jaeger, console and none"
        )
        .into()),
    }
}

/// Every format is read; these are written.
fn propagation() -> Result<Propagation, Box<dyn Error>> {
    let read = Propagation::none()
        .read(W3c)
        .read(Jaeger)
        .read(B3::single());
    match variable("FORMAT").as_deref().unwrap_or("default") {
        "default" => Ok(Propagation::default()),
        "w3c" => Ok(read.write(W3c)),
        "jaeger" => Ok(read.write(Jaeger)),
        "b3" => Ok(read.write(B3::single())),
        "b3multi" => Ok(read.write(B3::multi())),
        other => Err(format!(
            "FORMAT is {other:?}; there are default, w3c, jaeger, b3 and b3multi"
        )
        .into()),
    }
}

/// Returns a variable of the environment; `None` if it is empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Ends the process because of a wrong configuration.
pub(crate) fn fail(error: &str) -> ! {
    eprintln!("error: {error}");
    process::exit(2)
}
