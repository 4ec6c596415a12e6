//! The contract of propagation for formats of a user's own: how it is done, and that it finds what is wrong with one.

mod datadog;
mod defects;
mod own;
mod x_ray;

use opentracing_http::SpanContext;
use opentracing_http::propagation::{Extraction, IncomingHeaders};
use opentracing_testkit::propagation_contract;

/// Finds the context of a format that has one header.
fn extract_single(
    headers: &IncomingHeaders<'_>,
    name: &str,
    parse: impl FnOnce(&[u8]) -> Option<SpanContext>,
    found: &mut Extraction,
) {
    match headers.single_named(name).map(|value| value.map(parse)) {
        Ok(None) => {}
        Ok(Some(Some(context))) => found.set_context(context),
        Ok(Some(None)) | Err(_) => found.refuse(),
    }
}

mod datadog_format {
    use super::*;

    propagation_contract!(datadog::datadog());
}

mod own_format {
    use super::*;

    propagation_contract!(own::own());
}

mod x_ray_format {
    use super::*;

    propagation_contract!(x_ray::x_ray());
}
