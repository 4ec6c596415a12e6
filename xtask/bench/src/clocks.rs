//! How long the processor has worked.

use std::time::Duration;

/// Returns the processor time of this thread so far, or `None` where the system does not tell it.
#[cfg(unix)]
pub(crate) fn thread_time() -> Option<Duration> {
    time(rustix::time::ClockId::ThreadCPUTime)
}

/// Returns the processor time of this process so far, or `None` where the system does not tell it.
#[cfg(unix)]
pub(crate) fn process_time() -> Option<Duration> {
    time(rustix::time::ClockId::ProcessCPUTime)
}

#[cfg(unix)]
fn time(clock: rustix::time::ClockId) -> Option<Duration> {
    let time = rustix::time::clock_gettime(clock);
    let (seconds, nanoseconds) = (time.tv_sec.try_into(), time.tv_nsec.try_into());
    Some(Duration::new(seconds.ok()?, nanoseconds.ok()?))
}

/// Returns `None`.
#[cfg(not(unix))]
pub(crate) fn thread_time() -> Option<Duration> {
    None
}

/// Returns `None`.
#[cfg(not(unix))]
pub(crate) fn process_time() -> Option<Duration> {
    None
}
