//! Lets the core read and write actix-web's header map, which is not that of the package `http`.

use std::borrow::{Borrow, BorrowMut};
use std::fmt;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::{Carrier, Field, HeaderFilter, HeaderView, KnownHeader};

/// Wraps actix-web's header map: of a request, of a response, or of an outgoing request of `awc`.
///
/// Around a `&HeaderMap` it implements [`HeaderView`]. Around a `&mut HeaderMap` it also implements [`Carrier`], so a span can be
/// injected into it:
///
/// ```
/// use actix_web::http::header::HeaderMap;
/// use opentracing_actix_web::{ActixHeaders, Span};
///
/// fn sign(span: &Span, headers: &mut HeaderMap) {
///     span.inject(&mut ActixHeaders(headers));
/// }
/// ```
pub struct ActixHeaders<M>(pub M);

impl<M: Borrow<HeaderMap>> HeaderView for ActixHeaders<M> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        for (name, value) in self.0.borrow() {
            visit(name.as_str(), value.as_bytes());
        }
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        for (name, value) in self.0.borrow() {
            let name = name.as_str();
            if wanted.may_want(name) {
                visit(name, value.as_bytes());
            }
        }
    }
}

impl<M: BorrowMut<HeaderMap>> Carrier for ActixHeaders<M> {
    fn set(&mut self, name: &str, value: &str) {
        if let (Some(name), Ok(value)) = (header_name(name), HeaderValue::from_str(value)) {
            self.0.borrow_mut().insert(name, value);
        }
    }

    fn append(&mut self, name: &str, value: &str) {
        if let (Some(name), Ok(value)) = (header_name(name), HeaderValue::from_str(value)) {
            self.0.borrow_mut().append(name, value);
        }
    }

    fn remove_fields(&mut self, fields: &[Field]) {
        // One pass over all headers, because outgoing requests have few, and a look-up for each field would cost more.
        let covers = |name: &HeaderName| fields.iter().any(|field| field.covers(name.as_str()));
        self.0.borrow_mut().retain(|name, _| !covers(name));
    }
}

fn header_name(name: &str) -> Option<HeaderName> {
    match KnownHeader::from_name(name) {
        // A static name costs no allocation.
        Some(known) if known.name() == name => Some(HeaderName::from_static(known.name())),
        _ => HeaderName::from_bytes(name.as_bytes()).ok(),
    }
}

impl<M: Borrow<HeaderMap>> fmt::Debug for ActixHeaders<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only the names, because values can be secrets.
        f.debug_set().entries(self.0.borrow().keys()).finish()
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
        let headers: &dyn HeaderView = &ActixHeaders(&map);
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
        carrier.remove_fields(&[Field::named("b3")]);
        carrier.set("uberctx-old", "x");
        carrier.remove_fields(&[Field::prefixed("uberctx-o")]);
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
