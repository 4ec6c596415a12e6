//! What tracing costs a request, side by side in one run: `cargo xtask bench`.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask_bench::run()
}
