//! What has to be known of a line that may be a JSON object.

/// A line that is one JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) is_empty: bool,
    /// Whether one of its own members, not of those within its values, has one of the two names.
    pub(super) has_key: bool,
}

/// Reads a line; returns `None` if it is not one JSON object as a whole. What is within values is read only as far as needed to
/// find their ends.
pub(super) fn object(line: &[u8], keys: &[impl AsRef<str>; 2]) -> Option<Object> {
    let mut rest = Rest(line.strip_prefix(b"{")?);
    let mut object = Object {
        is_empty: true,
        has_key: false,
    };
    if rest.next()? == b'}' {
        rest.skip();
    } else {
        object.is_empty = false;
        loop {
            let key = rest.string()?;
            object.has_key |= keys.iter().any(|name| name.as_ref().as_bytes() == key);
            rest.expect(b':')?;
            rest.value()?;
            match rest.next()? {
                b',' => rest.skip(),
                b'}' => break rest.skip(),
                _ => return None,
            }
        }
    }
    rest.0.is_empty().then_some(object)
}

/// The part of a line that has not been read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Returns the next byte that is not white space, without reading it.
    fn next(&mut self) -> Option<u8> {
        self.0 = self.0.trim_ascii_start();
        self.0.first().copied()
    }

    /// Reads one byte.
    fn skip(&mut self) {
        self.0 = self.0.get(1..).unwrap_or_default();
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then(|| self.skip())
    }

    /// Reads a string, and returns what is between its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let text = self.0;
        let mut at = 0;
        loop {
            match text.get(at)? {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.0 = &text[at + 1..];
        Some(&text[..at])
    }

    fn value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.next()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.skip();
                    continue;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.skip();
                }
                b',' | b':' if depth > 0 => {
                    self.skip();
                    continue;
                }
                b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                    let is_part = |byte: &u8| {
                        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
                    };
                    let length = self.0.iter().take_while(|byte| is_part(byte)).count();
                    self.0 = &self.0[length..];
                }
                _ => return None,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_objects_are_recognized() {
        for (line, expected) in [
            ("{}", Some((true, false))),
            ("{ }", Some((true, false))),
            (r#"{"a":1}"#, Some((false, false))),
            (r#"{"a":-1.5e+3,"b":null,"c":true}"#, Some((false, false))),
            (
                r#"{"a":"}\\","b":["x",{"k":{}}],"c":{}}"#,
                Some((false, false)),
            ),
            (r#"{"a":"\"","k":"\\"}"#, Some((false, true))),
            (r#"{"l":[],"a":1}"#, Some((false, true))),
            (
                r#"{"a":{"k":1},"b":[{"l":2}],"c":"\"k\":"}"#,
                Some((false, false)),
            ),
            ("", None),
            ("{", None),
            (r#"{"a"}"#, None),
            (r#"{"a":1"#, None),
            (r#"{"a":1,}"#, None),
            (r#"{"a":1}}"#, None),
            (r#"{"a":1} {"b":2}"#, None),
            (r#"{"a":"x\"#, None),
            (r#"{"a" is no member}"#, None),
            ("{a: 1}", None),
            (r#"[{"a":1}]"#, None),
            (r#"INFO {"a":1}"#, None),
        ] {
            let expected = expected.map(|(is_empty, has_key)| Object { is_empty, has_key });
            assert_eq!(object(line.as_bytes(), &["k", "l"]), expected, "{line}");
        }
    }

    #[test]
    fn any_depth_is_read() {
        let line = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(object(line.as_bytes(), &["k", "l"]).is_some());
        assert_eq!(object(&line.as_bytes()[..150_000], &["k", "l"]), None);
    }
}
