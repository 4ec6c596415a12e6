//! The process' own environment: a test runs itself again with other variables.

use std::ffi::OsStr;
use std::process::Command;

use opentracing_http::env;

use super::*;

/// Set where a test is to look at its environment.
const INSIDE: &str = "ENVIRONMENT_TEST_INSIDE";

/// Runs this test again, with this sampler.
fn again(test: &str, sampler: &OsStr) -> bool {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", test])
        .env(INSIDE, "1")
        .env("OTEL_TRACES_SAMPLER", sampler)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("1 passed") || text.contains("1 failed"),
        "{text}"
    );
    output.status.success()
}

#[test]
fn env_reads_the_variables_of_the_process() {
    if env::var(INSIDE).is_some() {
        let (tracing, _tracer) = traced(HttpTracingBuilder::env);
        assert!(!tracing.span("x").start().is_recording());
        return;
    }
    let test = "process::env_reads_the_variables_of_the_process";
    assert!(again(test, "always_off".as_ref()));
    assert!(!again(test, "always_on".as_ref()));
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_unicode_is_wrong_and_not_unset() {
    use std::os::unix::ffi::OsStrExt;

    if env::var(INSIDE).is_some() {
        let builder = HttpTracing::builder(InMemoryTracer::new()).env();
        assert_eq!(builder.build().unwrap_err().option(), "OTEL_TRACES_SAMPLER");
        return;
    }
    let test = "process::a_value_that_is_not_unicode_is_wrong_and_not_unset";
    assert!(again(test, OsStr::from_bytes(b"always_off\xff")));
}
