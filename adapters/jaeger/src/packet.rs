//! Packs spans into datagrams.

use std::io::{self, Write};

use opentracing_http::FinishedSpan;
use rustracing_jaeger::thrift::agent::EmitBatchNotification;
use rustracing_jaeger::thrift::jaeger::{Batch, Process, Span};
use thrift_codec::data::Struct;
use thrift_codec::message::Message;
use thrift_codec::{CompactEncode, Error};

use crate::convert;
use crate::shorten::{SMALLEST, shorten};

/// Number of bytes of a long list's length, in addition to the one byte of an empty list.
const LIST_LENGTH: usize = 5;

/// Packs spans of one process into packets of limited size.
#[derive(Debug)]
pub(crate) struct Packer {
    process: Process,
    limit: usize,
    /// The size of a packet without spans.
    empty: usize,
}

/// One encoded message, and the number of its spans.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    pub(crate) spans: usize,
}

impl Packer {
    /// Returns an error with the smallest sufficient `limit` if the description of the process leaves no room for
    /// spans.
    pub(crate) fn new(process: Process, limit: usize) -> Result<Self, usize> {
        let empty = measure(&message(process.clone(), Vec::new())).saturating_add(LIST_LENGTH);
        let least = empty.saturating_add(SMALLEST);
        if limit < least {
            return Err(least);
        }
        Ok(Self {
            process,
            limit,
            empty,
        })
    }

    /// Packs as many of the first spans as fit, at least one if there is one. A span that would not fit alone is
    /// shortened.
    pub(crate) fn fill(&self, spans: &[FinishedSpan]) -> Result<Packet, Error> {
        let mut left = self.limit - self.empty;
        let mut packed: Vec<Span> = Vec::new();
        for span in spans {
            let mut span = convert::span(span);
            let mut size = measure(&Struct::from(span.clone()));
            if size > self.limit - self.empty {
                shorten(&mut span, size, self.limit - self.empty);
                size = measure(&Struct::from(span.clone()));
            }
            if size > left {
                break;
            }
            left -= size;
            packed.push(span);
        }
        let spans = packed.len();
        let mut bytes = Vec::with_capacity(self.limit - left);
        message(self.process.clone(), packed).compact_encode(&mut bytes)?;
        Ok(Packet { bytes, spans })
    }
}

fn message(process: Process, spans: Vec<Span>) -> Message {
    Message::from(EmitBatchNotification {
        batch: Batch { process, spans },
    })
}

/// Returns the number of encoded bytes; `usize::MAX` if the value cannot be encoded (a text of 2 GiB).
pub(crate) fn measure(value: &impl CompactEncode) -> usize {
    let mut count = Count(0);
    match value.compact_encode(&mut count) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}

struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
