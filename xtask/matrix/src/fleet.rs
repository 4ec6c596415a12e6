//! The four services with the same settings.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use xtask_collector::SpanStore;
use xtask_jaeger::{Addresses, Query};

use crate::arrivals::Arrivals;
use crate::compile::Programs;
use crate::framework::Framework;
use crate::real::{TRANSPORTS, Transport};
use crate::service::{Service, Settings};

/// The tracer of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracer {
    /// Sends to the collector.
    Jaeger,
    /// Prints lines, which the driver parses.
    Custom,
    /// Sends to a real Jaeger, which the driver queries.
    Real(&'static Transport),
}

/// The propagation formats that the services write. They read all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// W3C and Jaeger.
    Default,
    W3c,
    Jaeger,
    B3,
    B3Multi,
}

/// Environment variables.
pub(crate) type Variables = Vec<(&'static str, String)>;

/// The settings of four services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FleetKind {
    pub(crate) tracer: Tracer,
    pub(crate) format: Format,
}

/// The four running services.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) kind: FleetKind,
    pub(crate) services: Vec<Service>,
    /// Where their spans arrive.
    pub(crate) arrivals: Arrivals,
}

/// The receivers that services may send spans to.
#[derive(Debug, Clone)]
pub(crate) struct Receivers {
    /// The collector's address.
    pub(crate) agent: SocketAddr,
    /// The spans that the collector receives, and that services print.
    pub(crate) store: Arc<SpanStore>,
    /// A real Jaeger, if it is used.
    pub(crate) jaeger: Option<Addresses>,
}

impl Tracer {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let real = TRANSPORTS.iter().map(Self::Real);
        [Self::Jaeger, Self::Custom].into_iter().chain(real)
    }

    pub(crate) fn is_real(self) -> bool {
        matches!(self, Self::Real(_))
    }

    /// Returns the process' own tags that arrive: the key, and the start of the value.
    pub(crate) fn process_tags(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Jaeger => &[
                ("hostname", ""),
                ("ip", ""),
                ("jaeger.version", "opentracing-jaeger-"),
            ],
            Self::Custom => &[],
            Self::Real(transport) => transport.process_tags,
        }
    }

    /// Returns `true` if references arrive, and not only the parent's id.
    pub(crate) fn has_references(self) -> bool {
        self != Self::Custom
    }

    /// Returns the variables that make a service use it, and where its spans arrive.
    fn connect(self, ends: &Receivers) -> Result<(Variables, Arrivals), String> {
        let collector = Arrivals::Collector(ends.store.clone());
        let exporter = |name: &str| ("OTEL_TRACES_EXPORTER", name.to_owned());
        match self {
            Self::Jaeger => {
                let host = ("JAEGER_AGENT_HOST", ends.agent.ip().to_string());
                let port = ("JAEGER_AGENT_PORT", ends.agent.port().to_string());
                Ok((vec![exporter("jaeger"), host, port], collector))
            }
            Self::Custom => Ok((vec![exporter("console")], collector)),
            Self::Real(transport) => {
                let jaeger = ends.jaeger.as_ref();
                let jaeger = jaeger.ok_or_else(|| format!("{self} needs a real Jaeger"))?;
                let query = Arc::new(Query::new(jaeger.query));
                Ok(((transport.variables)(jaeger), Arrivals::Jaeger(query)))
            }
        }
    }
}

impl Format {
    pub(crate) const ALL: [Self; 5] = [
        Self::Default,
        Self::W3c,
        Self::Jaeger,
        Self::B3,
        Self::B3Multi,
    ];
}

impl FleetKind {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let of = |tracer| Format::ALL.map(|format| Self { tracer, format });
        Tracer::all().flat_map(of)
    }
}

impl Fleet {
    /// Starts the four at the same time.
    pub(crate) fn start(
        kind: FleetKind,
        programs: &Programs,
        ends: &Receivers,
        logs: &Path,
    ) -> Result<Self, String> {
        let (variables, arrivals) = kind.tracer.connect(ends)?;
        let settings = Settings {
            tracer: kind.tracer,
            format: kind.format,
            variables: &variables,
            logs,
        };
        let store = &ends.store;
        let services = thread::scope(|scope| {
            let starting: Vec<_> = programs
                .iter()
                .map(|(framework, program)| {
                    scope
                        .spawn(move || Service::start(*framework, program, settings, store.clone()))
                })
                .collect();
            // All are joined before the first failure is returned, so that none is left starting.
            let started: Vec<_> = starting.into_iter().map(|start| start.join()).collect();
            started
                .into_iter()
                .map(|start| start.unwrap_or_else(|_| Err("a service's start panicked".to_owned())))
                .collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Self {
            kind,
            services,
            arrivals,
        })
    }

    /// Returns the service of a framework.
    pub(crate) fn of(&self, framework: Framework) -> &Service {
        self.services
            .iter()
            .find(|service| service.framework == framework)
            .unwrap_or_else(|| unreachable!("a fleet has a service of each framework"))
    }

    /// Stops all services that still run.
    ///
    /// # Errors
    ///
    /// Returns an error about the first that did not stop as it should.
    pub(crate) fn stop(&self) -> Result<(), String> {
        let stopped: Vec<_> = self.services.iter().map(Service::stop).collect();
        stopped.into_iter().collect()
    }
}

impl fmt::Display for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jaeger => "jaeger",
            Self::Custom => "custom",
            Self::Real(transport) => transport.name,
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::W3c => "w3c",
            Self::Jaeger => "jaeger",
            Self::B3 => "b3",
            Self::B3Multi => "b3multi",
        })
    }
}

impl fmt::Display for FleetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tracer, self.format)
    }
}
