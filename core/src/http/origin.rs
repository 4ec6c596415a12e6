//! Where a client sent its request: scheme, host and port.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;

use crate::http::host::{Host, default_port};
use crate::http::request_view::RequestView;
use crate::http::settings::HttpSettings;

/// The client of a request and the target that it used: as trusted proxies report them, else as the request has them,
/// else as the policy has them.
#[derive(Default)]
pub(crate) struct Origin<'a> {
    /// The client's address, if a trusted proxy reports it.
    pub(crate) client: Option<IpAddr>,
    pub(crate) scheme: Option<&'a str>,
    /// Host and port, unchecked.
    pub(crate) authority: Option<Cow<'a, [u8]>>,
}

impl<'a> Origin<'a> {
    /// Reads the origin of a request. `host` returns the value of its only `Host` header.
    pub(crate) fn of(
        view: &'a dyn RequestView,
        settings: &HttpSettings,
        host: impl FnOnce() -> Option<&'a [u8]>,
    ) -> Self {
        let report = settings.forwarded.report(view);
        let scheme = report.scheme.or_else(|| view.scheme()).or(settings.scheme);
        let requested = || view.authority().map(str::as_bytes).or_else(host);
        let authority = match report.host {
            Some(Cow::Borrowed(host)) => Some(Cow::Borrowed(host.as_bytes())),
            Some(Cow::Owned(host)) => Some(Cow::Owned(host.into_bytes())),
            None => requested().map(Cow::Borrowed),
        };
        Self {
            client: report.client,
            scheme,
            authority: match (authority, report.port) {
                (Some(authority), Some(port)) => Some(with_port(authority, port, scheme)),
                (authority, _) => authority,
            },
        }
    }

    /// Returns the host, if it is valid.
    pub(crate) fn host(&self) -> Option<Host<'_>> {
        Host::parse(std::str::from_utf8(self.authority.as_deref()?).ok()?)
    }
}

/// Replaces the port of a host. The scheme's own port is left out, as clients do. An invalid host stays as it is.
fn with_port<'a>(authority: Cow<'a, [u8]>, port: u16, scheme: Option<&str>) -> Cow<'a, [u8]> {
    let text = std::str::from_utf8(&authority).ok();
    let Some(host) = text.and_then(Host::parse) else {
        return authority;
    };
    let is_default = default_port(scheme.unwrap_or("http")) == Some(port);
    if host.port == Some(port) || (host.port.is_none() && is_default) {
        return authority;
    }
    let mut changed = String::with_capacity(host.text.len() + ":65535".len());
    match host.text.split_once(']') {
        Some((literal, _)) => changed.extend([literal, "]"]),
        None => changed.push_str(host.address),
    }
    if !is_default {
        // A string takes all text.
        let _ = write!(changed, ":{port}");
    }
    Cow::Owned(changed.into_bytes())
}
