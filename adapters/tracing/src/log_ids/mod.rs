//! The ids of the current span in the lines that a formatter writes.
//!
//! The line is changed on its way from the formatter to the writer. A wrapper around the formatter could not do the same: the
//! inner formatter would have to write into a buffer, and only tracing-subscriber itself can create a writer for one that keeps
//! the settings for colors.

mod json;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io::{self, Write};

use opentracing_http::values::LogIds;
use opentracing_http::{ConfigError, Span, SpanId, TraceId};
use tracing_core::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Adds the ids of the current span to each line that a formatter writes: to a text line its last fields, to a JSON object its
/// last members. `make_writer` is the writer that the formatter would have otherwise.
///
/// The formatter can be any that writes whole lines: tracing-subscriber's text and JSON formats, or another crate's such as
/// `tracing-logfmt`. It needs no other layer of this crate. The ids are those of [`Span::log_ids`]; outside of a span, lines
/// stay as they are.
///
/// ```
/// use opentracing_http::{HttpTracing, InMemoryTracer};
/// use opentracing_tracing::log_ids;
/// use tracing::subscriber::set_default;
/// use tracing_subscriber::fmt;
///
/// let span = HttpTracing::new(InMemoryTracer::new()).span("order").start();
/// let _entered = span.enter();
///
/// let lines = fmt().with_writer(log_ids(std::io::stderr)).finish();
/// let _default = set_default(lines);
/// // 2026-11-28T10:15:02.123456Z  INFO shop: sold items=3 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7
/// tracing::info!(items = 3, "sold");
///
/// let objects = fmt().json().with_writer(log_ids(std::io::stdout)).finish();
/// let _default = set_default(objects);
/// // {"timestamp":"…","level":"INFO","fields":{"message":"sold","items":3},"target":"shop","trace_id":"4bf9…","span_id":"00f0…"}
/// tracing::info!(items = 3, "sold");
/// ```
///
/// - **Text.** The ids follow the text of the line, without color, so that they can be searched for. They are on the last line
///   of a message that has several, and on a line of their own in the format `Pretty`.
/// - **JSON.** A line is JSON if all of it is one object. The members are at the top level, as OpenTelemetry's [Trace Context in
///   non-OTLP Log Formats][format] requires.
/// - **An application's own fields.** No name is written twice: a JSON object that has a member with one of the two names at the
///   top level gets no ids, and neither does a text line whose event has such a field. (Fields of the formatter's spans in a text
///   line are not looked at.) Without `flatten_event`, the fields of an event are not at the top level.
///
/// With tracing-appender's non-blocking writer, write `log_ids(non_blocking)`: the ids are read on the thread that logs.
///
/// [format]: https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/
#[must_use]
pub fn log_ids<W>(make_writer: W) -> WithLogIds<W> {
    WithLogIds {
        make_writer,
        style: Style {
            keys: [Cow::Borrowed("trace_id"), Cow::Borrowed("span_id")],
            trace_prefix: Cow::Borrowed(""),
            is_decimal: false,
        },
    }
}

/// A writer whose lines carry the ids of the current span. [`log_ids`] returns it.
#[derive(Clone)]
pub struct WithLogIds<W> {
    make_writer: W,
    style: Style,
}

/// How ids are written.
#[derive(Debug, Clone)]
struct Style {
    keys: [Cow<'static, str>; 2],
    trace_prefix: Cow<'static, str>,
    is_decimal: bool,
}

impl<W> WithLogIds<W> {
    /// Sets the names of the trace id and of the span id. `trace_id` and `span_id` by default.
    ///
    /// # Errors
    ///
    /// Returns an error if a name is empty or longer than 100 bytes, if it contains anything but visible ASCII characters, or
    /// one of `"`, `\` and `=`, or if both names are the same.
    ///
    /// ```
    /// use std::io::stdout;
    ///
    /// use opentracing_tracing::log_ids;
    ///
    /// // Elastic Common Schema:
    /// let ecs = log_ids(stdout).keys("trace.id", "span.id")?;
    /// // Datadog, which has 64-bit decimal ids:
    /// let datadog = log_ids(stdout).keys("dd.trace_id", "dd.span_id")?.decimal();
    /// // Google Cloud, which wants the trace's resource name:
    /// let google = log_ids(stdout)
    ///     .keys("logging.googleapis.com/trace", "logging.googleapis.com/spanId")?
    ///     .trace_prefix("projects/my-project/traces/")?;
    /// # let _ = (ecs, datadog, google);
    ///
    /// let error = log_ids(stdout).keys("trace id", "span_id").unwrap_err();
    /// assert_eq!(error.option(), "keys");
    /// # Ok::<(), opentracing_http::ConfigError>(())
    /// ```
    pub fn keys(
        mut self,
        trace_id: impl Into<Cow<'static, str>>,
        span_id: impl Into<Cow<'static, str>>,
    ) -> Result<Self, ConfigError> {
        let keys = [trace_id.into(), span_id.into()];
        for key in &keys {
            check("keys", key)?;
            if key.is_empty() {
                return Err(ConfigError::new("keys", "a name is empty; give it a name"));
            }
        }
        if keys[0] == keys[1] {
            let remedy = format!("both ids have the name {:?}; give them two names", keys[0]);
            return Err(ConfigError::new("keys", remedy));
        }
        self.style.keys = keys;
        Ok(self)
    }

    /// Writes the ids as decimal numbers, of the trace id the lower 64 bits, as Datadog's correlation of logs and traces needs
    /// them. In JSON they are strings, because many readers round such numbers. By default ids are 32 and 16 lower-case
    /// hexadecimal digits. See [`keys`](Self::keys) for an example.
    #[must_use]
    pub fn decimal(mut self) -> Self {
        self.style.is_decimal = true;
        self
    }

    /// Sets a text that is written before the trace id. None by default. See [`keys`](Self::keys) for an example.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is longer than 100 bytes, or contains anything but visible ASCII characters, or one of `"`,
    /// `\` and `=`.
    pub fn trace_prefix(
        mut self,
        prefix: impl Into<Cow<'static, str>>,
    ) -> Result<Self, ConfigError> {
        let prefix = prefix.into();
        check("trace_prefix", &prefix)?;
        self.style.trace_prefix = prefix;
        Ok(self)
    }
}

impl<W> fmt::Debug for WithLogIds<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Writers are often functions, which have no `Debug`.
        let mut all = f.debug_struct("WithLogIds");
        all.field("style", &self.style).finish_non_exhaustive()
    }
}

/// The maximum length of names and prefixes in bytes.
const LONGEST: usize = 100;

/// Checks a text that is written into text and JSON lines as it is.
fn check(option: &'static str, text: &str) -> Result<(), ConfigError> {
    let is_fit = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    if text.len() <= LONGEST && text.bytes().all(is_fit) {
        return Ok(());
    }
    let remedy = format!(
        "{text:?} cannot be written into every line; use at most {LONGEST} visible ASCII characters, none of them `\"`, `\\` or `=`"
    );
    Err(ConfigError::new(option, remedy))
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for WithLogIds<W> {
    type Writer = LogIdsWriter<'a, W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        LogIdsWriter::new(self.make_writer.make_writer(), &self.style, false)
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        let has_key = |field: &str| self.style.keys.iter().any(|key| key == field);
        let has_own = meta.fields().iter().any(|field| has_key(field.name()));
        LogIdsWriter::new(self.make_writer.make_writer_for(meta), &self.style, has_own)
    }
}

/// The writer of one line, which [`WithLogIds`] creates.
///
/// It writes each line at once, as formatters do, so that lines of several threads do not mix.
pub struct LogIdsWriter<'a, W: Write> {
    writer: W,
    style: &'a Style,
    /// Whether the event has a field with the name of an id.
    has_own: bool,
    /// The part of a line whose end has not come yet.
    begun: Vec<u8>,
}

impl<'a, W: Write> LogIdsWriter<'a, W> {
    fn new(writer: W, style: &'a Style, has_own: bool) -> Self {
        let begun = Vec::new();
        Self {
            writer,
            style,
            has_own,
            begun,
        }
    }

    /// Writes `text`, which ends with a line's end, as one line with the ids of the current span.
    fn write_line(&mut self, text: &[u8]) -> io::Result<()> {
        let Some(ids) = Ids::of(Span::current().log_ids()) else {
            return self.writer.write_all(text);
        };
        with_buffer(|line| {
            self.style.write(text, &ids, self.has_own, line)?;
            self.writer.write_all(line)
        })
    }

    fn write_begun(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.begun) {
            begun if begun.is_empty() => Ok(()),
            begun => self.writer.write_all(&begun),
        }
    }
}

impl<W: Write> Write for LogIdsWriter<'_, W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.write_all(text).map(|()| text.len())
    }

    fn write_all(&mut self, text: &[u8]) -> io::Result<()> {
        let is_end = text.ends_with(b"\n");
        if is_end && self.begun.is_empty() {
            return self.write_line(text);
        }
        self.begun.extend_from_slice(text);
        if !is_end {
            return Ok(());
        }
        let line = std::mem::take(&mut self.begun);
        self.write_line(&line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_begun()?;
        self.writer.flush()
    }
}

impl<W: Write> Drop for LogIdsWriter<'_, W> {
    fn drop(&mut self) {
        // A drop has no one to return an error to.
        let _ = self.write_begun();
    }
}

impl<W: Write> fmt::Debug for LogIdsWriter<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogIdsWriter").finish_non_exhaustive()
    }
}

/// The ids of a span that has some.
struct Ids {
    trace_id: TraceId,
    span_id: SpanId,
}

impl Ids {
    fn of(ids: LogIds) -> Option<Self> {
        Some(Self {
            trace_id: ids.trace_id()?,
            span_id: ids.span_id()?,
        })
    }
}

impl Style {
    /// Adds the line to `to`, with the ids where they belong.
    fn write(&self, text: &[u8], ids: &Ids, has_own: bool, to: &mut Vec<u8>) -> io::Result<()> {
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let length = text.len() - text.iter().rev().take_while(|byte| is_end(byte)).count();
        let (line, end) = text.split_at(length);
        let [trace_key, span_key] = &self.keys;
        let (trace_id, span_id) = self.shown(ids);
        match (json::object(line, &self.keys), line) {
            (Some(object), [members @ .., brace]) if !object.has_key => {
                let comma = if object.is_empty { "" } else { "," };
                to.extend_from_slice(members);
                write!(
                    to,
                    "{comma}\"{trace_key}\":\"{trace_id}\",\"{span_key}\":\"{span_id}\""
                )?;
                to.push(*brace);
            }
            (None, [.., last]) if !has_own => {
                to.extend_from_slice(line);
                // The format `Pretty` writes an indented block, and an empty line after it.
                let space = match last {
                    _ if line.starts_with(b"  ") && end == b"\n\n" => "\n    ",
                    b' ' => "",
                    _ => " ",
                };
                write!(to, "{space}{trace_key}={trace_id} {span_key}={span_id}")?;
            }
            _ => to.extend_from_slice(line),
        }
        to.extend_from_slice(end);
        Ok(())
    }

    /// Returns the two ids as they are written.
    fn shown<'a>(&'a self, ids: &'a Ids) -> (Shown<'a>, Shown<'a>) {
        let Ids { trace_id, span_id } = ids;
        let decimal = |id: u64| self.is_decimal.then_some(id);
        let trace_id = Shown {
            prefix: &self.trace_prefix,
            hexadecimal: trace_id,
            // The lower 64 bits.
            decimal: decimal(trace_id.get() as u64),
        };
        let span_id = Shown {
            prefix: "",
            hexadecimal: span_id,
            decimal: decimal(span_id.get()),
        };
        (trace_id, span_id)
    }
}

/// An id as it is written.
struct Shown<'a> {
    prefix: &'a str,
    hexadecimal: &'a dyn fmt::Display,
    decimal: Option<u64>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.prefix)?;
        match self.decimal {
            Some(decimal) => decimal.fmt(f),
            None => self.hexadecimal.fmt(f),
        }
    }
}

/// A buffer that grew beyond this size in bytes, because of a long line, is not kept.
const KEPT: usize = 16 * 1024;

/// Calls `f` with an empty buffer that the thread keeps. A line that is written within `f` gets another one.
fn with_buffer<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    thread_local! {
        static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    // On a thread that is ending there is none.
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    let result = f(&mut buffer);
    if buffer.capacity() <= KEPT {
        buffer.clear();
        let _ = BUFFER.try_with(|slot| slot.set(buffer));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_of_a_usual_line_is_kept_and_that_of_a_long_one_is_not() {
        let capacity = || with_buffer(|line| line.capacity());
        with_buffer(|line| line.reserve_exact(KEPT));
        assert_eq!(capacity(), KEPT);
        with_buffer(|line| line.reserve_exact(KEPT + 1));
        assert_eq!(capacity(), 0);
    }
}
