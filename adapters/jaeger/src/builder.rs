//! The tracer's options.

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

/// What names the service, where nothing else does.
const SERVICE_NAME: &str = "JAEGER_SERVICE_NAME";

/// What Jaeger's receivers take by default; one byte more and they drop the whole packet.
const RECEIVERS_LIMIT: usize = 65_000;

/// What macOS sends as one datagram by default (`net.inet.udp.maxdgram`).
const APPLE_LIMIT: usize = 9_216;

/// What one datagram over IPv4 can hold.
const DATAGRAM_LIMIT: usize = 65_507;

/// Some 25,000 requests' spans a second. At this rate a receiver can be kept from reading for 20 ms and lose nothing.
const BYTES_PER_SECOND: u32 = 5_000_000;

/// Long enough for an agent to be restarted, short enough for a service without one to end: 1.5 s at most in all.
const RETRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Changes the defaults of a [`JaegerTracer`].
///
/// ```
/// use std::time::Duration;
///
/// use opentracing_jaeger::JaegerTracer;
///
/// let tracer = JaegerTracer::builder("checkout")
///     .agent("jaeger-agent.observability:6831")
///     .tag(("deployment", "blue"))
///     .queue_spans(10_000)
///     .batch_interval(Duration::from_millis(500))
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
    /// What to call the service's name in an error.
    name_option: &'static str,
    /// What to call the tags in an error.
    pub(crate) tags_option: &'static str,
    packet_bytes: usize,
    bytes_per_second: u32,
    pub(crate) reporter: ReporterBuilder,
    /// The first thing that is wrong.
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

    /// Says where the agent is: a host name or an IP address, with or without a port; `127.0.0.1:6831` by default.
    ///
    /// A name is looked up on the reporting thread when there is something to send, again every minute, and again when
    /// sending fails: the agent may come, go and move while the service runs. Of its addresses IPv4 ones are tried first,
    /// and one that refuses is passed over.
    pub fn agent(mut self, address: impl Display) -> Self {
        match AgentAddress::parse(&address.to_string()) {
            Ok(address) => self.agent = address,
            Err(remedy) => self.wrong(ConfigError::new("agent", remedy)),
        }
        self
    }

    /// Adds a tag of the process, shown with each of its spans. One named `hostname`, `ip` or `jaeger.version` takes the
    /// place of what is sent by default.
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Decides which spans are recorded, where the [policy](opentracing_http::HttpTracing) has no sampler that does; see
    /// [`sampler`](opentracing_http::sampler). By default the caller's decision holds, and everything else is recorded.
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Some(Arc::new(sampler));
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

    /// Says how long a span waits at most for others to share a packet with. Default 1 s.
    pub fn batch_interval(mut self, interval: Duration) -> Self {
        self.reporter = self.reporter.batch_interval(interval);
        self
    }

    /// Bounds the size of a packet, in bytes; 65,000 by default, which is what Jaeger's receivers take (9,216 on macOS, which
    /// sends no more unless it is told to).
    ///
    /// A span that is too big alone loses as much of its largest values as need be, and gets the tag
    /// `opentracing.truncated` that says so.
    pub fn packet_bytes(mut self, bytes: usize) -> Self {
        self.packet_bytes = bytes;
        self
    }

    /// Bounds how fast packets are sent; 5,000,000 bytes a second by default, with bursts of two full packets.
    ///
    /// A receiver's buffer (208 KiB by default on Linux) then holds what comes until it is read. That is no promise: one
    /// that reads more slowly still loses packets, and nobody is told. The queue waits meanwhile, not the service.
    pub fn bytes_per_second(mut self, bytes: u32) -> Self {
        self.bytes_per_second = bytes;
        self
    }

    /// Is called, on the reporting thread, with each failure to send.
    pub fn on_error(mut self, callback: impl Fn(&ExportError) + Send + 'static) -> Self {
        self.reporter = self.reporter.on_error(callback);
        self
    }

    /// Applies the variables that are set in the process' environment and not empty, over what was set before:
    ///
    /// | variable | |
    /// |---|---|
    /// | `JAEGER_SERVICE_NAME` | the service |
    /// | `JAEGER_AGENT_HOST`, `JAEGER_AGENT_PORT` | the agent; `127.0.0.1` and 6831 by default |
    /// | `JAEGER_TAGS` | tags of the process: `key=value,key2=${VARIABLE:default}` |
    /// | `JAEGER_REPORTER_MAX_QUEUE_SIZE` | how many spans wait at most |
    /// | `JAEGER_REPORTER_FLUSH_INTERVAL` | how long, in milliseconds (also `500ms`, `1s`) |
    /// | `JAEGER_SAMPLER_TYPE`, `JAEGER_SAMPLER_PARAM` | for traces that start here: `const` (1, 0), `probabilistic` (0 to 1), `ratelimiting` (traces a second) |
    /// | `JAEGER_DISABLED` | `true`: nothing is recorded, callers' contexts are passed on unchanged |
    ///
    /// OpenTelemetry's variables are read as well, under these where both are set:
    ///
    /// | variable | |
    /// |---|---|
    /// | `OTEL_SERVICE_NAME` | the service |
    /// | `OTEL_RESOURCE_ATTRIBUTES` | tags of the process, and with `service.name` the service; see [`Resource`](opentracing_http::env::Resource) |
    /// | `OTEL_BSP_*` | queue and times, as [`ReporterBuilder::env`] describes |
    /// | `OTEL_SDK_DISABLED` | `true`: as `JAEGER_DISABLED` |
    ///
    /// `OTEL_TRACES_SAMPLER` is for the [policy](opentracing_http::HttpTracingBuilder::env), whose sampler is asked first.
    ///
    /// `JAEGER_SAMPLER_TYPE=remote` and `JAEGER_ENDPOINT` ask for what this tracer does not do and are errors.
    /// `JAEGER_PROPAGATION` is not read: which headers are read and written is the
    /// [policy's](opentracing_http::HttpTracingBuilder::propagation), and Jaeger's are among the defaults.
    pub fn env(self) -> Self {
        self.env_with(var)
    }

    /// Applies the same variables, which come from elsewhere than the process' environment.
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
    ///     "option `JAEGER_AGENT_PORT`: `jaeger` is no port; give a number from 1 to 65535, Jaeger's is 6831",
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

    /// Makes the tracer and starts its thread. Nothing is sent and no name looked up yet.
    ///
    /// # Errors
    ///
    /// The first option that was given something wrong, with the remedy; or the thread cannot be started.
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
                "no datagram holds {} bytes; give at most {DATAGRAM_LIMIT}",
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
                // No packet that receivers take would do.
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
