//! The work of the reporting thread: converts batches to packets.

use opentracing_http::FinishedSpan;
use opentracing_http::report::{ExportError, Exporter};

use crate::agent::Agent;
use crate::packet::Packer;

/// Sends batches to the agent, in as many packets as necessary.
#[derive(Debug)]
pub(crate) struct JaegerExporter {
    pub(crate) packer: Packer,
    pub(crate) agent: Agent,
}

impl Exporter for JaegerExporter {
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
        let mut sent = 0;
        while let Some(rest @ [_, ..]) = batch.get(sent..) {
            let packet = match self.packer.fill(rest) {
                Ok(packet) => packet,
                Err(error) => return Err(ExportError::rejected(error).delivered(sent)),
            };
            if let Err(error) = self.agent.send(&packet.bytes) {
                return Err(ExportError::retry(error).delivered(sent));
            }
            sent += packet.spans;
        }
        Ok(())
    }
}
