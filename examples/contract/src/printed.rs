//! Parses the lines of the custom tracer; its documentation defines the format.

use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use opentracing_http::Tag;
use opentracing_testkit::tracer::{ReceivedLog, ReceivedSpan};

/// A printed span: every value is text, and the times of logs are missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Printed {
    /// The name of its service.
    pub service: String,
    /// The span.
    pub span: ReceivedSpan,
}

/// Parses one line; returns `None` if it is not a span's.
///
/// # Errors
///
/// Returns an error if it is a span's and incomplete.
#[must_use]
pub fn printed(line: &str) -> Option<Result<Printed, String>> {
    let fields = line.strip_prefix("span\t")?;
    Some(read(fields).ok_or_else(|| format!("a line that is not a whole span: {line}")))
}

fn read(line: &str) -> Option<Printed> {
    let mut fields = line.split('\t').map(field);
    let mut next = |expected: &str| {
        let (key, text) = fields.next()??;
        (key == expected).then_some(text)
    };
    let (trace_id, span_id) = (parsed(&next("trace")?)?, parsed(&next("id")?)?);
    let parent_id = match next("parent")? {
        none if none == "-" => None,
        parent => Some(parsed(&parent)?),
    };
    let mut span = ReceivedSpan::new(trace_id, span_id, next("name")?);
    span.parent_id = parent_id;
    let service = next("service")?;
    span.start = UNIX_EPOCH + Duration::from_micros(parsed(&next("start")?)?);
    span.duration = Duration::from_micros(parsed(&next("duration")?)?);
    for field in fields {
        let (key, text) = field?;
        match log_field(&key) {
            Some((number, key)) => add_to_log(&mut span, number, Tag::new(key.to_owned(), text))?,
            None => span.tags.push(Tag::new(key, text)),
        }
    }
    Some(Printed { service, span })
}

/// `<key>=<text>`.
fn field(field: &str) -> Option<(String, String)> {
    let (key, text) = field.split_once('=')?;
    Some((unescaped(key)?, unescaped(text)?))
}

/// `log.<number>.<key>`.
fn log_field(key: &str) -> Option<(usize, &str)> {
    let (number, key) = key.strip_prefix("log.")?.split_once('.')?;
    Some((parsed(number)?, key))
}

/// Logs are printed in the order of their numbers.
fn add_to_log(span: &mut ReceivedSpan, number: usize, field: Tag) -> Option<()> {
    if number == span.logs.len() {
        let (time, fields) = (None, Vec::new());
        span.logs.push(ReceivedLog { time, fields });
    }
    span.logs.get_mut(number)?.fields.push(field);
    Some(())
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next()? {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back() {
        let line = "span\ttrace=0123456789abcdef0123456789abcdef\tid=00000000000000ff\tparent=-\tname=GET /a\\tb\t\
                    service=shop\tstart=10\tduration=5\thttp.status_code=503\tquery=a=b\tlog.0.event=error\tlog.0.message=no";
        let Printed { service, span } = printed(line).unwrap().unwrap();
        assert_eq!((&*service, &*span.name), ("shop", "GET /a\tb"));
        assert_eq!((span.span_id.get(), span.parent_id), (255, None));
        assert_eq!(span.start, UNIX_EPOCH + Duration::from_micros(10));
        assert_eq!(span.duration, Duration::from_micros(5));
        let tags = [
            Tag::new("http.status_code", "503"),
            Tag::new("query", "a=b"),
        ];
        assert_eq!(span.tags, tags);
        let fields = [Tag::new("event", "error"), Tag::new("message", "no")];
        assert_eq!(span.logs.len(), 1);
        assert_eq!(span.logs[0].fields, fields);
    }

    #[test]
    fn other_lines_are_no_spans_and_broken_ones_are_problems() {
        assert_eq!(printed("listening on http://127.0.0.1:1"), None);
        for broken in [
            "span\ttrace=xyz",
            "span\tid=00000000000000ff",
            "span\ttrace=0123456789abcdef0123456789abcdef\tid=00000000000000ff\tparent=-\tname=\\x",
        ] {
            assert!(printed(broken).unwrap().is_err(), "{broken}");
        }
    }
}
