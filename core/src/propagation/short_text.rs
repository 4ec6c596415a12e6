//! Short header values, built without an allocation.

use std::fmt;

/// The longest value, a `traceparent`, has 55 bytes.
const CAPACITY: usize = 64;

/// Text on the stack. Text that exceeds its capacity is left out; no format's value does.
pub(crate) struct ShortText {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl ShortText {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            len: 0,
        }
    }

    pub(super) fn push_str(&mut self, text: &str) {
        if let Some(place) = self.bytes.get_mut(self.len..self.len + text.len()) {
            place.copy_from_slice(text.as_bytes());
            self.len += text.len();
        }
    }

    /// Appends the number's last `digits` hexadecimal digits, in lower case.
    pub(super) fn push_hex(&mut self, mut number: u128, digits: usize) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        if let Some(place) = self.bytes.get_mut(self.len..self.len + digits) {
            for digit in place.iter_mut().rev() {
                *digit = DIGITS[(number & 0xf) as usize];
                number >>= 4;
            }
            self.len += digits;
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        // The text is always ASCII, so neither default is used.
        std::str::from_utf8(self.bytes.get(..self.len).unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_fits() {
        let mut text = ShortText::new();
        text.push_hex(0xabc, 5);
        text.push_str("-");
        text.push_hex(0x123, 2);
        assert_eq!(text.as_str(), "00abc-23");
        text.push_str(&"x".repeat(CAPACITY));
        text.push_hex(1, CAPACITY);
        assert_eq!(text.as_str(), "00abc-23");
    }
}
