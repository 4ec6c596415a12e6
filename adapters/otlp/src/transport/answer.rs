//! What a collector's response says (OTLP specification 1.x).

use std::time::Duration;

use crate::protobuf::{Field, Reader};
use crate::transport::Receipt;

/// The longest message that is kept.
const MESSAGE_BYTES: usize = 1_000;

/// A `google.rpc.Status`, which comes with a failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) message: String,
    /// The `retry_delay` of a `google.rpc.RetryInfo`.
    pub(crate) after: Option<Duration>,
}

/// Reads an `ExportTraceServiceResponse`.
pub(crate) fn receipt(response: &[u8]) -> Receipt {
    let Some(partial) = Reader(response).bytes(1) else {
        return Receipt::default();
    };
    let partial = Reader(partial);
    Receipt {
        // A negative number would be nonsense.
        refused: partial.number(1).cast_signed().max(0).cast_unsigned(),
        message: shortened(&partial.text(2)),
    }
}

/// Reads a `google.rpc.Status`.
pub(crate) fn details(status: &[u8]) -> Details {
    let mut after = None;
    for (field, value) in Reader(status) {
        if let (3, Field::Bytes(detail)) = (field, value) {
            after = after.or(retry_info(Reader(detail)));
        }
    }
    Details {
        message: shortened(&Reader(status).text(2)),
        after,
    }
}

/// The delay in an `Any`, if that is a `RetryInfo`.
fn retry_info(detail: Reader<'_>) -> Option<Duration> {
    let kind = detail.text(1);
    if kind.rsplit('/').next() != Some("google.rpc.RetryInfo") {
        return None;
    }
    let delay = Reader(detail.bytes(2)?).bytes(1).unwrap_or_default();
    let delay = Reader(delay);
    let seconds = delay.number(1).try_into().ok().map(i64::cast_unsigned)?;
    let nanos = u32::try_from(delay.number(2))
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

/// The first part of a text that another process wrote, without control characters.
pub(crate) fn shortened(text: &str) -> String {
    let mut short = String::new();
    for c in text.trim().chars() {
        if short.len() + c.len_utf8() > MESSAGE_BYTES {
            short.push('…');
            break;
        }
        short.push(if c.is_control() { ' ' } else { c });
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::Writer;

    fn status(kind: &str, seconds: u64, nanos: u32) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(1, 8);
        writer.text(2, "busy");
        writer.message(3, |any| {
            any.text(1, "type.googleapis.com/google.rpc.ErrorInfo");
            any.message(2, |info| info.text(1, "x"));
        });
        writer.message(3, |any| {
            any.text(1, kind);
            any.message(2, |info| {
                info.message(1, |delay| {
                    delay.present(1, seconds);
                    delay.number(2, nanos);
                });
            });
        });
        writer.into_bytes()
    }

    #[test]
    fn delay_is_found_among_the_details() {
        let kind = "type.googleapis.com/google.rpc.RetryInfo";
        let found = details(&status(kind, 2, 500_000_000));
        assert_eq!(found.message, "busy");
        assert_eq!(found.after, Some(Duration::from_millis(2500)));
        assert_eq!(details(&status(kind, 0, 0)).after, Some(Duration::ZERO));
    }

    #[test]
    fn delay_that_makes_no_sense_is_none() {
        let kind = "type.googleapis.com/google.rpc.RetryInfo";
        assert_eq!(details(&status("other", 2, 0)).after, None);
        assert_eq!(details(&status(kind, u64::MAX, 0)).after, None, "negative");
        assert_eq!(details(&status(kind, 1, u32::MAX)).after, None);
        assert_eq!(details(b"\xff\xff"), Details::default());
    }

    #[test]
    fn receipt_tells_what_was_refused() {
        let mut writer = Writer::default();
        writer.message(1, |partial| {
            partial.present(1, 3);
            partial.text(2, "too\nlarge");
        });
        let expected = Receipt {
            refused: 3,
            message: "too large".to_owned(),
        };
        assert_eq!(receipt(&writer.into_bytes()), expected);
        assert_eq!(receipt(b""), Receipt::default());
        assert_eq!(receipt(b"not protobuf"), Receipt::default());
        let mut writer = Writer::default();
        writer.message(1, |partial| partial.present(1, u64::MAX));
        assert_eq!(receipt(&writer.into_bytes()).refused, 0, "negative");
    }

    #[test]
    fn long_message_is_cut() {
        let short = shortened(&"ö".repeat(10_000));
        assert_eq!(short.len(), MESSAGE_BYTES + "…".len());
    }
}
