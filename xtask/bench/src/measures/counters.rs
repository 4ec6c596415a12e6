//! The processor's own counter of instructions.

use crate::Problem;

/// Calls a function and returns the instructions that this thread has executed meanwhile, without those of the kernel.
#[cfg(target_os = "linux")]
pub(super) fn instructions(run: impl FnOnce()) -> Result<u64, Problem> {
    use perf_event::Builder;
    use perf_event::events::Hardware;

    let problem = |error: std::io::Error| Problem(error.to_string());
    let mut counter = Builder::new(Hardware::INSTRUCTIONS)
        .exclude_kernel(true)
        .exclude_hv(true)
        .build()
        .map_err(problem)?;
    counter.enable().map_err(problem)?;
    run();
    counter.disable().map_err(problem)?;
    counter.read().map_err(problem)
}

/// Returns an error: there is no interface to them here.
#[cfg(not(target_os = "linux"))]
pub(super) fn instructions(_: impl FnOnce()) -> Result<u64, Problem> {
    Err(Problem("they are read on Linux only".to_owned()))
}
