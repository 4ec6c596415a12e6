//! A real Jaeger at the far end.
//!
//! Each transport that reaches it has fleets of services that send to it, whose cells check what comes back from the query
//! API by the same expectations as everywhere, and the cases of the tracer contract, which look at every type, every kind
//! of reference and every time.

mod cases;
mod contract;
mod otlp;
mod udp;

use std::fmt;

use xtask_jaeger::Addresses;

use crate::fleet::Variables;

pub(crate) use self::cases::{Outcome, Through, chosen, run};
pub(crate) use self::contract::{HELD_UP, TracerCase, serve};

/// A way from a service to a real Jaeger. A further one is an entry in [`TRANSPORTS`].
pub(crate) struct Transport {
    /// What it is called in rows, filters and files.
    pub(crate) name: &'static str,
    /// What it is, in one sentence.
    pub(crate) about: &'static str,
    /// What tells an example service to use it.
    pub(crate) variables: fn(&Addresses) -> Variables,
    /// The process's own tags as they come back: the key, and what the value begins with.
    pub(crate) process_tags: &'static [(&'static str, &'static str)],
    /// The tracer contract's cases, with its tracer and this Jaeger.
    pub(crate) cases: fn() -> Vec<TracerCase>,
    /// The cases that do not hold because Jaeger itself loses something.
    pub(crate) lost: &'static [Loss],
}

/// Something that Jaeger itself loses. Another version of it may not.
#[derive(Debug)]
pub(crate) struct Loss {
    /// The case that does not hold.
    pub(crate) case: &'static str,
    /// What its message has in it. A case that fails with another message fails for another reason.
    pub(crate) message: &'static str,
    pub(crate) reason: &'static str,
}

/// What is lost over every transport.
const EVENT_WITHOUT_TEXT: Loss = Loss {
    case: "texts_arrive_unchanged",
    message: "a log arrives byte for byte\\n  left: []",
    reason: "Jaeger makes the field `event` the name of an event, and an event without a name has no such field.",
};

/// All of them.
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
