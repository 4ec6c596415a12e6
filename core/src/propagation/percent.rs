//! Percent-encoding (RFC 3986, section 2.1), as used by the formats of baggage.

use crate::text::hex_digit;

/// Decodes `%XX`. Decoded bytes that are not UTF-8 become U+FFFD, as W3C Baggage requires.
///
/// A `%` that is not followed by two hexadecimal digits is kept: many senders never encode, and keeping it loses
/// nothing. The buffer is used for all values of a request, and allocated for the first one that needs it.
#[derive(Default)]
pub(super) struct Decoder {
    bytes: Vec<u8>,
}

impl Decoder {
    /// Appends the decoded text; a `+` stays a `+`.
    pub(super) fn decode(&mut self, text: &[u8], out: &mut String) {
        self.decode_with(text, b'+', out);
    }

    /// Appends the decoded text; a `+` becomes a blank, as in HTML forms.
    pub(super) fn decode_form(&mut self, text: &[u8], out: &mut String) {
        self.decode_with(text, b' ', out);
    }

    fn decode_with(&mut self, text: &[u8], plus: u8, out: &mut String) {
        let plain = |byte: &u8| *byte != b'%' && (*byte != b'+' || plus == b'+');
        if text.iter().all(plain) {
            return push_lossy(text, out);
        }
        self.bytes.clear();
        self.bytes.reserve(text.len());
        let mut rest = text;
        while let [first, after @ ..] = rest {
            let byte;
            (byte, rest) = match (escape(rest), *first) {
                (Some(escape), _) => escape,
                (None, b'+') => (plus, after),
                (None, first) => (first, after),
            };
            self.bytes.push(byte);
        }
        push_lossy(&self.bytes, out);
    }
}

/// Decodes `%XX` as [`Decoder`] does.
pub(crate) fn decode_lossy(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    Decoder::default().decode(text, &mut out);
    out
}

/// Decodes `%XX`; returns `None` if a `%` is not followed by two hexadecimal digits, or if the bytes are not UTF-8.
pub(crate) fn decode_strictly(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        let byte;
        (byte, rest) = match first {
            b'%' => escape(rest)?,
            first => (*first, after),
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

fn push_lossy(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = text else {
        return None;
    };
    Some((hex_digit(*high)? << 4 | hex_digit(*low)?, after))
}

/// Appends `text`; percent-encodes every byte that is not ASCII or for which `keep` returns `false`.
pub(super) fn encode(text: &str, keep: fn(u8) -> bool, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii() && keep(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 0x0f)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &[u8]) -> String {
        let mut decoded = String::new();
        Decoder::default().decode(text, &mut decoded);
        decoded
    }

    fn decode_form(text: &[u8]) -> String {
        let mut decoded = String::new();
        Decoder::default().decode_form(text, &mut decoded);
        decoded
    }

    #[test]
    fn decodes_what_is_encoded_and_keeps_the_rest() {
        for (text, expected) in [
            (&b""[..], ""),
            (b"plain", "plain"),
            (b"a%20b%2Bc", "a b+c"),
            (b"%e2%82%aC", "€"),
            (b"a+b", "a+b"),
            (b"5%", "5%"),
            (b"%2", "%2"),
            (b"%zz%41", "%zzA"),
            (b"%%41", "%A"),
            (b"%2525", "%25"),
            (b"%ff-%C3", "\u{fffd}-\u{fffd}"),
            (b"\xff", "\u{fffd}"),
        ] {
            assert_eq!(decode(text), expected);
        }
        assert_eq!(decode_form(b"a+b%2Bc"), "a b+c");
    }

    #[test]
    fn decoding_undoes_encoding() {
        let mut encoded = String::new();
        encode("a b%+€\n", |byte| byte.is_ascii_alphabetic(), &mut encoded);
        assert_eq!(encoded, "a%20b%25%2B%E2%82%AC%0A");
        assert_eq!(decode(encoded.as_bytes()), "a b%+€\n");
        assert_eq!(decode_form(encoded.as_bytes()), "a b%+€\n");
    }

    #[test]
    fn strict_decoding_refuses_malformed_text() {
        for (text, expected) in [
            ("", Some("")),
            ("a+b%2C%e2%82%aC", Some("a+b,€")),
            ("%2525", Some("%25")),
            ("5%", None),
            ("%2", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decode_strictly(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn values_are_appended_one_after_the_other() {
        let (mut decoder, mut decoded) = (Decoder::default(), "a".to_owned());
        for text in [&b"%41%42"[..], b"c", b"%43"] {
            decoder.decode(text, &mut decoded);
        }
        assert_eq!(decoded, "aABcC");
    }
}
