//! The resource attributes of the service, which are sent with each request.

use opentracing_http::Tag;
use opentracing_http::env::host_name;

/// Returns the resource's attributes: the service's name, those that the specification requires of a library, the
/// host's name, and the user's own, which override the others.
///
/// A library that is not OpenTelemetry's own must not use the name `opentelemetry` (OpenTelemetry specification,
/// "Resource SDK").
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
