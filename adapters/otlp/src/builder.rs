//! The tracer's options.

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

/// OpenTelemetry specification, "OTLP exporter configuration".
const TIMEOUT: Duration = Duration::from_secs(10);

/// A collector's gRPC receiver takes 4 MiB by default.
const REQUEST_BYTES: usize = 4_000_000;

/// Less, and ordinary spans do not fit.
const LEAST_REQUEST_BYTES: usize = 16_384;

/// Half a minute in all, for a collector that is restarted: a quarter of a second, doubled each time.
const RETRIES: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How OTLP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// Over HTTP, encoded as protobuf. Needs the feature `http`.
    #[default]
    HttpProtobuf,
    /// Over gRPC. Needs the feature `grpc`.
    Grpc,
}

/// How requests are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// By gzip. Needs the feature `gzip`.
    Gzip,
}

/// Changes the defaults of an [`OtlpTracer`].
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_otlp::OtlpTracer;
///
/// let tracer = OtlpTracer::builder("checkout")
///     .endpoint("http://collector.observability:4318")
///     .header("x-tenant", "blue")
///     .tag(("deployment.environment.name", "production"))
///     .queue_spans(10_000)
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
    /// What to call the service's name in an error.
    name_option: &'static str,
    request_bytes: usize,
    /// The first thing that is wrong.
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

    /// Sets the collector's base address, like `OTEL_EXPORTER_OTLP_ENDPOINT`. Default `http://localhost:4318`, or
    /// `http://localhost:4317` for gRPC.
    ///
    /// Over HTTP `/v1/traces` is added to its path. Over gRPC it has no path, and an address without a scheme means https. A
    /// port that is not given is 80 for `http` and 443 for `https`.
    ///
    /// The host's name is looked up on the reporting thread, whenever a connection is made: the collector may come, go and
    /// move while the service runs.
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.destination = Some(Destination {
            url: url.into(),
            option: "endpoint".into(),
            is_base: true,
        });
        self
    }

    /// Sets the whole address that traces are sent to, like `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`: nothing is added to it.
    ///
    /// Takes the place of [`endpoint`](Self::endpoint).
    pub fn traces_endpoint(mut self, url: impl Into<String>) -> Self {
        self.destination = Some(Destination {
            url: url.into(),
            option: "traces_endpoint".into(),
            is_base: false,
        });
        self
    }

    /// Sets how OTLP is carried. Default [`Protocol::HttpProtobuf`], whatever features are on.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = (protocol, "protocol".into());
        self
    }

    /// Adds a header that is sent with each request: an API key, a tenant. Takes the place of one of the same name.
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
            .map_err(|_| wrong(format!("`{name}` is no name of a header; correct it")))?;
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

    /// Sets the certificates by which the collector is known, in PEM: those of the authority that signed its own. By default
    /// the certificates of the operating system are used, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    ///
    /// For `https`, which needs the feature `tls`.
    pub fn certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.certificate = Some((pem.into(), "certificate"));
        self
    }

    /// Sets the certificate by which this service is known to the collector, and its key, both in PEM. By default it has
    /// none.
    ///
    /// For `https`, which needs the feature `tls`.
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

    /// Sets how requests are compressed. Default [`Compression::None`].
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = (compression, "compression".into());
        self
    }

    /// Sets how long one request may take, from the look-up of the host's name to the end of the response. Default 10 s. A
    /// request that takes longer is tried again.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Adds an attribute of the resource, which is sent with each request. It replaces one of the same name:
    /// `service.name`, `host.name` and `telemetry.sdk.*` are there by default.
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Decides which spans are recorded, where the [policy](opentracing_http::HttpTracing) has no sampler that does; see
    /// [`sampler`](opentracing_http::sampler). By default the caller's decision holds, and everything else is recorded.
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.reporter = self.reporter.sampler(sampler);
        self
    }

    /// Bounds how many spans wait to be sent; what comes beyond is dropped. Default 2,048.
    pub fn queue_spans(mut self, spans: usize) -> Self {
        self.reporter = self.reporter.queue_spans(spans);
        self
    }

    /// Bounds how many bytes of memory the waiting spans hold, about; what comes beyond is dropped. Default 8 MiB.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.reporter = self.reporter.queue_bytes(bytes);
        self
    }

    /// Bounds how many spans are sent together; as soon as so many wait, they are sent. Default 512, or the queue's bound if
    /// that is less.
    pub fn batch_spans(mut self, spans: usize) -> Self {
        self.reporter = self.reporter.batch_spans(spans);
        self
    }

    /// Sets how long a span waits at most for others to share a request with. Default 1 s.
    pub fn batch_interval(mut self, interval: Duration) -> Self {
        self.reporter = self.reporter.batch_interval(interval);
        self
    }

    /// Bounds the size of a request, in bytes before compression. Default 4,000,000: a collector's gRPC receiver takes 4 MiB
    /// by default.
    ///
    /// A batch goes into as many requests as it needs. A span that is too big for one alone is dropped and counted as
    /// rejected.
    pub fn request_bytes(mut self, bytes: usize) -> Self {
        self.request_bytes = bytes;
        self
    }

    /// Sets how often a batch is tried again that the collector did not take, or that did not get there; then it is dropped.
    /// Default 7, which is about half a minute. Other spans wait in the queue meanwhile.
    pub fn retries(mut self, retries: u32) -> Self {
        self.reporter = self.reporter.retries(retries);
        self
    }

    /// Sets the pause before the first retry, and the longest one: they double, less up to a half by chance. Default 250 ms
    /// and 30 s. A collector that asks for a pause (`Retry-After`, `RetryInfo`) gets it, up to the longest one.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.reporter = self.reporter.backoff(first, longest);
        self
    }

    /// Is called, on the reporting thread, with each failure to send.
    pub fn on_error(mut self, callback: impl Fn(&ExportError) + Send + 'static) -> Self {
        self.reporter = self.reporter.on_error(callback);
        self
    }

    /// Applies the variables that are set in the process' environment and not empty, over what was set before:
    ///
    /// | variable | sets |
    /// |---|---|
    /// | `OTEL_SERVICE_NAME` | the service's name |
    /// | `OTEL_RESOURCE_ATTRIBUTES` | attributes of the resource: `key=value,key=value`, values percent-encoded; `service.name` where there is no `OTEL_SERVICE_NAME` |
    /// | `OTEL_EXPORTER_OTLP_ENDPOINT` | the base address; over HTTP `/v1/traces` is added |
    /// | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | the whole address |
    /// | `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf` or `grpc` |
    /// | `OTEL_EXPORTER_OTLP_HEADERS` | headers: `name=value,name=value`, values percent-encoded |
    /// | `OTEL_EXPORTER_OTLP_COMPRESSION` | `gzip` or `none` |
    /// | `OTEL_EXPORTER_OTLP_TIMEOUT` | how long a request may take, in milliseconds |
    /// | `OTEL_EXPORTER_OTLP_INSECURE` | `true`: an address for gRPC that has no scheme means http |
    /// | `OTEL_EXPORTER_OTLP_CERTIFICATE` | a file with the collector's authority, in PEM |
    /// | `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`, `OTEL_EXPORTER_OTLP_CLIENT_KEY` | files with this service's certificate and key, in PEM |
    /// | `OTEL_BSP_*` | queue, batches and times, as [`ReporterBuilder::env`] describes |
    /// | `OTEL_SDK_DISABLED` | `true`: nothing is recorded, callers' contexts are passed on unchanged |
    ///
    /// Each `OTEL_EXPORTER_OTLP_…` has a form `OTEL_EXPORTER_OTLP_TRACES_…`, which wins. The protocol `http/json` is an error.
    /// What the policy decides (`OTEL_TRACES_SAMPLER`, `OTEL_PROPAGATORS`, limits) is read by
    /// [its own `env`](opentracing_http::HttpTracingBuilder::env).
    ///
    /// The files are read here, once.
    pub fn env(self) -> Self {
        self.env_with(var)
    }

    /// Applies the same variables, which come from elsewhere than the process' environment.
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
    ///     "option `OTEL_EXPORTER_OTLP_TIMEOUT`: `10s` is no time; give milliseconds as a whole number above 0, such as `5000`",
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

    /// Makes the tracer and starts its thread. Nothing is sent and no name looked up yet.
    ///
    /// # Errors
    ///
    /// The first option that was given something wrong, with the remedy: also where nothing could ever be sent, because the
    /// address is none, or asks for a protocol, for TLS or for compression whose feature is not on. Or the thread cannot be
    /// started.
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
                "no request is answered in no time; give a longer one",
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

/// Where a collector on this host listens.
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

// Headers and files may be secrets.
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
