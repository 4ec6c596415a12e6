//! Reads the lines of the custom tracer's example.

use xtask_collector::{Log, Span, Tag, TraceId, Value};

/// Reads one line, whose form the custom tracer's documentation gives. `None` if it is not a span's.
pub(crate) fn span(line: &str) -> Option<Result<Span, String>> {
    let fields = line.strip_prefix("span\t")?;
    Some(read(fields).ok_or_else(|| format!("a line that is not a whole span: {line}")))
}

fn read(line: &str) -> Option<Span> {
    let mut fields = line.split('\t').map(field);
    let mut next = |key: &str| fields.next()??.of(key);
    let trace_id = u128::from_str_radix(&next("trace")?, 16).ok()?;
    let id = u64::from_str_radix(&next("id")?, 16).ok()?;
    let parent_id = match next("parent")?.as_str() {
        "-" => 0,
        parent => u64::from_str_radix(parent, 16).ok()?,
    };
    let mut span = Span {
        name: next("name")?,
        service: next("service")?,
        start_micros: Some(next("start")?.parse().ok()?),
        duration_micros: Some(next("duration")?.parse().ok()?),
        process_tags: Vec::new(),
        trace_id: TraceId(trace_id),
        id,
        parent_id,
        references: Vec::new(),
        flags: 1,
        tags: Vec::new(),
        logs: Vec::new(),
    };
    for field in fields {
        let field = field?;
        match log_field(&field.key) {
            Some((number, key)) => add_log_field(&mut span, number, key, &field.text)?,
            None => span.tags.push(tag(&field.key, &field.text)),
        }
    }
    Some(span)
}

struct Field {
    key: String,
    text: String,
}

impl Field {
    fn of(self, key: &str) -> Option<String> {
        (self.key == key).then_some(self.text)
    }
}

fn field(field: &str) -> Option<Field> {
    let (key, text) = field.split_once('=')?;
    Some(Field {
        key: unescaped(key)?,
        text: unescaped(text)?,
    })
}

/// `log.<number>.<key>`.
fn log_field(key: &str) -> Option<(usize, &str)> {
    let (number, key) = key.strip_prefix("log.")?.split_once('.')?;
    Some((number.parse().ok()?, key))
}

/// Logs come in order; their time is not printed, so they stand at the span's end.
fn add_log_field(span: &mut Span, number: usize, key: &str, text: &str) -> Option<()> {
    if number == span.logs.len() {
        let micros = span.end_micros()?;
        span.logs.push(Log {
            micros,
            fields: Vec::new(),
        });
    }
    span.logs.get_mut(number)?.fields.push(tag(key, text));
    Some(())
}

/// What is printed has no types; numbers and booleans are taken for what they look like.
fn tag(key: &str, text: &str) -> Tag {
    let value = match (text.parse(), text.parse()) {
        (Ok(number), _) => Value::Long(number),
        (_, Ok(bool)) => Value::Bool(bool),
        _ => Value::Text(text.to_owned()),
    };
    Tag {
        key: key.to_owned(),
        value,
    }
}

fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next()? {
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
        let span = span(line).unwrap().unwrap();
        assert_eq!(
            (span.id, span.parent_id, span.name.as_str()),
            (255, 0, "GET /a\tb")
        );
        assert_eq!(span.tag("http.status_code"), Some(&Value::Long(503)));
        assert_eq!(span.tag("query"), Some(&Value::Text("a=b".to_owned())));
        assert_eq!(
            span.logs[0].field("message"),
            Some(&Value::Text("no".to_owned()))
        );
    }

    #[test]
    fn other_lines_are_no_spans_and_broken_ones_are_problems() {
        assert!(span("listening on http://127.0.0.1:1").is_none());
        assert!(span("span\ttrace=xyz").unwrap().is_err());
    }
}
