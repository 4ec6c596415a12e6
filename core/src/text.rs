//! Text: tokens, white space, hexadecimal digits, and prefixes of bounded length.

use std::borrow::Cow;
use std::fmt;

/// Returns `true` if the text is a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Returns `true` if a token may contain this byte.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Removes optional white space (OWS) as RFC 9110, section 5.6.3, defines it: blank and tab only.
pub(crate) trait TrimOws {
    fn trim_ows(&self) -> &Self;
}

impl TrimOws for [u8] {
    fn trim_ows(&self) -> &Self {
        let mut text = self;
        while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
            text = rest;
        }
        text
    }
}

impl TrimOws for str {
    fn trim_ows(&self) -> &Self {
        self.trim_matches([' ', '\t'])
    }
}

/// Parses 1 to 32 lower-case hexadecimal digits. Returns `None` for anything else, including signs and blanks.
pub(crate) fn hex(digits: &[u8]) -> Option<u128> {
    if digits.is_empty() || digits.len() > 32 {
        return None;
    }
    // In two halves, because shifting 128 bits for each digit is several times slower.
    let (high, low) = digits.split_at(digits.len().saturating_sub(16));
    let (high, low) = (hex_half(high)?, hex_half(low)?);
    Some(u128::from(high) << 64 | u128::from(low))
}

/// Parses up to 16 lower-case hexadecimal digits.
fn hex_half(digits: &[u8]) -> Option<u64> {
    let (mut value, mut seen) = (0, 0);
    for digit in digits {
        let nibble = lower_digit(*digit);
        seen |= nibble;
        value = value << 4 | u64::from(nibble);
    }
    (seen < 16).then_some(value)
}

/// Returns the value of each lower-case hexadecimal digit; `None` if one of the bytes is not such a digit.
///
/// There is no branch per digit, so that the compiler can process many at once.
pub(crate) fn hex_values<const N: usize>(digits: &[u8; N]) -> Option<[u8; N]> {
    let (mut values, mut all) = ([0; N], 0);
    for (value, digit) in values.iter_mut().zip(digits) {
        *value = lower_digit(*digit);
        all |= *value;
    }
    (all < 16).then_some(values)
}

/// Parses 16 lower-case hexadecimal digits; returns `None` for anything else.
pub(crate) fn hex_u64(digits: &[u8; 16]) -> Option<u64> {
    /// Combines eight values of one digit each.
    const fn eight(values: u64) -> u64 {
        let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
        (fours | fours >> 16) & 0xffff_ffff
    }
    let values = u128::from_be_bytes(hex_values(digits)?);
    Some(eight((values >> 64) as u64) << 32 | eight(values as u64))
}

/// Returns the value of a lower-case hexadecimal digit; more than 15 for any other byte.
const fn lower_digit(byte: u8) -> u8 {
    let (digit, letter) = (byte.wrapping_sub(b'0'), byte.wrapping_sub(b'a'));
    if digit < 10 {
        digit
    } else if letter < 6 {
        letter + 10
    } else {
        u8::MAX
    }
}

/// Returns the value of a hexadecimal digit of either case.
pub(crate) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Cuts text to at most `limit` bytes at a character boundary, and frees memory that it does not use. Returns `true` if
/// text was cut.
pub(crate) fn bound(text: &mut Cow<'static, str>, limit: usize) -> bool {
    let kept = prefix(text, limit);
    if kept.len() < text.len() {
        *text = Cow::Owned(kept.to_owned());
        return true;
    }
    if let Cow::Owned(text) = text
        && has_spare_room(text.capacity(), text.len())
    {
        text.shrink_to_fit();
    }
    false
}

/// Returns whether a text has so much more capacity than it uses that the memory which a copy would free is worth the copy.
pub(crate) const fn has_spare_room(capacity: usize, length: usize) -> bool {
    capacity > 2 * length + 64
}

/// Returns the number of bytes on the heap.
#[allow(clippy::ptr_arg, reason = "it matters whether the text is owned")]
pub(crate) fn heap_size(text: &Cow<'static, str>) -> usize {
    match text {
        Cow::Borrowed(_) => 0,
        Cow::Owned(text) => text.capacity(),
    }
}

/// Returns the longest prefix of at most `limit` bytes that ends at a character boundary.
pub(crate) fn prefix(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Text that is written up to a limit; the rest is discarded.
#[derive(Debug)]
pub(crate) struct BoundedText<T = String> {
    pub(crate) text: T,
    pub(crate) is_cut: bool,
    left: usize,
}

impl<T: fmt::Write + Default> BoundedText<T> {
    /// Formats a value, at most `limit` bytes of it.
    pub(crate) fn of(shown: &dyn fmt::Display, limit: usize) -> Self {
        let mut bounded = Self {
            text: T::default(),
            is_cut: false,
            left: limit,
        };
        // An error means that the text was cut, or that the value's own `fmt` failed.
        let _ = fmt::write(&mut bounded, format_args!("{shown}"));
        bounded
    }
}

impl<T: fmt::Write> fmt::Write for BoundedText<T> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let kept = prefix(text, self.left);
        self.text.write_str(kept)?;
        if kept.len() < text.len() {
            self.is_cut = true;
            self.left = 0;
            return Err(fmt::Error);
        }
        self.left -= kept.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_1_to_32_lower_case_digits() {
        assert_eq!((hex(b""), hex(&[b'1'; 33])), (None, None));
        assert_eq!((hex(b"A"), hex(b"+1"), hex(b" 1")), (None, None, None));
        assert_eq!((hex(b"0f"), hex(&[b'f'; 32])), (Some(15), Some(u128::MAX)));
    }

    #[test]
    fn digits_in_lower_case_have_values() {
        assert_eq!(hex_values(b"09afa"), Some([0, 9, 10, 15, 10]));
        assert_eq!(hex_u64(b"0123456789abcdef"), Some(0x0123_4567_89ab_cdef));
        for at in 0..16 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"fedcba9876543210";
                digits[at] = byte;
                assert_eq!(hex_u64(&digits), hex(&digits).map(|value| value as u64));
            }
        }
        for byte in 0..=255 {
            let expected = hex(&[byte]).map(|value| [15, value as u8]);
            assert_eq!(hex_values(&[b'f', byte]), expected, "{byte}");
        }
    }

    #[test]
    fn digits_of_either_case_have_values() {
        let values: Vec<_> = b"09afAFg/:".iter().map(|digit| hex_digit(*digit)).collect();
        let expected = [0, 9, 10, 15, 10, 15].map(Some);
        assert_eq!(values, [&expected[..], &[None; 3]].concat());
    }
}
