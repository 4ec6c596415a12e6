//! The formats that the core has, with the grammars of their specifications.

mod b3;
mod jaeger;
mod w3c;

use opentracing_http::{SpanContext, TraceFlags};

use super::context;

pub use self::b3::{b3_multi, b3_single};
pub use self::jaeger::jaeger;
pub use self::w3c::{w3c, w3c_trace_context};

/// The ids `80f198ee56343ba864fe8b2a57d3eff7` and `e457b5a2e4d86bd1`.
fn ids(flags: TraceFlags) -> SpanContext {
    context(
        0x80f1_98ee_5634_3ba8_64fe_8b2a_57d3_eff7,
        0xe457_b5a2_e4d8_6bd1,
        flags,
    )
}

/// `n` members or items, with a comma between: `k00=v,k01=v` and so on.
fn members(n: usize, value: &str) -> String {
    let members: Vec<_> = (0..n).map(|n| format!("k{n:02}={value}")).collect();
    members.join(",")
}
