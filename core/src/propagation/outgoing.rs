//! What is written into headers.

use super::room::Room;
use crate::context::{Baggage, SpanContext};

/// What goes out: a context, or baggage alone.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    context: Option<&'a SpanContext>,
    baggage: &'a Baggage,
    /// What may still be written; without bounds where no [`Propagation`] sets them.
    pub(super) room: Option<&'a Room>,
}

impl<'a> Outgoing<'a> {
    /// A context with its baggage.
    #[must_use]
    pub fn new(context: &'a SpanContext) -> Self {
        Self {
            context: Some(context),
            baggage: context.baggage(),
            room: None,
        }
    }

    /// Baggage without a trace to belong to.
    #[must_use]
    pub fn baggage_only(baggage: &'a Baggage) -> Self {
        Self {
            context: None,
            baggage,
            room: None,
        }
    }

    pub(super) fn within<'b>(self, room: &'b Room) -> Outgoing<'b>
    where
        'a: 'b,
    {
        Outgoing {
            room: Some(room),
            ..self
        }
    }

    /// The span that the receiver's becomes a child of.
    #[must_use]
    pub fn context(&self) -> Option<&'a SpanContext> {
        self.context
    }

    /// The baggage.
    #[must_use]
    pub fn baggage(&self) -> &'a Baggage {
        self.baggage
    }

    /// Returns how many bytes the value of this header may have; 0 where no more headers may be written.
    #[must_use]
    pub fn room_for(&self, name: &str) -> usize {
        self.room.map_or(usize::MAX, |room| room.left_for(name))
    }

    /// Counts one item or member that was left out for want of room. A header that does not reach the carrier is counted
    /// without it.
    pub fn omit(&self) {
        if let Some(room) = self.room {
            room.omit(1);
        }
    }
}
