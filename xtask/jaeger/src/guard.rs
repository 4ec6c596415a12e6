//! A child process that does not outlive its parent.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// A process that is ended when this value is dropped, and when the process that started it ends, even if that is
/// killed.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
    /// Closing it ends the process; the system closes it if this process is killed.
    input: Option<ChildStdin>,
}

/// Runs a program, and kills it when the standard input ends. That input is a pipe whose other end only the parent has.
#[cfg(unix)]
const GUARD: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
program=$!
{ cat <&3 >/dev/null; kill -KILL "$program"; } 2>/dev/null &
watcher=$!
exec 3<&-
wait "$program"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"#;

impl Guarded {
    /// Starts the program, with this file as its standard output and standard error.
    pub(crate) fn start(program: &Path, arguments: &[&OsStr], output: &File) -> io::Result<Self> {
        let mut child = command(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?)
            .spawn()?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    /// Returns the status if the program has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits until the program ends by itself.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

#[cfg(unix)]
fn command(program: &Path) -> Command {
    use std::os::unix::process::CommandExt as _;

    let mut command = Command::new("sh");
    // In a separate process group: Ctrl-C reaches only the parent, whose end stops the program.
    command
        .args(["-c", GUARD, "guard"])
        .arg(program)
        .process_group(0);
    command
}

/// Without a shell the process ends only when the value is dropped.
#[cfg(not(unix))]
fn command(program: &Path) -> Command {
    Command::new(program)
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.input = None;
        if cfg!(not(unix)) {
            // It fails only if the process has already ended.
            let _ = self.child.kill();
        }
        // The guard ends after the program.
        let _ = self.child.wait();
    }
}
