//! The formats that the core has, with the grammars of their specifications.

mod b3;
mod jaeger;
mod w3c;

pub use self::b3::{b3_multi, b3_single};
pub use self::jaeger::jaeger;
pub use self::w3c::{w3c, w3c_trace_context};

/// `n` members or items, with a comma between: `k00=v,k01=v` and so on.
fn members(n: usize, value: &str) -> String {
    let members: Vec<_> = (0..n).map(|n| format!("k{n:02}={value}")).collect();
    members.join(",")
}
