//! Tests of how a Jaeger is found, started and ended.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use xtask_jaeger::{GoVersion, on_path};

/// Longer than any step takes.
const SOON: Duration = Duration::from_secs(30);

/// Creates a folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Creates a program called `jaeger` with this script.
fn jaeger(folder: &Path, script: &str) {
    let program = folder.join("jaeger");
    fs::write(&program, format!("#!/bin/sh\n{script}")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Returns the command with the `jaeger` of this folder on its `PATH`. Its standard output is also file 9 of all
/// processes that it starts.
fn command(folder: &Path) -> Child {
    let mut path = OsString::from(folder);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    Command::new("sh")
        .args(["-c", r#"exec "$@" 9>&1"#, "sh"])
        .args([env!("CARGO_BIN_EXE_xtask-jaeger"), "--folder"])
        .arg(folder.join("run"))
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn the_first_program_on_the_path_that_can_be_run_is_taken() {
    let folder = folder("on-path");
    let [empty, plain, first, second] =
        ["empty", "plain", "first", "second"].map(|name| folder.join(name));
    for folder in [&empty, &plain, &first, &second] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(plain.join("jaeger"), "no program").unwrap();
    jaeger(&first, "");
    jaeger(&second, "");
    let path = |folders: &[&PathBuf]| on_path(&std::env::join_paths(folders).unwrap());
    let all = [&empty, &plain, &first, &second];
    assert_eq!(path(&all), Some(first.join("jaeger")));
    assert_eq!(path(&[&empty, &plain]), None);
    assert_eq!(on_path("".as_ref()), None);
}

#[test]
fn versions_of_go_are_compared_by_their_numbers() {
    for (text, is_enough) in [
        ("go1.25.4", true),
        ("go1.26rc1", true),
        ("go1.100", true),
        ("devel go1.27-0123456 Mon", true),
        ("go2.0", true),
        ("go1.24.9\n", false),
        ("go1.9", false),
    ] {
        let version: Result<GoVersion, ()> = text.parse();
        assert_eq!(
            version.map(|version| version >= GoVersion::LEAST),
            Ok(is_enough),
            "{text}"
        );
    }
    for text in ["", "go", "go1", "gone", "1.25", "version 1.25"] {
        assert!(text.parse::<GoVersion>().is_err(), "{text}");
    }
}

#[test]
fn nothing_is_left_when_the_command_is_killed() {
    let folder = folder("killed");
    // It is never ready, and ignores all signals that can be ignored.
    jaeger(
        &folder,
        "trap '' INT TERM HUP\necho runs >&9\nexec sleep 1000\n",
    );
    let mut command = command(&folder);
    let mut printed = BufReader::new(command.stdout.take().unwrap());
    let mut line = String::new();
    while line != "runs\n" {
        line.clear();
        assert_ne!(printed.read_line(&mut line).unwrap(), 0, "it did not start");
    }
    command.kill().unwrap();
    command.wait().unwrap();
    // The output ends when no process has it open.
    let (ended, end) = channel();
    thread::spawn(move || {
        let _ = printed.read_to_string(&mut String::new());
        let _ = ended.send(());
    });
    end.recv_timeout(SOON).expect("Jaeger outlives the command");
}

#[test]
fn a_jaeger_that_ends_is_an_error_with_its_log() {
    let folder = folder("ends");
    jaeger(&folder, "echo \"told of $2\"\necho boom >&2\nexit 3\n");
    let output = command(&folder).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    let yaml = folder.join("run/jaeger.yaml");
    for part in [
        "exit status: 3",
        "boom",
        &*format!("told of {}", yaml.display()),
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn other_ports_are_tried_when_one_is_taken() {
    let folder = folder("taken");
    let tried = folder.join("tried");
    let script = format!(
        "cat \"$2\" >> {0}\n\
         if [ $(grep -c thrift_compact {0}) -lt 3 ]; then echo 'listen tcp: bind: address already in use'; exit 1; fi\n\
         echo 'third time'; exit 4\n",
        tried.display()
    );
    jaeger(&folder, &script);
    let output = command(&folder).wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("third time"), "{error}");
    let tried = fs::read_to_string(&tried).unwrap();
    let endpoints: Vec<_> = tried
        .lines()
        .filter(|line| line.contains("endpoint"))
        .collect();
    let attempts: Vec<_> = endpoints.chunks(6).collect();
    assert_eq!(attempts.len(), 3, "{tried}");
    assert!(
        attempts[0] != attempts[1] && attempts[1] != attempts[2],
        "{tried}"
    );
}

#[test]
fn a_port_that_is_always_taken_is_an_error_in_the_end() {
    let folder = folder("always-taken");
    jaeger(&folder, "echo 'bind: address already in use'\nexit 1\n");
    let output = command(&folder).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("address already in use"), "{error}");
}
