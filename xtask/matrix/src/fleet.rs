//! The four services with the same settings.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use xtask_collector::SpanStore;

use crate::compile::Programs;
use crate::framework::Framework;
use crate::service::{Service, Settings};

/// Which tracer the services have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Tracer {
    /// Sends to the collector.
    Jaeger,
    /// Prints lines, which the driver reads.
    Custom,
}

/// Which propagation formats the services write. They read all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    /// W3C and Jaeger.
    Default,
    W3c,
    Jaeger,
    B3,
    B3Multi,
}

/// Which four services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FleetKind {
    pub(crate) tracer: Tracer,
    pub(crate) format: Format,
}

/// The four services, running.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) kind: FleetKind,
    pub(crate) services: Vec<Service>,
    /// Where their spans arrive.
    pub(crate) store: Arc<SpanStore>,
}

impl Tracer {
    pub(crate) const ALL: [Self; 2] = [Self::Jaeger, Self::Custom];
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
        Tracer::ALL.into_iter().flat_map(of)
    }
}

impl Fleet {
    /// Starts the four at the same time.
    pub(crate) fn start(
        kind: FleetKind,
        programs: &Programs,
        agent: SocketAddr,
        logs: &Path,
        store: &Arc<SpanStore>,
    ) -> Result<Self, String> {
        let settings = Settings {
            tracer: kind.tracer,
            format: kind.format,
            agent,
            logs,
        };
        let services = thread::scope(|scope| {
            let starting: Vec<_> = programs
                .iter()
                .map(|(framework, program)| {
                    scope
                        .spawn(move || Service::start(*framework, program, settings, store.clone()))
                })
                .collect();
            // All are joined before the first failure is told, so that none is left starting.
            let started: Vec<_> = starting.into_iter().map(|start| start.join()).collect();
            started
                .into_iter()
                .map(|start| start.unwrap_or_else(|_| Err("a service's start panicked".to_owned())))
                .collect::<Result<Vec<_>, _>>()
        })?;
        Ok(Self {
            kind,
            services,
            store: store.clone(),
        })
    }

    /// The service of a framework: there is one of each.
    pub(crate) fn of(&self, framework: Framework) -> &Service {
        self.services
            .iter()
            .find(|service| service.framework == framework)
            .unwrap_or_else(|| unreachable!("a fleet has a service of each framework"))
    }

    /// Stops all that still run.
    ///
    /// # Errors
    ///
    /// What went wrong with the first that did not stop as it should.
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
