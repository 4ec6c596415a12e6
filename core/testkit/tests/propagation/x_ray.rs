//! X-Ray's format: one header of named fields, and a trace id in pieces.

use opentracing_http::propagation::Carrier;
use opentracing_http::propagation::{Extraction, Field, IncomingHeaders, Outgoing, Propagator};
use opentracing_http::{SpanContext, SpanId, TraceFlags, TraceId};
use opentracing_testkit::propagation::{Carries, Format, Table, context};

use crate::extract_single;

/// `X-Amzn-Trace-Id: Root=1-<8 digits>-<24 digits>;Parent=<16 digits>;Sampled=<0 or 1>`, in whatever order and with whatever
/// other fields.
#[derive(Debug)]
struct XRay;

const HEADER: &str = "x-amzn-trace-id";

impl Propagator for XRay {
    fn name(&self) -> &'static str {
        "x-ray"
    }

    fn fields(&self) -> &[Field] {
        const FIELDS: &[Field] = &[Field::named(HEADER)];
        FIELDS
    }

    fn extract(&self, headers: &IncomingHeaders<'_>, found: &mut Extraction) {
        extract_single(headers, HEADER, parse, found);
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn Carrier) {
        if let Some(context) = outgoing.context() {
            let [root, parent] = ids(context);
            let flags = context.flags();
            let sampled = match () {
                () if flags.is_deferred() => "",
                () if flags.is_sampled() => ";Sampled=1",
                () => ";Sampled=0",
            };
            carrier.set(HEADER, &format!("Root={root};Parent={parent}{sampled}"));
        }
    }
}

/// The ids as they stand in the header.
fn ids(context: &SpanContext) -> [String; 2] {
    let trace_id = context.trace_id().to_string();
    let (epoch, unique) = trace_id.split_at(8);
    [format!("1-{epoch}-{unique}"), context.span_id().to_string()]
}

fn parse(value: &[u8]) -> Option<SpanContext> {
    let (mut root, mut parent, mut sampled) = (None, None, None);
    for field in std::str::from_utf8(value).ok()?.split(';') {
        let (name, value) = field.trim_matches([' ', '\t']).split_once('=')?;
        let place = match name {
            "Root" => &mut root,
            "Parent" => &mut parent,
            "Sampled" => &mut sampled,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    let flags = match sampled {
        None => TraceFlags::DEFERRED,
        Some("0") => TraceFlags::NOT_SAMPLED,
        Some("1") => TraceFlags::SAMPLED,
        Some(_) => return None,
    };
    let span_id: SpanId = parent?.parse().ok()?;
    Some(SpanContext::new(trace_id(root?)?, span_id, flags))
}

fn trace_id(root: &str) -> Option<TraceId> {
    let (epoch, unique) = root.strip_prefix("1-")?.split_once('-')?;
    let lengths = (epoch.len(), unique.len()) == (8, 24);
    let digits = format!("{epoch}{unique}");
    digits.parse().ok().filter(|_| lengths)
}

pub(super) fn x_ray() -> Format {
    let carries = Carries {
        deferred: true,
        ..Carries::IDS_AND_DECISION
    };
    Format::new(XRay, carries, [read(), refused(), written()])
        .spells(|context| ids(context).to_vec())
}

const SAMPLED: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const DROPPED: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
const DEFERRED: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8";

fn sent(flags: TraceFlags) -> SpanContext {
    let trace_id = 0x5759_e988_bd86_2e3f_e1be_46a9_9427_2793;
    context(trace_id, 0x5399_5c3f_42cd_8ad8, flags)
}

fn read() -> Table {
    Table::new()
        .rule("The version 1, 8 digits of the time and 24 others; a span id; the decision")
        .reads(&[("X-Amzn-Trace-Id", SAMPLED)], sent(TraceFlags::SAMPLED))
        .reads(&[(HEADER, DROPPED)], sent(TraceFlags::NOT_SAMPLED))
        .reads(&[(HEADER, DEFERRED)], sent(TraceFlags::DEFERRED))
        .rule("Fields come in any order, blanks round them, and others between them")
        .reads(
            &[(
                HEADER,
                "Sampled=1; Lineage=a:b; Parent=e457b5a2e4d86bd1; Root=1-80f198ee-56343ba864fe8b2a57d3eff7",
            )],
            context(
                0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7,
                0xe457_b5a2_e4d8_6bd1,
                TraceFlags::SAMPLED,
            ),
        )
}

fn refused() -> Table {
    Table::new()
        .rule("Both ids with all their digits, each once, and no decision but 0 and 1")
        .refuses_each(
            HEADER,
            &[
                "",
                "Root=1-5759e988-bd862e3fe1be46a994272793",
                "Parent=53995c3f42cd8ad8",
                "Root=2-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
                "Root=1-5759e988bd86-2e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
                "Root=5759e988bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
                "Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8",
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000000",
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=2",
                "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Parent=1",
            ],
        )
        .refuses(&[(HEADER, SAMPLED), (HEADER, SAMPLED)])
}

fn written() -> Table {
    Table::new()
        .rule("The ids, and the decision where there is one")
        .writes(sent(TraceFlags::SAMPLED), &[(HEADER, SAMPLED)])
        .writes(sent(TraceFlags::NOT_SAMPLED), &[(HEADER, DROPPED)])
        .writes(sent(TraceFlags::DEFERRED), &[(HEADER, DEFERRED)])
}
