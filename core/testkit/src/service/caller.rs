//! The span of a caller, and how it travels.

use opentracing_http::{SpanId, TraceId};

/// The span of a caller, in a trace of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
}

/// The headers of a request.
pub(crate) type Headers = Vec<(&'static str, String)>;

/// Writes a caller's span into headers, with its decision: sampled or not.
pub(crate) type Format = fn(Caller, bool) -> Headers;

/// The formats that every service reads.
pub(crate) const FORMATS: [(&str, Format); 4] = [
    ("W3C", Caller::w3c),
    ("Jaeger", Caller::jaeger),
    ("B3, one header", Caller::b3),
    ("B3, several headers", Caller::b3_multi),
];

impl Caller {
    /// One of many that differ.
    pub(crate) fn number(number: u32) -> Self {
        let trace_id = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0000_0000 | u128::from(number);
        let span_id = 0x00f0_67aa_0000_0000 | u64::from(number);
        Self {
            trace_id: TraceId::new(trace_id).expect("not zero"),
            span_id: SpanId::new(span_id).expect("not zero"),
        }
    }

    pub(crate) fn w3c(self, sampled: bool) -> Headers {
        let (trace, span, sampled) = self.parts(sampled);
        vec![("traceparent", format!("00-{trace}-{span}-0{sampled}"))]
    }

    fn jaeger(self, sampled: bool) -> Headers {
        let (trace, span, sampled) = self.parts(sampled);
        vec![("uber-trace-id", format!("{trace}:{span}:0:{sampled}"))]
    }

    fn b3(self, sampled: bool) -> Headers {
        let (trace, span, sampled) = self.parts(sampled);
        vec![("b3", format!("{trace}-{span}-{sampled}"))]
    }

    fn b3_multi(self, sampled: bool) -> Headers {
        let (trace, span, sampled) = self.parts(sampled);
        vec![
            ("x-b3-traceid", trace),
            ("x-b3-spanid", span),
            ("x-b3-sampled", sampled.to_string()),
        ]
    }

    fn parts(self, sampled: bool) -> (String, String, u8) {
        let Self { trace_id, span_id } = self;
        (trace_id.to_string(), span_id.to_string(), sampled.into())
    }
}
