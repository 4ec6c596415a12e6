//! Datadog's format: ids of 64 bits, in several headers.

use opentracing_http::propagation::Carrier;
use opentracing_http::propagation::{Extraction, Field, IncomingHeaders, Outgoing, Propagator};
use opentracing_http::{SpanContext, SpanId, TraceFlags, TraceId};
use opentracing_testkit::propagation::{Carries, Format, Table, context};

/// Datadog's headers: 64-bit ids in decimal, and a priority that is the decision.
#[derive(Debug)]
pub(super) struct Datadog;

pub(super) const TRACE_ID: &str = "x-datadog-trace-id";
pub(super) const PARENT_ID: &str = "x-datadog-parent-id";
pub(super) const PRIORITY: &str = "x-datadog-sampling-priority";

impl Propagator for Datadog {
    fn name(&self) -> &'static str {
        "datadog"
    }

    fn fields(&self) -> &[Field] {
        const FIELDS: &[Field] = &[
            Field::named(TRACE_ID),
            Field::named(PARENT_ID),
            Field::named(PRIORITY),
        ];
        FIELDS
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        let names = [TRACE_ID, PARENT_ID, PRIORITY];
        match names.map(|name| headers.single_named(name)) {
            [Ok(None), Ok(None), Ok(_)] => {}
            [Ok(Some(trace)), Ok(Some(span)), Ok(priority)] => match parse(trace, span, priority) {
                Some(context) => found.set_context(context),
                None => found.refuse(),
            },
            _ => found.refuse(),
        }
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        if let Some(context) = outgoing.context() {
            let trace_id = context.trace_id().get() as u64;
            carrier.set(TRACE_ID, &trace_id.to_string());
            carrier.set(PARENT_ID, &context.span_id().get().to_string());
            let flags = context.flags();
            match () {
                () if flags.is_debug() && flags.is_sampled() => carrier.set(PRIORITY, "2"),
                () if flags.is_deferred() => {}
                () if flags.is_sampled() => carrier.set(PRIORITY, "1"),
                () => carrier.set(PRIORITY, "0"),
            }
        }
    }
}

pub(super) fn parse(trace: &[u8], span: &[u8], priority: Option<&[u8]>) -> Option<SpanContext> {
    let flags = match priority.map(text) {
        None => TraceFlags::DEFERRED,
        Some(Some("-1" | "0")) => TraceFlags::NOT_SAMPLED,
        Some(Some("1")) => TraceFlags::SAMPLED,
        Some(Some("2")) => TraceFlags::DEBUG,
        Some(_) => return None,
    };
    let trace_id = TraceId::new(decimal(trace)?.into())?;
    Some(SpanContext::new(
        trace_id,
        SpanId::new(decimal(span)?)?,
        flags,
    ))
}

fn decimal(value: &[u8]) -> Option<u64> {
    let digits = text(value)?;
    let unsigned = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| unsigned)
}

/// The value without the blanks round it; `trim_ascii` would take line ends for blanks.
fn text(value: &[u8]) -> Option<&str> {
    Some(std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']))
}

pub(super) fn datadog() -> Format {
    datadog_as(Datadog)
}

/// The table of Datadog's format for this propagator.
pub(super) fn datadog_as(propagator: impl Propagator + 'static) -> Format {
    let carries = Carries {
        wide_trace_ids: false,
        debug: true,
        deferred: true,
        ..Carries::IDS_AND_DECISION
    };
    let (trace, span) = ((TRACE_ID, "123"), (PARENT_ID, "456"));
    let sent = |flags| context(123, 456, flags);
    let mut table = Table::new().rule("Two ids, and a priority from -1 to 2 or none");
    for (priority, flags) in [
        ("-1", TraceFlags::NOT_SAMPLED),
        ("0", TraceFlags::NOT_SAMPLED),
        ("1", TraceFlags::SAMPLED),
        ("2", TraceFlags::DEBUG),
    ] {
        table = table.reads(&[trace, span, (PRIORITY, priority)], sent(flags));
    }
    let largest = u64::MAX.to_string();
    let table = table
        .reads(&[trace, span], sent(TraceFlags::DEFERRED))
        .reads(
            &[(TRACE_ID, &*largest), (PARENT_ID, &largest)],
            context(u64::MAX.into(), u64::MAX, TraceFlags::DEFERRED),
        )
        .refuses(&[trace])
        .refuses(&[span])
        .refuses(&[trace, span, (PRIORITY, "3")])
        .refuses(&[trace, span, (PRIORITY, "")])
        .refuses(&[trace, span, (PRIORITY, "1"), (PRIORITY, "1")])
        .refuses(&[trace, trace, span])
        .passes_over(&[(PRIORITY, "1")])
        .rule("Ids are decimal numbers of 64 bits, not zero and without a sign");
    let table = [
        "",
        "0",
        "+123",
        "-123",
        "0x7b",
        "7b",
        "18446744073709551616",
    ]
    .iter()
    .fold(table, |table, bad| {
        table
            .refuses(&[(TRACE_ID, *bad), span])
            .refuses(&[trace, (PARENT_ID, *bad)])
    })
    .rule("The right-most 64 bits of the trace id")
    .writes(
        context(1 << 64 | 123, 456, TraceFlags::SAMPLED),
        &[trace, span, (PRIORITY, "1")],
    )
    .writes(
        sent(TraceFlags::NOT_SAMPLED),
        &[trace, span, (PRIORITY, "0")],
    )
    .writes(sent(TraceFlags::DEBUG), &[trace, span, (PRIORITY, "2")])
    .writes(sent(TraceFlags::DEFERRED), &[trace, span]);
    Format::new(propagator, carries, [table])
}
