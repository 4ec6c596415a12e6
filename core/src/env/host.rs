use crate::env::variables::var;

/// Returns the name of this host, for tracers that send it with the spans; `None` where the system does not tell.
///
/// Jaeger corrects the times of spans whose processes it cannot tell to run on one host, and adds a warning to them.
///
/// On Linux it is the kernel's, elsewhere that of the variables `HOSTNAME` or `COMPUTERNAME`, which some shells and Windows
/// set.
#[must_use]
pub fn host_name() -> Option<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let variable = || var("HOSTNAME").or_else(|| var("COMPUTERNAME"));
    let name = kernel.or_else(variable)?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}
