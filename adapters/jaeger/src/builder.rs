//! The options of the tracer.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use opentracing_http::env::{Variables, var};
use opentracing_http::report::{ExportError, Reporter, ReporterBuilder};
use opentracing_http::sampler::Sampler;
use opentracing_http::{ConfigError, Tag};

use crate::agent::{Agent, AgentAddress};
use crate::env;
use crate::exporter::JaegerExporter;
use crate::packet::Packer;
use crate::process;
use crate::tracer::JaegerTracer;

/// The variable of the service's name, if nothing else sets it.
const SERVICE_NAME: &str = "JAEGER_SERVICE_NAME";

/// Maximum packet size of Jaeger's receivers by default; they drop a larger packet.
const RECEIVERS_LIMIT: usize = 65_000;

/// Maximum datagram size of macOS by default (`net.inet.udp.maxdgram`).
const APPLE_LIMIT: usize = 9_216;

/// Maximum size of a datagram over IPv4.
const DATAGRAM_LIMIT: usize = 65_507;

/// The spans of about 25,000 requests per second. At this rate a receiver may stop reading for 20 ms without losing
/// spans.
const BYTES_PER_SECOND: u32 = 5_000_000;

/// Enough for an agent's restart, and short enough for the end of a service without an agent: at most 1.5 s altogether.
const RETRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The builder of a [`JaegerTracer`].
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_jaeger::JaegerTracer;
///
/// let tracer = JaegerTracer::builder("checkout")
///     .agent("jaeger-agent.observability:6831")
///     .tag(("deployment", "blue"))
///     .queue_bytes(16 * 1024 * 1024)
///     .queue_spans(10_000)
///     .batch_interval(Duration::from_millis(500))
///     .packet_bytes(32_000)
///     .bytes_per_second(1_000_000)
///     .sampler(opentracing_http::sampler::Always)
///     .on_error(|error| eprintln!("tracing: {error}"))
///     .build()?;
/// # let _ = tracer;
/// # Ok::<(), opentracing_http::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use = "a tracer is made by `build`"]
pub struct JaegerTracerBuilder {
    pub(crate) service_name: String,
    pub(crate) agent: AgentAddress,
    pub(crate) tags: Vec<Tag>,
    pub(crate) sampler: Option<Arc<dyn Sampler>>,
    pub(crate) disabled: bool,
    /// The name of the option for the service's name, for errors.
    name_option: &'static str,
    /// The name of the option for tags, for errors.
    pub(crate) tags_option: &'static str,
    packet_bytes: usize,
    bytes_per_second: u32,
    pub(crate) reporter: ReporterBuilder,
    /// The first error.
    error: Option<ConfigError>,
}

impl JaegerTracerBuilder {
    pub(crate) fn new(service_name: String) -> Self {
        Self {
            service_name,
            agent: AgentAddress::default(),
            tags: Vec::new(),
            sampler: None,
            disabled: false,
            name_option: "service_name",
            tags_option: "tag",
            packet_bytes: if cfg!(target_vendor = "apple") {
                APPLE_LIMIT
            } else {
                RECEIVERS_LIMIT
            },
            bytes_per_second: BYTES_PER_SECOND,
            reporter: Reporter::builder()
                .retries(RETRIES)
                .backoff(FIRST_PAUSE, LONGEST_PAUSE),
            error: None,
        }
    }

    /// Sets the agent's address: a host name or an IP address, with or without a port. `127.0.0.1:6831` by default.
    ///
    /// A name is looked up on the reporting thread when there is something to send, every minute, and after a failure:
    /// the agent may start, stop and move while the service runs. IPv4 addresses are tried first; an address that
    /// refuses is skipped.
    pub fn agent(mut self, address: impl Display) -> Self {
        match AgentAddress::parse(&address.to_string()) {
            Ok(address) => self.agent = address,
            Err(remedy) => self.wrong(ConfigError::new("agent", remedy)),
        }
        self
    }

    /// Adds a tag of the process, which Jaeger shows with each span. A tag named `hostname`, `ip` or `jaeger.version`
    /// replaces the default one.
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets which spans are recorded if the [policy](opentracing_http::HttpTracing) has no sampler that decides; see
    /// [`sampler`](opentracing_http::sampler). By default it follows the caller's decision and records all other spans.
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Some(Arc::new(sampler));
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

    /// Sets how long a span waits at most for other spans of the same packet. 1 s by default.
    pub fn batch_interval(mut self, interval: Duration) -> Self {
        self.reporter = self.reporter.batch_interval(interval);
        self
    }

    /// Sets the maximum size of a packet in bytes. 65,000 by default, the limit of Jaeger's receivers; 9,216 on macOS,
    /// which sends no more by default.
    ///
    /// A span that exceeds it alone loses as much of its largest values as necessary, and gets the tag
    /// `opentracing.truncated`.
    pub fn packet_bytes(mut self, bytes: usize) -> Self {
        self.packet_bytes = bytes;
        self
    }

    /// Sets the maximum rate in bytes per second, with bursts of two full packets. 5,000,000 by default.
    ///
    /// A receiver's buffer (208 KiB by default on Linux) then holds the packets until they are read. This is not
    /// guaranteed: a receiver that reads more slowly loses packets without a notice. The queue waits meanwhile, the
    /// service does not.
    pub fn bytes_per_second(mut self, bytes: u32) -> Self {
        self.bytes_per_second = bytes;
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
    /// | variable | |
    /// |---|---|
    /// | `JAEGER_SERVICE_NAME` | the service |
    /// | `JAEGER_AGENT_HOST`, `JAEGER_AGENT_PORT` | the agent; `127.0.0.1` and 6831 by default |
    /// | `JAEGER_TAGS` | tags of the process: `key=value,key2=${VARIABLE:default}` |
    /// | `JAEGER_REPORTER_MAX_QUEUE_SIZE` | maximum number of waiting spans |
    /// | `JAEGER_REPORTER_FLUSH_INTERVAL` | maximum waiting time, in milliseconds (also `500ms`, `1s`) |
    /// | `JAEGER_SAMPLER_TYPE`, `JAEGER_SAMPLER_PARAM` | for traces that start here: `const` (1, 0), `probabilistic` (0 to 1), `ratelimiting` (traces per second) |
    /// | `JAEGER_DISABLED` | `true`: nothing is recorded, callers' contexts are propagated unchanged |
    ///
    /// OpenTelemetry's variables are also read; Jaeger's variables override them:
    ///
    /// | variable | |
    /// |---|---|
    /// | `OTEL_SERVICE_NAME` | the service |
    /// | `OTEL_RESOURCE_ATTRIBUTES` | tags of the process, and with `service.name` the service; see [`Resource`](opentracing_http::env::Resource) |
    /// | `OTEL_BSP_*` | queue and times; see [`ReporterBuilder::env`] |
    /// | `OTEL_SDK_DISABLED` | `true`: the same as `JAEGER_DISABLED` |
    ///
    /// `OTEL_TRACES_SAMPLER` is read by the [policy](opentracing_http::HttpTracingBuilder::env), whose sampler is asked
    /// first.
    ///
    /// `JAEGER_SAMPLER_TYPE=remote` and `JAEGER_ENDPOINT` are errors, because this tracer does not support them.
    /// `JAEGER_PROPAGATION` is not read: the [policy](opentracing_http::HttpTracingBuilder::propagation) sets which
    /// headers are read and written, and Jaeger's are among the defaults.
    ///
    /// See [`env_with`](Self::env_with) for an example.
    pub fn env(self) -> Self {
        self.env_with(var)
    }

    /// Applies the same variables from another source than the process' environment, such as a table in a test.
    ///
    /// ```
    /// use opentracing_jaeger::JaegerTracer;
    ///
    /// let error = JaegerTracer::builder("checkout")
    ///     .env_with(|name| (name == "JAEGER_AGENT_PORT").then(|| "jaeger".to_owned()))
    ///     .build()
    ///     .unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "option `JAEGER_AGENT_PORT`: `jaeger` is not a port; give a number from 1 to 65535, Jaeger's is 6831",
    /// );
    /// ```
    pub fn env_with(mut self, source: impl Fn(&str) -> Option<String>) -> Self {
        if self.service_name.is_empty() {
            self.name_option = SERVICE_NAME;
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
    /// remedy.
    pub fn build(self) -> Result<JaegerTracer, ConfigError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if self.disabled {
            return Ok(JaegerTracer {
                reporter: Reporter::disabled(),
            });
        }
        if self.service_name.trim().is_empty() {
            let remedy = match self.name_option {
                SERVICE_NAME => "the service has no name; set this variable or OTEL_SERVICE_NAME",
                _ => "the service has no name; give it one",
            };
            return Err(ConfigError::new(self.name_option, remedy));
        }
        if self.packet_bytes > DATAGRAM_LIMIT {
            let remedy = format!(
                "{} bytes exceed a datagram; give at most {DATAGRAM_LIMIT}",
                self.packet_bytes
            );
            return Err(ConfigError::new("packet_bytes", remedy));
        }
        if self.bytes_per_second == 0 {
            return Err(ConfigError::new(
                "bytes_per_second",
                "at 0 nothing is sent; give a rate above 0",
            ));
        }
        let process = process::process(self.service_name, self.tags);
        let tags_option = self.tags_option;
        let packer = Packer::new(process, self.packet_bytes).map_err(|least| {
            let cause = "the service's name and tags leave no room for spans in a packet";
            match least.checked_sub(RECEIVERS_LIMIT) {
                None | Some(0) => ConfigError::new(
                    "packet_bytes",
                    format!("{cause}; shorten them, or give at least {least}"),
                ),
                // No packet that receivers accept is large enough.
                Some(excess) => ConfigError::new(
                    tags_option,
                    format!("{cause}, of which Jaeger's receivers take {RECEIVERS_LIMIT} bytes; shorten them by at least {excess} bytes"),
                ),
            }
        })?;
        let mut reporter = self.reporter.thread_name("jaeger-reporter");
        if let Some(sampler) = self.sampler {
            reporter = reporter.sampler(sampler);
        }
        let agent = Agent::new(self.agent, self.bytes_per_second);
        Ok(JaegerTracer {
            reporter: reporter.build(JaegerExporter { packer, agent })?,
        })
    }

    fn wrong(&mut self, error: ConfigError) {
        self.error.get_or_insert(error);
    }
}
