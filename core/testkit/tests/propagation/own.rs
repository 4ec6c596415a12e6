//! A format of your own: one header, no decision.

use opentracing_http::propagation::Carrier;
use opentracing_http::propagation::{Extraction, Field, IncomingHeaders, Outgoing, Propagator};
use opentracing_http::{SpanContext, SpanId, TraceFlags, TraceId};
use opentracing_testkit::propagation::{Carries, Format, Table, context};

use crate::extract_single;

/// `x-own-trace: <trace id>/<span id>`, which only sampled services send.
#[derive(Debug)]
struct Own;

impl Propagator for Own {
    fn name(&self) -> &'static str {
        "own"
    }

    fn fields(&self) -> &[Field] {
        const FIELDS: &[Field] = &[Field::named("x-own-trace")];
        FIELDS
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        let parse = |value: &[u8]| -> Option<SpanContext> {
            let (trace, span) = std::str::from_utf8(value.trim_ascii())
                .ok()?
                .split_once('/')?;
            let ids: (TraceId, SpanId) = (trace.parse().ok()?, span.parse().ok()?);
            Some(SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED))
        };
        extract_single(headers, "x-own-trace", parse, found);
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        if let Some(context) = outgoing.context() {
            let value = format!("{}/{}", context.trace_id(), context.span_id());
            carrier.set("x-own-trace", &value);
        }
    }
}

pub(super) fn own() -> Format {
    let carries = Carries {
        always: Some(TraceFlags::SAMPLED),
        ..Carries::IDS_AND_DECISION
    };
    let header = "x-own-trace";
    let (one, other) = (
        "4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7",
        "80f198ee56343ba864fe8b2a57d3eff7/e457b5a2e4d86bd1",
    );
    let sent = context(
        0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
        0x00f0_67aa_0ba9_02b7,
        TraceFlags::SAMPLED,
    );
    let others = context(
        0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7,
        0xe457_b5a2_e4d8_6bd1,
        TraceFlags::SAMPLED,
    );
    let table = Table::new()
        .rule("Two ids with all their digits, a slash between them")
        .reads(&[(header, one)], sent.clone())
        .reads(&[(header, other)], others)
        .refuses_each(
            header,
            &[
                "",
                "/",
                "4bf92f3577b34da6a3ce929d0e0e4736",
                "4bf92f3577b34da6a3ce929d0e0e4736/",
                "4bf92f3577b34da6a3ce929d0e0e4736/f067aa0ba902b7",
                "4bf92f3577b34da6a3ce929d0e0e4736/0000000000000000",
            ],
        )
        .writes(sent, &[(header, one)]);
    Format::new(Own, carries, [table])
}
