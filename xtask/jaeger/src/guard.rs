//! A child process that does not outlive its parent.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// A process that ends with this value, and with the process that started it: also if that one is killed.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
    /// Its end ends the process; the system closes it if nobody else does.
    input: Option<ChildStdin>,
}

/// Runs a program, and kills it at the end of the standard input. That input is a pipe whose other end only the parent has.
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
    /// Starts the program, with this file as its standard output and error output.
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

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

#[cfg(unix)]
fn command(program: &Path) -> Command {
    use std::os::unix::process::CommandExt as _;

    let mut command = Command::new("sh");
    // In a group of its own: Ctrl-C reaches the parent alone, whose end is the program's.
    command
        .args(["-c", GUARD, "guard"])
        .arg(program)
        .process_group(0);
    command
}

/// Where there is no shell the process ends with the value alone.
#[cfg(not(unix))]
fn command(program: &Path) -> Command {
    Command::new(program)
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.input = None;
        if cfg!(not(unix)) {
            // It fails only if the process is gone, which is what is wanted.
            let _ = self.child.kill();
        }
        // The guard ends when the program has.
        let _ = self.child.wait();
    }
}
