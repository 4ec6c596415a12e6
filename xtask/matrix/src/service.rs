//! One running example service.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use xtask_collector::SpanStore;

use crate::fleet::{Format, Tracer};
use crate::framework::Framework;
use crate::printed;

/// Maximum time of a service's start, and of its stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service. Dropping it kills its process if it has not been stopped.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) framework: Framework,
    pub(crate) address: SocketAddr,
    /// The file with its standard error.
    log: PathBuf,
    /// `None` after it has been stopped.
    process: Mutex<Option<Process>>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Closing it makes the service stop.
    input: Option<ChildStdin>,
    output: Receiver<Output>,
}

/// The settings of all services.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) tracer: Tracer,
    pub(crate) format: Format,
    /// The variables that select the tracer and its receiver.
    pub(crate) variables: &'a [(&'static str, String)],
    /// The folder for the services' standard error.
    pub(crate) logs: &'a Path,
}

#[derive(Debug)]
enum Output {
    Listening(SocketAddr),
    /// The end of the process' output.
    End,
}

impl Service {
    /// Starts a service and waits until it listens.
    pub(crate) fn start(
        framework: Framework,
        program: &Path,
        settings: Settings<'_>,
        store: Arc<SpanStore>,
    ) -> Result<Self, String> {
        let package = framework.package();
        let log = settings.logs.join(format!(
            "{}-{}-{framework}.log",
            settings.tracer, settings.format
        ));
        let process = Process::spawn(program, settings, &log, store)
            .map_err(|error| format!("{package} does not start: {error}"))?;
        match process.output.recv_timeout(PATIENCE) {
            Ok(Output::Listening(address)) => Ok(Self {
                framework,
                address,
                log,
                process: Mutex::new(Some(process)),
            }),
            _ => Err(format!(
                "{package} does not say where it listens; see {}",
                log.display()
            )),
        }
    }

    /// Returns the address of one of its routes.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Stops the service and waits until all its output is read. Does nothing if it has been stopped.
    ///
    /// # Errors
    ///
    /// Returns an error if it does not stop in time, or stops with another status than 0.
    pub(crate) fn stop(&self) -> Result<(), String> {
        let process = self
            .process
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        process.map_or(Ok(()), Process::stop).map_err(|problem| {
            format!(
                "{} {problem}; see {}",
                self.framework.package(),
                self.log.display()
            )
        })
    }
}

impl Process {
    fn spawn(
        program: &Path,
        settings: Settings<'_>,
        log: &Path,
        store: Arc<SpanStore>,
    ) -> io::Result<Self> {
        let mut command = Command::new(program);
        // Variables of the surrounding environment would change the expectations.
        let is_tracing = |name: &OsStr| {
            let name = name.to_string_lossy();
            name.starts_with("OTEL_") || name.starts_with("JAEGER_")
        };
        for (name, _) in env::vars_os().filter(|(name, _)| is_tracing(name)) {
            command.env_remove(name);
        }
        let mut child = command
            .env("PORT", "0")
            .env("EXIT_ON_STDIN_EOF", "1")
            .env("FORMAT", settings.format.to_string())
            .envs(settings.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()?;
        let (sender, output) = channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || read(stdout, &store, &sender));
        }
        Ok(Self {
            input: child.stdin.take(),
            child,
            output,
        })
    }

    fn stop(mut self) -> Result<(), String> {
        self.input = None;
        if !matches!(self.output.recv_timeout(PATIENCE), Ok(Output::End)) {
            return Err("does not stop at the end of its input".to_owned());
        }
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("ended with {status}")),
            Err(error) => Err(format!("cannot be waited for: {error}")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            // Both fail only if the process has already ended.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads a service's output: its address, and the spans of the custom tracer.
fn read(stdout: ChildStdout, store: &SpanStore, sender: &Sender<Output>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let address = line
            .strip_prefix("listening on http://")
            .and_then(|address| address.parse().ok());
        match (address, printed::span(&line)) {
            // If the service is being dropped, nothing waits for the address.
            (Some(address), _) => drop(sender.send(Output::Listening(address))),
            (_, Some(Ok(span))) => store.add(span),
            (_, Some(Err(problem))) => store.add_problem(problem),
            // Frameworks may print other lines.
            (None, None) => {}
        }
    }
    let _ = sender.send(Output::End);
}
