//! Percent-encoding (RFC 3986, section 2.1), as the baggage formats use it.

use std::borrow::Cow;

/// Decodes `%XX`. What is not UTF-8 then becomes U+FFFD, as W3C Baggage has it.
///
/// A `%` that no two hexadecimal digits follow stands for itself: senders that never encode are common, and nothing is
/// lost by it.
pub(super) fn decode(text: &[u8]) -> Cow<'_, str> {
    decode_with(text, b'+')
}

/// The same for HTML forms' variant, in which a blank is a `+`.
pub(super) fn decode_form(text: &[u8]) -> Cow<'_, str> {
    decode_with(text, b' ')
}

fn decode_with(text: &[u8], plus: u8) -> Cow<'_, str> {
    let plain = |byte: &u8| *byte != b'%' && (*byte != b'+' || plus == b'+');
    if text.iter().all(plain) {
        return String::from_utf8_lossy(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        let byte;
        (byte, rest) = match (escape(rest), *first) {
            (Some(escape), _) => escape,
            (None, b'+') => (plus, after),
            (None, first) => (first, after),
        };
        decoded.push(byte);
    }
    Cow::Owned(match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = text else {
        return None;
    };
    Some((nibble(*high)? << 4 | nibble(*low)?, after))
}

/// The value of a hexadecimal digit of either case.
pub(super) fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Appends `text`, with every byte encoded that is not ASCII or that `keep` does not name.
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
    fn plain_text_is_borrowed() {
        assert!(matches!(decode(b"a+b"), Cow::Borrowed(_)));
        assert!(matches!(decode_form(b"a-b"), Cow::Borrowed(_)));
    }
}
