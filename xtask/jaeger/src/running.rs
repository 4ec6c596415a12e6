//! A running Jaeger.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;

use crate::addresses::Addresses;
use crate::configuration::configuration;
use crate::guard::Guarded;
use crate::query::Query;

/// Maximum time until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two checks.
const PAUSE: Duration = Duration::from_millis(20);

/// Number of attempts to find free ports, because another process may take one before Jaeger does.
const ATTEMPTS: usize = 5;

/// Number of lines of its log in an error.
const SHOWN_LINES: usize = 20;

/// A Jaeger with memory storage on free ports of this machine. It ends when this value is dropped, and with this
/// process.
#[derive(Debug)]
pub struct Jaeger {
    addresses: Addresses,
    log: PathBuf,
    process: Guarded,
}

impl Jaeger {
    /// Starts the program and waits until it is ready. Its configuration, `jaeger.yaml`, and its log, `jaeger.log`, are
    /// written to `folder`.
    ///
    /// # Errors
    ///
    /// Returns an error with the end of its log if it does not start, ends, or is not ready within a minute.
    pub fn start(program: &Path, folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut attempt = 1;
        loop {
            match Self::attempt(program, folder) {
                Err(Unready::PortTaken(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(Unready::PortTaken(problem) | Unready::Other(problem)) => return Err(problem),
                Ok(jaeger) => return Ok(jaeger),
            }
        }
    }

    fn attempt(program: &Path, folder: &Path) -> Result<Self, Unready> {
        let other = |what: &Path, error: std::io::Error| {
            Unready::Other(format!("{}: {error}", what.display()))
        };
        let addresses = Addresses::free()
            .map_err(|error| Unready::Other(format!("there is no free port: {error}")))?;
        let (yaml, log) = (folder.join("jaeger.yaml"), folder.join("jaeger.log"));
        fs::write(&yaml, configuration(&addresses)).map_err(|error| other(&yaml, error))?;
        let output = File::create(&log).map_err(|error| other(&log, error))?;
        let process = Guarded::start(program, &["--config".as_ref(), yaml.as_os_str()], &output)
            .map_err(|error| other(program, error))?;
        let mut jaeger = Self {
            addresses,
            log,
            process,
        };
        jaeger.wait_until_ready()?;
        Ok(jaeger)
    }

    fn wait_until_ready(&mut self) -> Result<(), Unready> {
        let agent: Agent = Agent::config_builder()
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(5)))
            .build()
            .into();
        let urls = [
            format!("http://{}/status", self.addresses.health),
            format!("http://{}/api/v3/services", self.addresses.query),
        ];
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A status that is not a success is an error.
            if urls.iter().all(|url| agent.get(url).call().is_ok()) {
                return Ok(());
            }
            let ended = self.process.ended();
            if let Ok(Some(status)) = ended {
                let problem = format!("Jaeger ended with {status}: {}", self.log_end());
                return Err(match self.log_text().contains("address already in use") {
                    true => Unready::PortTaken(problem),
                    false => Unready::Other(problem),
                });
            }
            if Instant::now() >= deadline {
                return Err(Unready::Other(format!(
                    "Jaeger is not ready after {PATIENCE:?}: {}",
                    self.log_end()
                )));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Returns the addresses of the user interface and the receivers, and the variables for a service, one per line.
    #[must_use]
    pub fn directions(&self) -> String {
        let Addresses {
            query,
            otlp_http,
            otlp_grpc,
            udp,
            ..
        } = self.addresses;
        let look = match Query::new(query).has_interface() {
            Ok(true) => format!("http://{query}"),
            _ => format!(
                "http://{query}/api/v3/services and /api/v3/traces/<trace id>, in JSON: a Jaeger that is built from its Go \
                 module has no user interface"
            ),
        };
        format!(
            "look at    {look}\n\
             OTLP/HTTP  http://{otlp_http}\n\
             OTLP/gRPC  http://{otlp_grpc}\n\
             UDP        JAEGER_AGENT_HOST={} JAEGER_AGENT_PORT={}\n\
             log        {}",
            udp.ip(),
            udp.port(),
            self.log.display()
        )
    }

    /// Returns its addresses.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Waits until it ends by itself, which it should not; returns the reason.
    pub fn wait(&mut self) -> String {
        let ended = match self.process.wait() {
            Ok(status) => format!("ended with {status}"),
            Err(error) => format!("cannot be waited for: {error}"),
        };
        format!("Jaeger {ended}: {}", self.log_end())
    }

    fn log_text(&self) -> String {
        fs::read(&self.log)
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Returns the file's name and its last lines.
    fn log_end(&self) -> String {
        let log = self.log_text();
        let lines: Vec<_> = log.lines().collect();
        let start = lines.len().saturating_sub(SHOWN_LINES);
        let end = lines.get(start..).unwrap_or_default().join("\n");
        format!("the end of {}:\n{end}", self.log.display())
    }
}

/// Why a Jaeger is not ready.
#[derive(Debug)]
enum Unready {
    /// Other ports may be free.
    PortTaken(String),
    Other(String),
}
