//! Protobuf's wire format, as much of it as OTLP needs.
//!
//! OTLP's messages for traces are stable (their version is 1), so that writing them by hand costs less than a generator, and
//! brings no dependency.

/// Field is a varint.
const VARINT: u64 = 0;
/// Field has eight bytes.
const FIXED64: u64 = 1;
/// Field has a length and so many bytes.
const LENGTH: u64 = 2;
/// Field has four bytes.
const FIXED32: u64 = 5;

/// Writes one message.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn key(&mut self, field: u32, wire: u64) {
        self.varint(u64::from(field) << 3 | wire);
    }

    /// Writes a number also where it is 0: for a field of a `oneof`.
    pub(crate) fn present(&mut self, field: u32, value: u64) {
        self.key(field, VARINT);
        self.varint(value);
    }

    /// Writes a number; 0 is what a missing field means.
    pub(crate) fn number(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.present(field, value.into());
        }
    }

    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.key(field, FIXED32);
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// Writes eight bytes also where they are all 0.
    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        self.key(field, FIXED64);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Writes bytes or a text also where it is empty.
    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.key(field, LENGTH);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Writes a text; the empty one is what a missing field means.
    pub(crate) fn text(&mut self, field: u32, value: &str) {
        if !value.is_empty() {
            self.bytes(field, value.as_bytes());
        }
    }

    /// Writes the key and the length of a message whose bytes are written next.
    pub(crate) fn open(&mut self, field: u32, length: usize) {
        self.key(field, LENGTH);
        self.varint(length as u64);
    }

    /// Writes bytes that are fields already.
    pub(crate) fn raw(&mut self, fields: &[u8]) {
        self.bytes.extend_from_slice(fields);
    }

    /// Writes a message.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.key(field, LENGTH);
        let at = self.bytes.len();
        // Most lengths take one byte.
        self.bytes.push(0);
        write(self);
        let length = self.bytes.len() - at - 1;
        let width = varint_width(length as u64);
        if width > 1 {
            self.bytes.splice(at..at, std::iter::repeat_n(0, width - 1));
        }
        let mut rest = length as u64;
        for byte in self.bytes.iter_mut().skip(at).take(width) {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        if let Some(last) = self.bytes.get_mut(at + width - 1) {
            *last &= 0x7f;
        }
    }
}

/// How many bytes a number takes.
pub(crate) fn varint_width(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes: nothing that is read here.
    Fixed,
}

/// Reads the fields of a message; ends at the first that makes no sense.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The last field of this number, if it is a message or a text.
    pub(crate) fn bytes(self, number: u64) -> Option<&'a [u8]> {
        let fields = self.filter_map(|(field, value)| match value {
            Field::Bytes(bytes) if field == number => Some(bytes),
            _ => None,
        });
        fields.last()
    }

    /// The last field of this number as a text, with what is not UTF-8 replaced.
    pub(crate) fn text(self, number: u64) -> String {
        String::from_utf8_lossy(self.bytes(number).unwrap_or_default()).into_owned()
    }

    /// The last field of this number, if it is a number; else 0.
    pub(crate) fn number(self, number: u64) -> u64 {
        let fields = self.filter_map(|(field, value)| match value {
            Field::Number(value) if field == number => Some(value),
            _ => None,
        });
        fields.last().unwrap_or(0)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length.try_into().ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = (u64, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.varint()?;
        let field = match key & 7 {
            VARINT => Field::Number(self.varint()?),
            FIXED64 => self.take(8).map(|_| Field::Fixed)?,
            FIXED32 => self.take(4).map(|_| Field::Fixed)?,
            LENGTH => {
                let length = self.varint()?;
                Field::Bytes(self.take(length)?)
            }
            _ => return None,
        };
        Some((key >> 3, field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_of_a_number_is_what_it_takes() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 1 << 35, u64::MAX] {
            let mut writer = Writer::default();
            writer.varint(value);
            assert_eq!(writer.bytes.len(), varint_width(value), "{value}");
            assert_eq!(Reader(&writer.bytes).varint(), Some(value));
        }
    }

    #[test]
    fn message_of_any_length_is_read_back() {
        for length in [0, 1, 125, 126, 127, 128, 16_380, 16_384, 3_000_000] {
            let mut writer = Writer::default();
            writer.message(3, |inner| inner.bytes(1, &vec![7; length]));
            writer.number(2, 5);
            let reader = Reader(&writer.bytes);
            let inner = reader.bytes(3).unwrap_or_default();
            assert_eq!(Reader(inner).bytes(1), Some(&*vec![7; length]));
            assert_eq!(reader.number(2), 5);
        }
    }

    #[test]
    fn what_makes_no_sense_ends_the_message() {
        for bytes in [
            &b"\x80"[..],
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x0a\x05abc",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x0b",
            b"\x09\0\0",
        ] {
            assert_eq!(Reader(bytes).next(), None, "{bytes:?}");
        }
    }
}
