//! The work of the reporting thread: converts batches to requests.

use std::fmt;

use opentracing_http::FinishedSpan;
use opentracing_http::report::{ExportError, Exporter};

use crate::messages::Span;
use crate::model::{self, Envelope};
use crate::transport::{Receipt, Transport};

/// Sends batches to the collector, in as many requests as necessary.
pub(crate) struct OtlpExporter {
    envelope: Envelope,
    /// Maximum number of bytes of a request.
    request_bytes: usize,
    transport: Box<dyn Transport>,
    /// The collector's last warning, which is logged once.
    warning: String,
}

/// What happened to a batch so far.
#[derive(Debug, Default)]
struct Progress {
    delivered: usize,
    /// Number of spans that were refused, and the reason for the last of them.
    refused: usize,
    reason: String,
}

impl OtlpExporter {
    pub(crate) fn new(
        envelope: Envelope,
        request_bytes: usize,
        transport: Box<dyn Transport>,
    ) -> Self {
        Self {
            envelope,
            request_bytes,
            transport,
            warning: String::new(),
        }
    }

    /// Returns as many of the first spans as one request holds.
    fn request(&self, batch: &[FinishedSpan]) -> Request {
        let mut request = Request::default();
        for span in batch {
            let span = model::span(span);
            let bytes = model::size(&span);
            if self.envelope.size(request.bytes + bytes) > self.request_bytes {
                // Not between others, because delivered spans must be the first of a batch.
                if request.spans.is_empty() {
                    request.too_big = Some(bytes);
                }
                break;
            }
            request.bytes += bytes;
            request.spans.push(span);
        }
        request
    }

    /// Logs a warning about a request of which nothing was refused.
    fn warn(&mut self, message: String) {
        if !message.is_empty() && message != self.warning {
            log::warn!(target: "opentracing_http", "the collector warns: {message}");
            self.warning = message;
        }
    }
}

/// The next request.
#[derive(Debug, Default)]
struct Request {
    spans: Vec<Span>,
    /// The size of its spans in bytes.
    bytes: usize,
    /// The size of the first span, if it is too large for any request.
    too_big: Option<usize>,
}

impl Exporter for OtlpExporter {
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
        let mut progress = Progress::default();
        while let Some(rest @ [_, ..]) = batch.get(progress.done()..) {
            let request = self.request(rest);
            if let Some(bytes) = request.too_big {
                let limit = self.request_bytes;
                progress.refuse(
                    1,
                    format!("a span of {bytes} bytes exceeds the limit of a request, {limit}"),
                );
                continue;
            }
            let spans = request.spans.len();
            match self.transport.send(self.envelope.request(request.spans)) {
                Ok(Receipt {
                    refused: 0,
                    message,
                }) => {
                    progress.delivered += spans;
                    self.warn(message);
                }
                Ok(Receipt { refused, message }) => {
                    let refused = usize::try_from(refused).unwrap_or(usize::MAX);
                    let refused = refused.min(spans);
                    progress.delivered += spans - refused;
                    progress.refuse(refused, format!("{refused} spans were refused: {message}"));
                }
                Err(failure) if failure.is_retry => {
                    let error = ExportError::retry(failure.source)
                        .delivered(progress.delivered)
                        .refused(progress.refused);
                    return Err(match failure.after {
                        Some(pause) => error.after(pause),
                        None => error,
                    });
                }
                Err(failure) => progress.refuse(spans, failure.source.to_string()),
            }
        }
        match progress.refused {
            0 => Ok(()),
            _ => Err(ExportError::rejected(progress.reason).delivered(progress.delivered)),
        }
    }
}

impl Progress {
    const fn done(&self) -> usize {
        self.delivered + self.refused
    }

    fn refuse(&mut self, spans: usize, reason: String) {
        self.refused += spans;
        self.reason = reason;
    }
}

impl fmt::Debug for OtlpExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtlpExporter")
            .field("request_bytes", &self.request_bytes)
            .finish_non_exhaustive()
    }
}
