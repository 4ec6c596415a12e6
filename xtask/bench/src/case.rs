//! The cases: what is mounted, and which context the caller sends.

use crate::request::Context;

/// One row of the tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The name of the case that has the same headers and nothing mounted.
    pub(crate) bare: &'static str,
    pub(crate) mount: Mount,
    pub(crate) context: Context,
}

/// What is mounted between the server and the handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mount {
    /// The framework alone.
    Bare,
    /// A layer, middleware, filter or pair of fairings that does nothing.
    Nothing,
    /// Tracing with this policy.
    Traced(Policy),
}

/// The settings that differ between the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) backend: Backend,
    pub(crate) formats: Formats,
    /// Whether the user agent and one header are tags besides the default ones.
    pub(crate) attributes: bool,
    /// Whether the request's path is skipped.
    pub(crate) skip: bool,
}

/// The receiver of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// The no-op tracer.
    Noop,
    /// A background reporter whose exporter computes the tags of each span and drops the spans.
    Discarding,
    Jaeger,
    Otlp,
}

/// Which formats are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Formats {
    /// What a policy reads by default: W3C, Jaeger and B3.
    All,
    W3c,
    Jaeger,
    B3,
}

/// The name of the case that the others are compared with.
pub(crate) const BARE: &str = "bare";

// The same for other headers: a request with more of them costs the framework more, too. The tables do not show them.
const BARE_NO_CALLER: &str = "bare, no caller";
const BARE_BAGGAGE: &str = "bare, baggage";
const BARE_TRACESTATE: &str = "bare, tracestate";
const BARE_JAEGER: &str = "bare, Jaeger's header";
const BARE_B3: &str = "bare, B3's header";

/// The name of the case that shows the cost of any layer.
pub(crate) const NOTHING: &str = "does nothing";

const SAMPLED: (&str, &str) = (
    "traceparent",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
);
const UNSAMPLED: (&str, &str) = (
    "traceparent",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
);
const BAGGAGE: (&str, &str) = ("baggage", "user=alice,tenant=blue,session=4711");
const TRACESTATE: (&str, &str) = ("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
const JAEGER_SAMPLED: (&str, &str) = (
    "uber-trace-id",
    "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:1",
);
const JAEGER_UNSAMPLED: (&str, &str) = (
    "uber-trace-id",
    "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:0",
);
const B3_SAMPLED: (&str, &str) = ("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1");
const B3_UNSAMPLED: (&str, &str) = ("b3", "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0");

const fn policy(backend: Backend) -> Policy {
    Policy {
        backend,
        formats: Formats::All,
        attributes: true,
        skip: false,
    }
}

const fn bare(name: &'static str, context: Context) -> Case {
    Case {
        name,
        bare: name,
        mount: Mount::Bare,
        context,
    }
}

const fn traced(name: &'static str, policy: Policy, context: Context) -> Case {
    Case {
        name,
        bare: BARE,
        mount: Mount::Traced(policy),
        context,
    }
}

const fn only(formats: Formats) -> Policy {
    Policy {
        formats,
        ..policy(Backend::Discarding)
    }
}

const RECORDING: Policy = policy(Backend::Discarding);

/// All cases, [`BARE`] first.
pub(crate) const CASES: [Case; 29] = [
    bare(BARE, &[SAMPLED]),
    Case {
        name: NOTHING,
        bare: BARE,
        mount: Mount::Nothing,
        context: &[SAMPLED],
    },
    traced(
        "skipped",
        Policy {
            skip: true,
            ..RECORDING
        },
        &[SAMPLED],
    ),
    traced("no-op tracer", policy(Backend::Noop), &[SAMPLED]),
    traced("unsampled", RECORDING, &[UNSAMPLED]),
    traced("recorded", RECORDING, &[SAMPLED]),
    traced("recorded, to Jaeger", policy(Backend::Jaeger), &[SAMPLED]),
    traced("recorded, to OTLP", policy(Backend::Otlp), &[SAMPLED]),
    bare(BARE_NO_CALLER, &[]),
    traced("recorded, no caller", RECORDING, &[]).over(BARE_NO_CALLER),
    traced(
        "recorded, no attributes",
        Policy {
            attributes: false,
            ..RECORDING
        },
        &[SAMPLED],
    ),
    bare(BARE_BAGGAGE, &[SAMPLED, BAGGAGE]),
    traced("unsampled, baggage", RECORDING, &[UNSAMPLED, BAGGAGE]).over(BARE_BAGGAGE),
    traced("recorded, baggage", RECORDING, &[SAMPLED, BAGGAGE]).over(BARE_BAGGAGE),
    bare(BARE_TRACESTATE, &[SAMPLED, TRACESTATE]),
    traced("unsampled, tracestate", RECORDING, &[UNSAMPLED, TRACESTATE]).over(BARE_TRACESTATE),
    traced("recorded, tracestate", RECORDING, &[SAMPLED, TRACESTATE]).over(BARE_TRACESTATE),
    traced("unsampled, only W3C", only(Formats::W3c), &[UNSAMPLED]),
    traced("recorded, only W3C", only(Formats::W3c), &[SAMPLED]),
    bare(BARE_JAEGER, &[JAEGER_SAMPLED]),
    traced(
        "unsampled, only Jaeger",
        only(Formats::Jaeger),
        &[JAEGER_UNSAMPLED],
    )
    .over(BARE_JAEGER),
    traced(
        "recorded, only Jaeger",
        only(Formats::Jaeger),
        &[JAEGER_SAMPLED],
    )
    .over(BARE_JAEGER),
    traced("unsampled, Jaeger's header", RECORDING, &[JAEGER_UNSAMPLED]).over(BARE_JAEGER),
    traced("recorded, Jaeger's header", RECORDING, &[JAEGER_SAMPLED]).over(BARE_JAEGER),
    bare(BARE_B3, &[B3_SAMPLED]),
    traced("unsampled, only B3", only(Formats::B3), &[B3_UNSAMPLED]).over(BARE_B3),
    traced("recorded, only B3", only(Formats::B3), &[B3_SAMPLED]).over(BARE_B3),
    traced("unsampled, B3's header", RECORDING, &[B3_UNSAMPLED]).over(BARE_B3),
    traced("recorded, B3's header", RECORDING, &[B3_SAMPLED]).over(BARE_B3),
];

/// Returns the name of the case that a case is compared with. Unknown cases are compared with [`BARE`].
pub(crate) fn bare_of(case: &str) -> &'static str {
    let found = CASES.iter().find(|known| known.name == case);
    found.map_or(BARE, |case| case.bare)
}

/// Returns `true` if the tables do not show the case.
pub(crate) fn is_hidden(case: &str) -> bool {
    case != BARE && bare_of(case) == case
}

impl Case {
    const fn over(self, bare: &'static str) -> Self {
        Self { bare, ..self }
    }

    /// Returns the policy, if the case has one.
    pub(crate) const fn policy(&self) -> Option<Policy> {
        match self.mount {
            Mount::Traced(policy) => Some(policy),
            Mount::Bare | Mount::Nothing => None,
        }
    }

    /// Returns `true` if this build can run the case.
    pub(crate) fn is_built(&self) -> bool {
        let backend = self.policy().map(|policy| policy.backend);
        (cfg!(feature = "jaeger") || backend != Some(Backend::Jaeger))
            && (cfg!(feature = "otlp") || backend != Some(Backend::Otlp))
    }

    /// Returns `true` if the case is measured over sockets, with one thread against two, and in flight: these take longest, and
    /// the other cases differ from these in the request's own instructions only.
    pub(crate) fn is_main(&self) -> bool {
        const MAIN: [&str; 5] = [BARE, NOTHING, "unsampled", "recorded", "recorded, to OTLP"];
        MAIN.contains(&self.name)
    }

    /// Returns `true` if the instructions of the tracer's threads are counted: where they differ.
    pub(crate) fn is_background_counted(&self) -> bool {
        const COUNTED: [&str; 6] = [
            "recorded",
            "recorded, to Jaeger",
            "recorded, to OTLP",
            "recorded, no attributes",
            "recorded, baggage",
            "recorded span, 8 tags",
        ];
        COUNTED.contains(&self.name)
    }
}
