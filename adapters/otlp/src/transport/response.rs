//! The meaning of a collector's response (OTLP specification 1.x).

use std::time::Duration;

use prost::Message;

use crate::messages::{ExportTraceServiceResponse, RetryInfo, RpcStatus};
use crate::transport::Receipt;

/// Maximum number of bytes that are kept of a message.
const MESSAGE_BYTES: usize = 1_000;

/// The parts of a `google.rpc.Status`, which describes a failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) message: String,
    /// The `retry_delay` of a `google.rpc.RetryInfo`.
    pub(crate) after: Option<Duration>,
}

/// Decodes an `ExportTraceServiceResponse`; one that cannot be decoded counts as empty.
pub(crate) fn receipt(response: &[u8]) -> Receipt {
    let response = ExportTraceServiceResponse::decode(response).unwrap_or_default();
    receipt_of(response)
}

pub(crate) fn receipt_of(response: ExportTraceServiceResponse) -> Receipt {
    let partial = response.partial_success.unwrap_or_default();
    Receipt {
        // A negative number is an error of the collector.
        refused: u64::try_from(partial.rejected_spans).unwrap_or(0),
        message: shortened(&partial.error_message),
    }
}

/// Decodes a `google.rpc.Status`; one that cannot be decoded counts as empty.
pub(crate) fn details(status: &[u8]) -> Details {
    let status = RpcStatus::decode(status).unwrap_or_default();
    Details {
        message: shortened(&status.message),
        after: status.details.iter().find_map(retry_delay),
    }
}

/// Returns the delay if this is a `RetryInfo`.
fn retry_delay(detail: &prost_types::Any) -> Option<Duration> {
    let kind = detail.type_url.rsplit('/').next();
    if kind != Some("google.rpc.RetryInfo") {
        return None;
    }
    let info = RetryInfo::decode(&*detail.value).ok()?;
    // The conversion fails for a negative delay.
    info.retry_delay?.try_into().ok()
}

/// Returns the first part of another process' text, without control characters.
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
    use crate::messages::ExportTracePartialSuccess;

    const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

    fn status(kind: &str, seconds: i64, nanos: i32) -> Vec<u8> {
        let info = RetryInfo {
            retry_delay: Some(prost_types::Duration { seconds, nanos }),
        };
        let detail = |kind: &str, value| prost_types::Any {
            type_url: kind.to_owned(),
            value,
        };
        let other = detail(
            "type.googleapis.com/google.rpc.ErrorInfo",
            b"\x0a\x01x".into(),
        );
        let status = RpcStatus {
            message: "busy".to_owned(),
            details: vec![other, detail(kind, info.encode_to_vec())],
        };
        status.encode_to_vec()
    }

    #[test]
    fn delay_is_found_among_the_details() {
        let found = details(&status(RETRY_INFO, 2, 500_000_000));
        assert_eq!(found.message, "busy");
        assert_eq!(found.after, Some(Duration::from_millis(2500)));
        assert_eq!(
            details(&status(RETRY_INFO, 0, 0)).after,
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn delay_that_makes_no_sense_is_none() {
        assert_eq!(details(&status("other", 2, 0)).after, None);
        assert_eq!(details(&status(RETRY_INFO, -1, 0)).after, None);
        assert_eq!(details(b"\xff\xff"), Details::default());
    }

    #[test]
    fn receipt_tells_what_was_refused() {
        let response = |rejected_spans| {
            let partial = ExportTracePartialSuccess {
                rejected_spans,
                error_message: "too\nlarge".to_owned(),
            };
            let response = ExportTraceServiceResponse {
                partial_success: Some(partial),
            };
            response.encode_to_vec()
        };
        let expected = Receipt {
            refused: 3,
            message: "too large".to_owned(),
        };
        assert_eq!(receipt(&response(3)), expected);
        assert_eq!(receipt(&response(-1)).refused, 0);
        assert_eq!(receipt(b""), Receipt::default());
        assert_eq!(receipt(b"not protobuf"), Receipt::default());
    }

    #[test]
    fn long_message_is_cut() {
        let short = shortened(&"ö".repeat(10_000));
        assert_eq!(short.len(), MESSAGE_BYTES + "…".len());
    }
}
