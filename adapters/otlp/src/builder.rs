//! The options of the tracer.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::env::{Variables, var};
use opentracing_http::report::{ExportError, Reporter, ReporterBuilder};
use opentracing_http::sampler::Sampler;
use opentracing_http::{ConfigError, Tag};

use crate::endpoint::{Destination, Endpoint};
use crate::env;
use crate::exporter::OtlpExporter;
use crate::model::Envelope;
use crate::resource;
use crate::tls::TlsFiles;
use crate::tracer::OtlpTracer;
use crate::transport::{self, Settings};

/// The default of OpenTelemetry's specification ("OTLP exporter configuration").
const TIMEOUT: Duration = Duration::from_secs(10);

/// A collector's gRPC receiver accepts 4 MiB by default.
const REQUEST_BYTES: usize = 4_000_000;

/// Ordinary spans need at least this much.
const LEAST_REQUEST_BYTES: usize = 16_384;

/// Half a minute altogether, enough for a collector's restart: pauses start with a quarter of a second and double.
const RETRIES: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The transport of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP over HTTP, encoded as protobuf. Requires the feature `http`.
    #[default]
    HttpProtobuf,
    /// OTLP over gRPC. Requires the feature `grpc`.
    Grpc,
}

/// The compression of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// No compression. The default.
    #[default]
    None,
    /// Compression by gzip. Requires the feature `gzip`.
    Gzip,
}

/// The builder of an [`OtlpTracer`].
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_otlp::OtlpTracer;
///
/// let tracer = OtlpTracer::builder("checkout")
///     .endpoint("http://collector.observability:4318")
///     .timeout(Duration::from_secs(5))
///     .retries(3)
///     .backoff(Duration::from_millis(100), Duration::from_secs(10))
///     .header("x-tenant", "blue")
///     .tag(("deployment.environment.name", "production"))
///     .queue_bytes(16 * 1024 * 1024)
///     .batch_spans(256)
///     .queue_spans(10_000)
///     .request_bytes(1_000_000)
///     .sampler(opentracing_http::sampler::Always)
///     .on_error(|error| eprintln!("tracing: {error}"))
///     .batch_interval(Duration::from_millis(500))
///     .build()?;
/// # let _ = tracer;
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[must_use = "a tracer is made by `build`"]
pub struct OtlpTracerBuilder {
    pub(crate) service_name: String,
    pub(crate) destination: Option<Destination>,
    pub(crate) is_insecure: bool,
    pub(crate) protocol: (Protocol, Cow<'static, str>),
    pub(crate) compression: (Compression, Cow<'static, str>),
    pub(crate) headers: HeaderMap,
    pub(crate) timeout: Duration,
    pub(crate) tls: TlsFiles,
    pub(crate) tags: Vec<Tag>,
    pub(crate) disabled: bool,
    pub(crate) reporter: ReporterBuilder,
    /// The name of the option for the service's name, for errors.
    name_option: &'static str,
    request_bytes: usize,
    /// The first error.
    error: Option<ConfigError>,
}

impl OtlpTracerBuilder {
    pub(crate) fn new(service_name: String) -> Self {
        Self {
            service_name,
            destination: None,
            is_insecure: false,
            protocol: (Protocol::default(), "protocol".into()),
            compression: (Compression::default(), "compression".into()),
            headers: HeaderMap::new(),
            timeout: TIMEOUT,
            tls: TlsFiles::default(),
            tags: Vec::new(),
            disabled: false,
            reporter: Reporter::builder()
                .thread_name("otlp-reporter")
                .retries(RETRIES)
                .backoff(FIRST_PAUSE, LONGEST_PAUSE),
            name_option: "service_name",
            request_bytes: REQUEST_BYTES,
            error: None,
        }
    }

    /// Sets the collector's base address, as `OTEL_EXPORTER_OTLP_ENDPOINT` does. `http://localhost:4318` by default, or
    /// `http://localhost:4317` for gRPC.
    ///
    /// For HTTP `/v1/traces` is added to its path. For gRPC it has no path, and an address without a scheme means
    /// https. The default port is 80 for `http` and 443 for `https`.
    ///
    /// The host's name is looked up on the reporting thread, for each new connection: the collector may start, stop and
    /// move while the service runs.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.destination = Some(Destination {
            url: url.into(),
            option: "endpoint".into(),
            is_base: true,
        });
        self
    }

    /// Sets the complete address for traces, as `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` does: nothing is added to it. It
    /// replaces [`endpoint`](Self::endpoint).
    ///
    /// ```
    /// use opentracing_otlp::{Compression, OtlpTracer, Protocol};
    ///
    /// let tracer = OtlpTracer::builder("checkout")
    ///     .protocol(Protocol::HttpProtobuf)
    ///     .compression(Compression::None)
    ///     .traces_endpoint("http://gateway.example/tenants/blue/v1/traces")
    ///     .build()?;
    /// # let _ = tracer;
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn traces_endpoint(mut self, url: impl Into<String>) -> Self {
        self.destination = Some(Destination {
            url: url.into(),
            option: "traces_endpoint".into(),
            is_base: false,
        });
        self
    }

    /// Sets the transport. [`Protocol::HttpProtobuf`] by default, whatever features are enabled.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = (protocol, "protocol".into());
        self
    }

    /// Adds a header that is sent with each request, such as an API key or a tenant. It replaces a header with the same
    /// name.
    ///
    /// Its value is never logged and never part of an error.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        if let Err(error) = self.add_header("header", name.as_ref(), value.as_ref()) {
            self.wrong(error);
        }
        self
    }

    pub(crate) fn add_header(
        &mut self,
        option: &'static str,
        name: &str,
        value: &str,
    ) -> Result<(), ConfigError> {
        let wrong = |remedy| ConfigError::new(option, remedy);
        let parsed: HeaderName = name
            .parse()
            .map_err(|_| wrong(format!("`{name}` is not a header's name; correct it")))?;
        if transport::OWN_HEADERS.contains(&parsed.as_str()) {
            let remedy = format!("the header `{name}` is set by the protocol; leave it out");
            return Err(wrong(remedy));
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            wrong(format!(
                "the value of `{name}` has a character that no header can have; correct it"
            ))
        })?;
        value.set_sensitive(true);
        self.headers.insert(parsed, value);
        Ok(())
    }

    /// Sets the certificates, in PEM, of the authorities that sign the collector's certificate. By default those of the
    /// operating system are used, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    ///
    /// For `https`, which requires the feature `tls`.
    ///
    /// ```no_run
    /// use opentracing_otlp::OtlpTracer;
    ///
    /// let tracer = OtlpTracer::builder("checkout")
    ///     .endpoint("https://collector.example:4318")
    ///     .certificate(std::fs::read("authority.pem")?)
    ///     .client_certificate(std::fs::read("service.pem")?, std::fs::read("service.key")?)
    ///     .build()?;
    /// # let _ = tracer;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.certificate = Some((pem.into(), "certificate"));
        self
    }

    /// Sets this service's certificate and private key, both in PEM, with which it authenticates to the collector. None
    /// by default.
    ///
    /// For `https`, which requires the feature `tls`. See [`certificate`](Self::certificate) for an example.
    pub fn client_certificate(
        mut self,
        certificate_pem: impl Into<Vec<u8>>,
        key_pem: impl Into<Vec<u8>>,
    ) -> Self {
        const OPTION: &str = "client_certificate";
        self.tls.client_certificate = Some((certificate_pem.into(), OPTION));
        self.tls.client_key = Some((key_pem.into(), OPTION));
        self
    }

    /// Sets the compression of requests. [`Compression::None`] by default.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = (compression, "compression".into());
        self
    }

    /// Sets how long one request may take, from the name look-up to the end of the response. 10 s by default. A request
    /// that takes longer is retried.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Adds an attribute of the resource, which is sent with each request. It replaces an attribute with the same name;
    /// `service.name`, `host.name` and `telemetry.sdk.*` are set by default.
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets which spans are recorded if the [policy](opentracing_http::HttpTracing) has no sampler that decides; see
    /// [`sampler`](opentracing_http::sampler). By default it follows the caller's decision and records all other spans.
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.reporter = self.reporter.sampler(sampler);
        self
    }

    /// Sets how many spans wait at most; further spans are dropped. 2,048 by default.
    pub fn queue_spans(mut self, spans: usize) -> Self {
        self.reporter = self.reporter.queue_spans(spans);
        self
    }

    /// Sets how many bytes of memory the waiting spans hold at most, approximately; further spans are dropped. 8 MiB by
    /// default.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.reporter = self.reporter.queue_bytes(bytes);
        self
    }

    /// Sets how many spans are sent together at most; they are sent as soon as this many wait. 512 by default, or the
    /// queue's limit if that is less.
    pub fn batch_spans(mut self, spans: usize) -> Self {
        self.reporter = self.reporter.batch_spans(spans);
        self
    }

    /// Sets how long a span waits at most for other spans of the same request. 1 s by default.
    pub fn batch_interval(mut self, interval: Duration) -> Self {
        self.reporter = self.reporter.batch_interval(interval);
        self
    }

    /// Sets the maximum size of a request in bytes, before compression. 4,000,000 by default, because a collector's
    /// gRPC receiver accepts 4 MiB by default.
    ///
    /// A batch is sent in as many requests as necessary. A span that exceeds the limit alone is dropped and counted as
    /// rejected.
    pub fn request_bytes(mut self, bytes: usize) -> Self {
        self.request_bytes = bytes;
        self
    }

    /// Sets how often a batch is retried that the collector did not accept or that did not arrive; then it is dropped.
    /// Other spans wait in the queue meanwhile. 7 by default, which is about half a minute.
    pub fn retries(mut self, retries: u32) -> Self {
        self.reporter = self.reporter.retries(retries);
        self
    }

    /// Sets the pause before the first retry, and the longest pause. Pauses double; each is shortened by up to a half
    /// at random. 250 ms and 30 s by default. A pause that the collector requests (`Retry-After`, `RetryInfo`) is used
    /// instead, up to the longest one.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.reporter = self.reporter.backoff(first, longest);
        self
    }

    /// Sets a function that is called with each failure to send, on the reporting thread.
    pub fn on_error(mut self, callback: impl Fn(&ExportError) + Send + 'static) -> Self {
        self.reporter = self.reporter.on_error(callback);
        self
    }

    /// Applies these variables of the process' environment, over what was set before. Unset and empty variables change
    /// nothing:
    ///
    /// | variable | option |
    /// |---|---|
    /// | `OTEL_SERVICE_NAME` | the service's name |
    /// | `OTEL_RESOURCE_ATTRIBUTES` | attributes of the resource: `key=value,key=value`, values percent-encoded; `service.name` if `OTEL_SERVICE_NAME` is unset |
    /// | `OTEL_EXPORTER_OTLP_ENDPOINT` | the base address; over HTTP `/v1/traces` is added |
    /// | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | the whole address |
    /// | `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf` or `grpc` |
    /// | `OTEL_EXPORTER_OTLP_HEADERS` | headers: `name=value,name=value`, values percent-encoded |
    /// | `OTEL_EXPORTER_OTLP_COMPRESSION` | `gzip` or `none` |
    /// | `OTEL_EXPORTER_OTLP_TIMEOUT` | maximum time of a request, in milliseconds |
    /// | `OTEL_EXPORTER_OTLP_INSECURE` | `true`: an address for gRPC without a scheme means http |
    /// | `OTEL_EXPORTER_OTLP_CERTIFICATE` | a file with the certificates of the collector's authority, in PEM |
    /// | `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CLIENT_KEY` | files with this service's certificate and key, in PEM |
    /// | `OTEL_BSP_*` | queue, batches and times; see [`ReporterBuilder::env`] |
    /// | `OTEL_SDK_DISABLED` | `true`: nothing is recorded, callers' contexts are propagated unchanged |
    ///
    /// Each `OTEL_EXPORTER_OTLP_…` also has a form `OTEL_EXPORTER_OTLP_TRACES_…`, which overrides it. The protocol
    /// `http/json` is an error. Variables of the policy (`OTEL_TRACES_SAMPLER`, `OTEL_PROPAGATORS`, limits) are read by
    /// [its own `env`](opentracing_http::HttpTracingBuilder::env).
    ///
    /// The files are read by this call.
    ///
    /// See [`env_with`](Self::env_with) for an example.
    pub fn env(self) -> Self {
        self.env_with(var)
    }

    /// Applies the same variables from another source than the process' environment, such as a table in a test.
    ///
    /// ```
    /// use opentracing_otlp::OtlpTracer;
    ///
    /// let error = OtlpTracer::builder("checkout")
    ///     .env_with(|name| (name == "OTEL_EXPORTER_OTLP_TIMEOUT").then(|| "10s".to_owned()))
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "option `OTEL_EXPORTER_OTLP_TIMEOUT`: `10s` is not a time; give milliseconds as a whole number above 0, such as `5000`",
    /// );
    /// ```
    pub fn env_with(mut self, source: impl Fn(&str) -> Option<String>) -> Self {
        if self.service_name.is_empty() {
            self.name_option = "OTEL_SERVICE_NAME";
        }
        if let Err(error) = env::apply(&mut self, Variables::new(&source)) {
            self.wrong(error);
        }
        self
    }

    /// Creates the tracer and starts its thread. Nothing is sent and no name is looked up yet.
    ///
    /// # Errors
    ///
    /// Returns an error for the first wrong option, or if the thread cannot be started. It names the option and the
    /// remedy. An address that cannot be parsed is wrong, and so is one that needs a protocol, TLS or compression whose
    /// feature is not enabled.
    pub fn build(self) -> Result<OtlpTracer, ConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.disabled {
            return Ok(OtlpTracer {
                reporter: Reporter::disabled(),
            });
        }
        if self.service_name.trim().is_empty() {
            return Err(ConfigError::new(
                self.name_option,
                "the service has no name; give it one",
            ));
        }
        if self.timeout.is_zero() {
            return Err(ConfigError::new(
                "timeout",
                "0 leaves no time for a request; give a longer time",
            ));
        }
        let (protocol, protocol_option) = self.protocol;
        let destination = self.destination.unwrap_or_else(|| default(protocol));
        let endpoint = Endpoint::new(&destination, protocol, self.is_insecure)?;
        let transport = transport::open(Settings {
            protocol,
            protocol_option,
            endpoint,
            endpoint_option: destination.option,
            headers: self.headers,
            compression: self.compression.0,
            compression_option: self.compression.1,
            timeout: self.timeout,
            tls: self.tls,
        })?;
        let envelope = Envelope::new(&resource::resource(self.service_name, self.tags));
        let least = envelope.size(LEAST_REQUEST_BYTES);
        if self.request_bytes < least {
            return Err(ConfigError::new(
                "request_bytes",
                format!(
                    "{} bytes have no room for spans beside the resource; give at least {least}",
                    self.request_bytes
                ),
            ));
        }
        let exporter = OtlpExporter::new(envelope, self.request_bytes, transport);
        Ok(OtlpTracer {
            reporter: self.reporter.build(exporter)?,
        })
    }

    fn wrong(&mut self, error: ConfigError) {
        self.error.get_or_insert(error);
    }
}

/// The address of a collector on this host.
fn default(protocol: Protocol) -> Destination {
    Destination {
        url: match protocol {
            Protocol::HttpProtobuf => "http://localhost:4318".to_owned(),
            Protocol::Grpc => "http://localhost:4317".to_owned(),
        },
        option: "endpoint".into(),
        is_base: true,
    }
}

// Headers and files may contain secrets.
impl fmt::Debug for OtlpTracerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpTracerBuilder")
            .field("service_name", &self.service_name)
            .field("protocol", &self.protocol.0)
            .field("compression", &self.compression.0)
            .field("headers", &self.headers)
            .field("timeout", &self.timeout)
            .field("tags", &self.tags)
            .field("reporter", &self.reporter)
            .finish_non_exhaustive()
    }
}
