//! A custom tracer, which prints every finished span as one line.
//!
//! A line is fields with a tab between them: the word `span`, then in this order `trace=<32 hex>`, `id=<16 hex>`,
//! `parent=<16 hex, or ->`, `name=<text>`, `service=<text>`, `start=<microseconds since 1970>`, `duration=<microseconds>`,
//! then `<key>=<text>` for each tag, then `log.<number>.<key>=<text>` for each field of each log, numbered from 0. In keys
//! and texts `\\`, `\t`, `\n` and `\r` stand for a backslash, a tab, a line feed and a carriage return; a key ends at the
//! first `=`.

use std::fmt::{Display, Write as _};
use std::io::{self, Stdout, Write};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use opentracing_http::{FinishedSpan, Tracer};

/// Prints the spans of a service. Printing can block; a tracer that must not block is an exporter behind a `Reporter`.
#[derive(Debug)]
pub struct PrintTracer<W = Stdout> {
    service: String,
    out: Mutex<W>,
}

impl PrintTracer {
    /// Creates a tracer that prints to the standard output.
    pub fn new(service: impl Into<String>) -> Self {
        Self::to(io::stdout(), service)
    }
}

impl<W: Write> PrintTracer<W> {
    /// Creates a tracer that prints to this writer, each line with one write.
    pub fn to(out: W, service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            out: Mutex::new(out),
        }
    }
}

impl<W: Write + Send> Tracer for PrintTracer<W> {
    fn report(&self, span: FinishedSpan) {
        let mut line = String::from("span");
        let mut field = |key: &str, value: &dyn Display| {
            let _ = write!(line, "\t{}={}", escaped(key), escaped(&value.to_string()));
        };
        let parent = span.parent_id().map(|id| id.to_string());
        let start = span.start().duration_since(UNIX_EPOCH).unwrap_or_default();
        field("trace", &span.context().trace_id());
        field("id", &span.context().span_id());
        field("parent", &parent.as_deref().unwrap_or("-"));
        field("name", &span.name());
        field("service", &self.service);
        field("start", &start.as_micros());
        field("duration", &span.duration().as_micros());
        for tag in span.tags() {
            field(&tag.key, &tag.value);
        }
        for (number, log) in span.logs().iter().enumerate() {
            for tag in &log.fields {
                field(&format!("log.{number}.{}", tag.key), &tag.value);
            }
        }
        line.push('\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(line.as_bytes());
    }
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', r"\\").replace('\t', r"\t");
    text.replace('\n', r"\n").replace('\r', r"\r")
}
