//! A real Jaeger as the backend.
//!
//! For each transport that reaches it there are fleets of services, whose cells check the traces that the query API
//! returns with the same expectations as all others, and the cases of the tracer contract, which check every type,
//! every kind of reference and every time.

mod cases;
mod contract;
mod otlp;
mod udp;

use std::fmt;

use xtask_jaeger::Addresses;

use crate::fleet::Variables;

pub(crate) use self::cases::{Outcome, Through, chosen, run};
pub(crate) use self::contract::{HELD_UP, TracerCase, serve};

/// A transport from a service to a real Jaeger. To add one, add an entry to [`TRANSPORTS`].
pub(crate) struct Transport {
    /// Its name in rows, filters and files.
    pub(crate) name: &'static str,
    /// Its description, in one sentence.
    pub(crate) about: &'static str,
    /// The variables that make an example service use it.
    pub(crate) variables: fn(&Addresses) -> Variables,
    /// The process' own tags that are returned: the key, and the start of the value.
    pub(crate) process_tags: &'static [(&'static str, &'static str)],
    /// The tracer contract's cases, with its tracer and this Jaeger.
    pub(crate) cases: fn() -> Vec<TracerCase>,
    /// The cases that do not hold because Jaeger itself loses something.
    pub(crate) lost: &'static [Loss],
}

/// Something that Jaeger itself loses. Another version of Jaeger may not.
#[derive(Debug)]
pub(crate) struct Loss {
    /// The case that does not hold.
    pub(crate) case: &'static str,
    /// A part of the failure's message. A case that fails with another message fails for another reason.
    pub(crate) message: &'static str,
    pub(crate) reason: &'static str,
}

/// What is lost over every transport.
const EVENT_WITHOUT_TEXT: Loss = Loss {
    case: "texts_arrive_unchanged",
    message: "a log arrives byte for byte\\n  left: []",
    reason: "Jaeger makes the field `event` the name of an event, and an event without a name has no such field.",
};

/// All transports.
pub(crate) static TRANSPORTS: &[Transport] = &[otlp::OVER_HTTP, otlp::OVER_GRPC, udp::TRANSPORT];

impl PartialEq for Transport {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Transport {}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
