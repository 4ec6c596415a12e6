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

/// How long a service may take to start, and to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service. Dropping it kills its process if it has not been stopped.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) framework: Framework,
    pub(crate) address: SocketAddr,
    /// What it says on its standard error.
    log: PathBuf,
    /// `None` once it has been stopped.
    process: Mutex<Option<Process>>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Closing it asks the service to stop.
    input: Option<ChildStdin>,
    output: Receiver<Output>,
}

/// How services are to be started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) tracer: Tracer,
    pub(crate) format: Format,
    /// What tells the tracer where to send spans to.
    pub(crate) variables: &'a [(&'static str, String)],
    /// Where the files go that take what the services say on their standard error.
    pub(crate) logs: &'a Path,
}

#[derive(Debug)]
enum Output {
    Listening(SocketAddr),
    /// The end of the process, or of what it has to say.
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

    /// The address of one of its routes.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks it to stop and waits until all that it has printed is read. Nothing happens if it has been stopped.
    ///
    /// # Errors
    ///
    /// When it does not stop in time, or does so with another status than 0.
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
        // What is set for other services would change what is expected of these.
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
            // Neither fails unless the process is gone, which is what is wanted.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads what a service prints: where it listens, and the spans of the custom tracer.
fn read(stdout: ChildStdout, store: &SpanStore, sender: &Sender<Output>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let address = line
            .strip_prefix("listening on http://")
            .and_then(|address| address.parse().ok());
        match (address, printed::span(&line)) {
            // Nobody waits for it any more when the service is being dropped.
            (Some(address), _) => drop(sender.send(Output::Listening(address))),
            (_, Some(Ok(span))) => store.add(span),
            (_, Some(Err(problem))) => store.add_problem(problem),
            // Frameworks may print lines of their own.
            (None, None) => {}
        }
    }
    let _ = sender.send(Output::End);
}
