//! What a tracer can and cannot carry, as data.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentracing_http::{Tag, Value};

use crate::hint::Asked;

/// What a tracer can and cannot carry. No case is skipped for it: the case then asserts what happens instead.
///
/// What a tracer leaves out still travels with the trace: that is the core's work, and asserted for every tracer.
#[derive(Debug, Clone, Copy)]
pub struct Capabilities {
    /// The step in which times arrive; what is finer is cut off.
    pub resolution: Duration,
    /// The shortest duration that arrives: a span that lasts less arrives as one that lasts this long.
    pub shortest: Duration,
    /// Which way spans take.
    pub delivery: Delivery,
    /// What it cannot carry, each with the reason.
    pub lacks: &'static [(Feature, &'static str)],
}

/// Which way spans take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// They are delivered when they are reported: nothing waits, nothing is lost, and a flush has nothing to do.
    AtOnce,
    /// They wait for an exporter, at most so many beside those that it holds, which are no more; what comes beyond is
    /// dropped and counted.
    Queued {
        /// The bound, at least [`SHORTEST_QUEUE`](Self::SHORTEST_QUEUE). Cases report several times as many: start the
        /// tracer with a few thousand at most.
        spans: usize,
    },
}

impl Delivery {
    /// The shortest queue with which the cases can be passed: so many spans are reported before a flush in cases that are
    /// not about queues.
    pub const SHORTEST_QUEUE: usize = 32;
}

/// What not every tracer can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// Tags and log fields arrive with their types. Without it they arrive as the text that they are shown as.
    TagTypes,
    /// Floating-point values that are infinite or not a number arrive as such. Without it they arrive as the text that they
    /// are shown as.
    NonFinite,
    /// Tags, and the fields of a log, arrive in the order in which they were set. Without it they arrive in any order.
    TagOrder,
    /// References arrive with their kinds. Without them only the parent's id does.
    References,
    /// The times of logs arrive. Without them only their order does.
    LogTimes,
    /// The baggage at the span's end arrives with it. Without it none does.
    Baggage,
    /// The tracestate arrives. Without it none does.
    Tracestate,
    /// It arrives how much the policy's limits left out. Without it what is left arrives without a word.
    Omitted,
}

impl Feature {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::TagTypes,
        Self::NonFinite,
        Self::TagOrder,
        Self::References,
        Self::LogTimes,
        Self::Baggage,
        Self::Tracestate,
        Self::Omitted,
    ];

    /// Returns what arrives with it, in a few words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::TagTypes => "types of tags and log fields",
            Self::NonFinite => "floats that are infinite or not a number, as such",
            Self::TagOrder => "order of tags and log fields",
            Self::References => "references of both kinds",
            Self::LogTimes => "times of logs",
            Self::Baggage => "baggage at the span's end",
            Self::Tracestate => "tracestate",
            Self::Omitted => "how much the policy's limits left out",
        }
    }
}

impl Capabilities {
    /// Everything arrives as it was recorded, at once; to start from.
    pub const ALL: Self = Self {
        resolution: Duration::from_nanos(1),
        shortest: Duration::ZERO,
        delivery: Delivery::AtOnce,
        lacks: &[],
    };

    /// Whether the tracer can carry this. If not, the running case says so in a line that it prints: the matrix page tells by it
    /// that the fallback was asserted.
    #[must_use]
    pub fn has(&self, feature: Feature) -> bool {
        let has = self.lacks.iter().all(|(lacking, _)| *lacking != feature);
        if !has {
            println!("fallback\t{feature:?}");
        }
        Asked::feature(&feature, has).note();
        has
    }

    /// Panics if the queue is too short for the cases.
    #[track_caller]
    pub(crate) fn check(&self) {
        if let Delivery::Queued { spans } = self.delivery {
            let least = Delivery::SHORTEST_QUEUE;
            assert!(
                spans >= least,
                "a queue of {spans} is too short for the kit: at least {least}"
            );
        }
    }

    /// A time as it arrives.
    pub(crate) fn time(&self, time: SystemTime) -> SystemTime {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let rest = since.as_nanos() % self.resolution.as_nanos().max(1);
        time - Duration::from_nanos(u64::try_from(rest).unwrap_or_default())
    }

    /// A value as it arrives.
    pub(crate) fn value(&self, value: impl Into<Value>) -> Value {
        let value = value.into();
        match self.has(Feature::TagTypes) {
            true => value,
            false => Value::from(value.to_string()),
        }
    }

    /// Tags as they arrive.
    pub(crate) fn tags<T: Into<Tag>>(&self, tags: impl IntoIterator<Item = T>) -> Vec<Tag> {
        let tags = tags.into_iter().map(Into::into);
        tags.map(|tag: Tag| Tag::new(tag.key, self.value(tag.value)))
            .collect()
    }
}
