//! What runs on the reporting thread: batches in, requests out.

use std::fmt;

use opentracing_http::FinishedSpan;
use opentracing_http::report::{ExportError, Exporter};

use crate::messages::Span;
use crate::model::{self, Envelope};
use crate::transport::{Receipt, Transport};

/// Sends batches to the collector, in as many requests as they need.
pub(crate) struct OtlpExporter {
    envelope: Envelope,
    /// The most bytes that a request has.
    request_bytes: usize,
    transport: Box<dyn Transport>,
    /// The collector's last warning, which is logged once.
    warning: String,
}

/// What became of a batch so far.
#[derive(Debug, Default)]
struct Progress {
    delivered: usize,
    /// The spans that were refused, and why the last of them were.
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

    /// Takes from the front as many spans as one request holds; the second is how many were too big for one.
    fn request(&self, batch: &[FinishedSpan]) -> Request {
        let mut request = Request::default();
        for span in batch {
            let span = model::span(span);
            let bytes = model::size(&span);
            if self.envelope.size(request.bytes + bytes) > self.request_bytes {
                // In between others it would upset their order: what is delivered of a batch comes first.
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

    /// Logs a warning for which nothing was refused.
    fn warn(&mut self, message: String) {
        if !message.is_empty() && message != self.warning {
            log::warn!(target: "opentracing_http", "the collector warns: {message}");
            self.warning = message;
        }
    }
}

/// What is sent next.
#[derive(Debug, Default)]
struct Request {
    spans: Vec<Span>,
    /// How many bytes they take.
    bytes: usize,
    /// The size of the first span, which no request can hold.
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
                    format!("a span of {bytes} bytes is larger than a request may be, {limit}"),
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
