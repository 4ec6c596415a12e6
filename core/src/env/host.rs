use crate::env::variables::var;

/// Returns the name of this host, for tracers that send it with the spans; `None` if the system has none.
///
/// Jaeger assumes that processes without a host name run on different hosts: it compares their clocks and adds warnings
/// to spans that end after their parents.
///
/// On Linux it is the kernel's host name, elsewhere the value of `HOSTNAME` or `COMPUTERNAME`, which some shells and
/// Windows set.
/// set.
#[must_use]
/// ```
/// let host = opentracing_http::env::host_name();
/// println!("this process runs on {}", host.as_deref().unwrap_or("an unknown host"));
/// ```
pub fn host_name() -> Option<String> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let variable = || var("HOSTNAME").or_else(|| var("COMPUTERNAME"));
    let name = kernel.or_else(variable)?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}
