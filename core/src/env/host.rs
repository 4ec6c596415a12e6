use crate::env::variables::var;

/// Returns the name of this host, for tracers that send it with the spans; `None` if the system has none.
///
/// Jaeger takes processes without a host for processes on different hosts: it compares their clocks, and adds warnings to
/// spans that overlap their parents' ends.
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
