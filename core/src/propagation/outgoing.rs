//! What is written into headers.

use super::room::Room;
use crate::context::{Baggage, SpanContext};

/// What is written: a context with its baggage, or baggage alone.
///
/// Formats get one in [`Propagator`](super::Propagator), which has an example for ids. This format writes a part of the
/// baggage:
///
/// ```
/// use opentracing_http::Baggage;
/// use opentracing_http::propagation::{Carrier, Extraction, Field, IncomingHeaders, Outgoing, Propagation, Propagator};
///
/// /// `x-acme-tenant: <the baggage item "tenant">`.
/// #[derive(Debug)]
/// struct Tenant;
///
/// impl Propagator for Tenant {
///     fn name(&self) -> &'static str {
///         "tenant"
///     }
///
///     fn fields(&self) -> &[Field] {
///         const FIELDS: &[Field] = &[Field::named("x-acme-tenant")];
///         FIELDS
///     }
///
///     fn extract(&self, _: &IncomingHeaders<'_>, _: &mut Extraction) {}
///
///     fn inject(&self, _: &Outgoing<'_>, _: &mut dyn Carrier) {}
///
///     fn inject_items(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
///         let Some(tenant) = outgoing.baggage().get("tenant") else {
///             return;
///         };
///         if tenant.len() <= outgoing.room_for("x-acme-tenant") {
///             carrier.set("x-acme-tenant", tenant);
///         } else {
///             outgoing.omit();
///         }
///     }
/// }
///
/// let mut baggage = Baggage::new();
/// baggage.set("tenant", "blue");
/// let mut headers = http::HeaderMap::new();
/// Propagation::none().write(Tenant).inject(&Outgoing::baggage_only(&baggage), &mut headers);
/// assert_eq!(headers["x-acme-tenant"], "blue");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    context: Option<&'a SpanContext>,
    baggage: &'a Baggage,
    /// How much may still be written; unlimited if there is no [`Propagation`].
    pub(super) room: Option<&'a Room>,
}

impl<'a> Outgoing<'a> {
    /// Creates a value from a context and its baggage; see [`Propagation`](super::Propagation) for an example.
    #[must_use]
    pub fn new(context: &'a SpanContext) -> Self {
        Self {
            context: Some(context),
            baggage: context.baggage(),
            room: None,
        }
    }

    /// Creates a value from baggage without a context.
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

    /// Returns the context of the span that will be the receiver's parent; `None` for baggage alone.
    #[must_use]
    pub fn context(&self) -> Option<&'a SpanContext> {
        self.context
    }

    /// Returns the baggage.
    #[must_use]
    pub fn baggage(&self) -> &'a Baggage {
        self.baggage
    }

    /// Returns the maximum number of bytes of this header's value; 0 if no more headers may be written.
    #[must_use]
    pub fn room_for(&self, name: &str) -> usize {
        self.room.map_or(usize::MAX, |room| room.left_for(name))
    }

    /// Counts one item or member as left out because of the budget. A header that does not reach the carrier is counted
    /// automatically.
    pub fn omit(&self) {
        if let Some(room) = self.room {
            room.omit(1);
        }
    }
}
