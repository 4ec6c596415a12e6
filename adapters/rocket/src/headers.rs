//! Lets the core read and write Rocket's headers.

use std::borrow::Cow;

use opentracing_http::propagation::{Carrier, Field, HeaderView};
use rocket::http::HeaderMap;
use rocket::response::Response;

/// Wraps Rocket's [`HeaderMap`] or [`Response`], to read trace headers from it or to write them into it.
///
/// Most HTTP clients have other header maps, which [`Span::inject`](opentracing_http::Span::inject) accepts without a wrapper.
///
/// ```
/// use opentracing_rocket::{Headers, HttpTracing, InMemoryTracer};
/// use rocket::http::HeaderMap;
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let span = tracing.span("send").start();
///
/// let mut headers = HeaderMap::new();
/// span.inject(&mut Headers(&mut headers));
/// assert!(headers.contains("traceparent"));
/// assert_eq!(tracing.extract(&Headers(&headers)).map(|context| context.trace_id()),
///            span.context().map(|context| context.trace_id()));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Headers<T>(pub T);

impl HeaderView for Headers<&HeaderMap<'_>> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        each_header(self.0, visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        let values = self.0.get(name);
        values.for_each(|value| visit(value.as_bytes()));
    }
}

impl HeaderView for Headers<&mut Response<'_>> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        each_header(self.0.headers(), visit);
    }
}

fn each_header<'a>(headers: &'a HeaderMap<'_>, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
    for header in headers.iter() {
        // Rocket returns both borrowed from the map. Owned ones would not live as long as `visit` requires.
        if let (Cow::Borrowed(name), Cow::Borrowed(value)) = (header.name.into_cow(), header.value)
        {
            visit(name, value.as_bytes());
        }
    }
}

impl Carrier for Headers<&mut HeaderMap<'_>> {
    fn set(&mut self, name: &str, value: &str) {
        self.0.replace_raw(name.to_owned(), value.to_owned());
    }

    fn append(&mut self, name: &str, value: &str) {
        self.0.add_raw(name.to_owned(), value.to_owned());
    }

    fn remove_fields(&mut self, fields: &[Field]) {
        for name in covered(self.0, fields) {
            self.0.remove(&name);
        }
    }
}

impl Carrier for Headers<&mut Response<'_>> {
    fn set(&mut self, name: &str, value: &str) {
        self.0.set_raw_header(name.to_owned(), value.to_owned());
    }

    fn append(&mut self, name: &str, value: &str) {
        self.0.adjoin_raw_header(name.to_owned(), value.to_owned());
    }

    fn remove_fields(&mut self, fields: &[Field]) {
        for name in covered(self.0.headers(), fields) {
            self.0.remove_header(&name);
        }
    }
}

/// Returns the names that one of the fields covers. Allocates nothing if there are none, which is the usual case.
fn covered(headers: &HeaderMap<'_>, fields: &[Field]) -> Vec<String> {
    let names = headers.iter().map(|header| header.name);
    let names = names.filter(|name| fields.iter().any(|field| field.covers(name.as_str())));
    names.map(|name| name.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use opentracing_http::propagation::KnownHeader;

    use super::*;

    #[test]
    fn headers_that_fields_cover_are_removed_whatever_their_case() {
        let mut map = HeaderMap::new();
        let mut response = Response::new();
        for name in ["B3", "Uberctx-Role", "X-Own-Trace", "b3-other"] {
            map.add_raw(name, "old");
            response.adjoin_raw_header(name, "old");
        }
        let fields = [
            Field::Known(KnownHeader::B3),
            Field::Known(KnownHeader::UberCtx),
            Field::named("x-own-trace"),
        ];
        Headers(&mut map).remove_fields(&fields);
        Headers(&mut response).remove_fields(&fields);
        for headers in [&map, response.headers()] {
            assert!(headers.contains("b3-other") && headers.len() == 1);
        }
    }

    #[test]
    fn headers_with_a_removed_prefix_are_gone() {
        let mut map = HeaderMap::new();
        let mut response = Response::new();
        for name in ["uberctx-user", "Uberctx-Role", "uber-trace-id"] {
            map.add_raw(name, "old");
            response.adjoin_raw_header(name, "old");
        }
        Headers(&mut map).remove_fields(&[Field::prefixed("uberctx-")]);
        Headers(&mut response).remove_fields(&[Field::prefixed("uberctx-")]);
        for headers in [&map, response.headers()] {
            assert!(headers.contains("uber-trace-id") && headers.len() == 1);
        }
    }
}
