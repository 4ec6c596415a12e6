//! Counts allocations and bytes for `cargo xtask bench`, which starts it: the only program with a counting allocator.

use std::process::ExitCode;

use xtask_bench::Counted;

fn main() -> ExitCode {
    xtask_bench::count(|run| {
        let counted = allocation_counter::measure(run);
        Counted {
            allocations: counted.count_total,
            live_bytes: counted.bytes_current,
        }
    })
}
