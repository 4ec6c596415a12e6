//! actix-web's header map, which is not `http`'s, as what the core reads and writes.

use std::fmt;
use std::sync::LazyLock;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::Field;
use opentracing_http::propagation::{Carrier, HeaderFilter, HeaderView, KnownHeader};

/// actix-web's header map as what a span is injected into: of a response, or of a request that `awc` is to send.
///
/// ```
/// use actix_web::http::header::HeaderMap;
/// use opentracing_actix_web::{ActixHeaders, Span};
///
/// fn sign(span: &Span, headers: &mut HeaderMap) {
///     span.inject(&mut ActixHeaders(headers));
/// }
/// ```
pub struct ActixHeaders<'a>(pub &'a mut HeaderMap);

/// The known names, prepared: they are copied without an allocation. In the order of [`KnownHeader::index`].
static NAMES: LazyLock<Vec<HeaderName>> = LazyLock::new(|| {
    let names = KnownHeader::NAMED.iter();
    names
        .map(|known| HeaderName::from_static(known.name()))
        .collect()
});

fn header_name(name: &str) -> Option<HeaderName> {
    let prepared = KnownHeader::from_name(name).and_then(|known| NAMES.get(known.index()));
    match prepared {
        Some(prepared) => Some(prepared.clone()),
        None => HeaderName::from_bytes(name.as_bytes()).ok(),
    }
}

impl Carrier for ActixHeaders<'_> {
    fn set(&mut self, name: &str, value: &str) {
        if let (Some(name), Ok(value)) = (header_name(name), HeaderValue::from_str(value)) {
            self.0.insert(name, value);
        }
    }

    fn append(&mut self, name: &str, value: &str) {
        if let (Some(name), Ok(value)) = (header_name(name), HeaderValue::from_str(value)) {
            self.0.append(name, value);
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(name) = header_name(name) {
            self.0.remove(name);
        }
    }

    fn remove_prefixed(&mut self, prefix: &str) {
        self.0.retain(|name, _| !name.as_str().starts_with(prefix));
    }

    fn remove_fields(&mut self, fields: &[Field]) {
        // One pass: outgoing requests have few headers, and a look-up for each field costs more.
        let covers = |name: &str| fields.iter().any(|field| field.covers(name));
        self.0.retain(|name, _| !covers(name.as_str()));
    }
}

impl fmt::Debug for ActixHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names only: values may be secrets.
        let names = self.0.keys().map(HeaderName::as_str);
        f.debug_tuple("ActixHeaders")
            .field(&names.collect::<Vec<_>>())
            .finish()
    }
}

/// The headers of a request or a response, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'h>(pub(crate) &'h HeaderMap);

impl<'h> Headers<'h> {
    pub(crate) fn visit(self, visit: &mut dyn FnMut(&'h str, &'h [u8])) {
        for (name, value) in self.0 {
            visit(name.as_str(), value.as_bytes());
        }
    }

    pub(crate) fn visit_values(self, name: &str, visit: &mut dyn FnMut(&'h [u8])) {
        for value in self.values(name) {
            visit(value.as_bytes());
        }
    }

    pub(crate) fn first(self, name: &str) -> Option<&'h [u8]> {
        self.values(name).next().map(HeaderValue::as_bytes)
    }

    pub(crate) fn visit_wanted(
        self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'h str, &'h [u8]),
    ) {
        for (name, value) in self.0 {
            let name = name.as_str();
            if wanted.may_want(name) {
                visit(name, value.as_bytes());
            }
        }
    }

    /// Looks the name up by the map's own copy of it: to make one of a text allocates, unless it is a standard name.
    fn values(self, name: &str) -> impl Iterator<Item = &'h HeaderValue> {
        let mut names = self.0.keys();
        let name = names.find(|found| found.as_str().eq_ignore_ascii_case(name));
        name.into_iter().flat_map(|name| self.0.get_all(name))
    }
}

impl HeaderView for Headers<'_> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.visit(visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.visit_values(name, visit);
    }

    fn header<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        self.first(name)
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        self.visit_wanted(wanted, visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        map
    }

    #[test]
    fn values_are_found_whatever_the_case() {
        let map = map(&[("x-team", "a"), ("x-team", "b"), ("host", "h")]);
        let headers = Headers(&map);
        let mut values = Vec::new();
        headers.header_values("X-Team", &mut |value| values.push(value));
        assert_eq!(values, [b"a", b"b"]);
        assert_eq!(headers.header("Host"), Some(&b"h"[..]));
        assert_eq!(headers.header("x-other"), None);
    }

    #[test]
    fn a_carrier_replaces_appends_and_removes() {
        let mut map = map(&[("traceparent", "old"), ("b3", "0"), ("server-timing", "db")]);
        let mut carrier = ActixHeaders(&mut map);
        carrier.set("traceparent", "new");
        carrier.set("uberctx-user", "ann");
        carrier.set("not a name", "x");
        carrier.set("x-broken", "line\nbreak");
        carrier.append("server-timing", "traceparent");
        carrier.remove("b3");
        carrier.set("uberctx-old", "x");
        carrier.remove_prefixed("uberctx-o");
        carrier.set("x-b3-flags", "1");
        carrier.set("x-house-a", "1");
        carrier.remove_fields(&[
            Field::Known(KnownHeader::B3Flags),
            Field::prefixed("x-house-"),
        ]);

        assert_eq!(format!("{carrier:?}").matches("traceparent").count(), 1);
        let values = |name: &str| map.get_all(name).cloned().collect::<Vec<_>>();
        assert_eq!(values("traceparent"), ["new"]);
        assert_eq!(values("uberctx-user"), ["ann"]);
        assert_eq!(values("server-timing"), ["db", "traceparent"]);
        assert_eq!(map.len_keys(), 3);
    }
}
