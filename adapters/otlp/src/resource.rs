//! The attributes of the service that the spans come from, which are sent with each request.

use opentracing_http::Tag;
use opentracing_http::env::host_name;

/// The resource's attributes: the service's name, what the specification demands of a library, the host's name, and the
/// user's own, which win over these.
///
/// OpenTelemetry specification, "Resource SDK": a library that is not OpenTelemetry's own must not call itself
/// `opentelemetry`.
pub(crate) fn resource(service_name: String, tags: Vec<Tag>) -> Vec<Tag> {
    let mut all = vec![
        Tag::new("service.name", service_name),
        Tag::new("telemetry.sdk.language", "rust"),
        Tag::new("telemetry.sdk.name", env!("CARGO_PKG_NAME")),
        Tag::new("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ];
    all.extend(host_name().map(|name| Tag::new("host.name", name)));
    for tag in tags {
        all.retain(|old| old.key != tag.key);
        all.push(tag);
    }
    all
}
