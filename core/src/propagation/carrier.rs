//! The interfaces to headers that are read and to headers that are written.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::propagation::field::Field;
use crate::propagation::header_filter::HeaderFilter;

/// Read access to headers, or to any map of texts used as headers.
///
/// Names are compared without regard to ASCII case. Values are bytes; who reads them checks that they are text.
///
/// Implemented for [`http::HeaderMap`], for the standard maps and for slices of pairs. An adapter implements it for its
/// framework's headers:
///
/// ```
/// use http::header::{HOST, HeaderMap, HeaderValue};
/// use opentracing_http::propagation::{HeaderFilter, HeaderView};
///
/// struct Request {
///     headers: HeaderMap,
/// }
///
/// impl HeaderView for Request {
///     fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
///         for (name, value) in &self.headers {
///             visit(name.as_str(), value.as_bytes());
///         }
///     }
///
///     // These two are optional: they are faster than the defaults.
///     fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
///         self.headers.header_values(name, visit);
///     }
///
///     fn each_wanted_header<'a>(&'a self, wanted: &HeaderFilter, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
///         for (name, value) in &self.headers {
///             if wanted.may_want(name.as_str()) {
///                 visit(name.as_str(), value.as_bytes());
///             }
///         }
///     }
/// }
///
/// let mut headers = HeaderMap::new();
/// headers.insert(HOST, HeaderValue::from_static("shop.example"));
/// let request: &dyn HeaderView = &Request { headers };
/// assert_eq!(request.header("Host"), Some(&b"shop.example"[..]));
/// ```
#[diagnostic::on_unimplemented(
    message = "headers cannot be read from `{Self}`",
    label = "not a view of headers",
    note = "pass an `http::HeaderMap`, a map or a list of pairs of text, or implement `HeaderView` for a type of your own: only `each_header` has to be written"
)]
pub trait HeaderView {
    /// Calls `visit` for every header, in order; for a header with several values once for each value.
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8]));

    /// Calls `visit` for every value of one header, in order.
    ///
    /// The default searches [`each_header`](Self::each_header). Implement it if the framework has a faster look-up.
    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.each_header(&mut |found, value| {
            if found.eq_ignore_ascii_case(name) {
                visit(value);
            }
        });
    }

    /// Calls `visit` for the [wanted](HeaderFilter::may_want) headers, as [`each_header`](Self::each_header) does; it
    /// may also be called for other headers.
    ///
    /// The default looks through all headers. Implement it if reading a value is more expensive than reading a name.
    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        self.each_header(&mut |name, value| {
            if wanted.may_want(name) {
                visit(name, value);
            }
        });
    }
}

impl dyn HeaderView + '_ {
    /// Returns the first value of one header, whatever the name's case.
    ///
    /// ```
    /// use opentracing_http::propagation::HeaderView;
    ///
    /// let headers: &dyn HeaderView = &[("X-Team", "blue"), ("x-team", "red")];
    /// assert_eq!(headers.header("x-team"), Some(&b"blue"[..]));
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let mut first = None;
        self.header_values(name, &mut |value| {
            first.get_or_insert(value);
        });
        first
    }
}

impl<V: HeaderView + ?Sized> HeaderView for &V {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        (**self).each_header(visit);
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        (**self).header_values(name, visit);
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        (**self).each_wanted_header(wanted, visit);
    }
}

macro_rules! known_headers {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A header that propagation reads.
        ///
        /// ```
        /// use opentracing_http::propagation::KnownHeader;
        ///
        /// let header = KnownHeader::from_name("X-B3-TraceId").unwrap();
        /// assert_eq!(header.name(), "x-b3-traceid");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum KnownHeader {
            $($(#[$doc])* $variant,)*
            /// Any header that starts with `uberctx-`: one item of Jaeger's baggage.
            UberCtx,
        }

        impl KnownHeader {
            /// All headers with a fixed name, in no particular order.
            pub const NAMED: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the header's name in lower case; for [`UberCtx`](Self::UberCtx) the prefix.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::UberCtx => "uberctx-",
                }
            }

            /// Returns the header with this name in any case; `None` for any other name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                // Most headers of most requests are excluded here.
                if !HeaderFilter::PROPAGATION.may_want(name) {
                    return None;
                }
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => Self::from_unusual_name(name),
                }
            }

            /// Returns a header of the family, or one whose name is not in lower case.
            fn from_unusual_name(name: &str) -> Option<Self> {
                match name.as_bytes().get(..8) {
                    Some(prefix) if prefix.eq_ignore_ascii_case(b"uberctx-") => {
                        return Some(Self::UberCtx);
                    }
                    _ => {}
                }
                $(if name.eq_ignore_ascii_case($name) { return Some(Self::$variant); })*
                None
            }
        }

        /// The same names as `http` header names, in the order of [`KnownHeader::index`].
        static HTTP_NAMES: [HeaderName; KnownHeader::NAMED.len()] = [$(HeaderName::from_static($name),)*];
    };
}

known_headers! {
    /// W3C Trace Context's ids.
    Traceparent = "traceparent",
    /// W3C Trace Context's list of vendors.
    Tracestate = "tracestate",
    /// W3C Baggage.
    Baggage = "baggage",
    /// B3 in one header.
    B3 = "b3",
    /// B3's trace id.
    B3TraceId = "x-b3-traceid",
    /// B3's span id.
    B3SpanId = "x-b3-spanid",
    /// B3's parent span id.
    B3ParentSpanId = "x-b3-parentspanid",
    /// B3's decision.
    B3Sampled = "x-b3-sampled",
    /// B3's debug flag.
    B3Flags = "x-b3-flags",
    /// Jaeger's ids.
    UberTraceId = "uber-trace-id",
    /// Jaeger's baggage in one header.
    JaegerBaggage = "jaeger-baggage",
    /// Jaeger's debug id, which requests a debug trace.
    JaegerDebugId = "jaeger-debug-id",
}

impl KnownHeader {
    /// Returns the position of the header in [`NAMED`](Self::NAMED); their number for [`UberCtx`](Self::UberCtx).
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl HeaderView for HeaderMap {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        for (name, value) in self {
            visit(name.as_str(), value.as_bytes());
        }
    }

    fn header_values<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        for value in self.get_all(name) {
            visit(value.as_bytes());
        }
    }

    fn each_wanted_header<'a>(
        &'a self,
        wanted: &HeaderFilter,
        visit: &mut dyn FnMut(&'a str, &'a [u8]),
    ) {
        for (name, value) in self {
            let name = name.as_str();
            if wanted.may_want(name) {
                visit(name, value.as_bytes());
            }
        }
    }
}

macro_rules! view_of_pairs {
    ($([$($generics:tt)*] $map:ty)*) => {$(
        impl<$($generics)*> HeaderView for $map {
            fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
                for (name, value) in self {
                    visit(name.as_ref(), value.as_ref());
                }
            }
        }
    )*};
}

view_of_pairs! {
    [K: AsRef<str>, V: AsRef<[u8]>, S: BuildHasher] HashMap<K, V, S>
    [K: AsRef<str>, V: AsRef<[u8]>] BTreeMap<K, V>
}

impl<K: AsRef<str>, V: AsRef<[u8]>> HeaderView for [(K, V)] {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        for (name, value) in self {
            visit(name.as_ref(), value.as_ref());
        }
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> HeaderView for Vec<(K, V)> {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.as_slice().each_header(visit);
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>, const N: usize> HeaderView for [(K, V); N] {
    fn each_header<'a>(&'a self, visit: &mut dyn FnMut(&'a str, &'a [u8])) {
        self.as_slice().each_header(visit);
    }
}

/// Write access to outgoing headers, or to any map of texts used as headers.
///
/// Implemented for [`http::HeaderMap`], for the standard maps and for every `FnMut(&str, &str)`, so that any other
/// carrier is a closure:
///
/// ```
/// use opentracing_http::propagation::{Carrier, Field};
///
/// let mut headers = String::new();
/// let mut carrier = |name: &str, value: &str| headers.push_str(&format!("{name}: {value}\r\n"));
/// carrier.set("b3", "0");
/// assert_eq!(headers, "b3: 0\r\n");
///
/// let mut headers = http::HeaderMap::new();
/// let carrier: &mut dyn Carrier = &mut headers;
/// carrier.set("uberctx-tenant", "blue");
/// carrier.append("server-timing", "trace");
/// carrier.append("server-timing", "total;dur=3");
/// carrier.remove_fields(&[Field::named("server-timing"), Field::prefixed("uberctx-")]);
/// assert!(headers.is_empty());
/// ```
#[diagnostic::on_unimplemented(
    message = "a span cannot be injected into `{Self}`",
    label = "not a carrier of headers",
    note = "pass the request's `http::HeaderMap` (`request.headers_mut()`), or for any other type a closure: `span.inject(&mut |name: &str, value: &str| headers.insert(name, value))`"
)]
pub trait Carrier {
    /// Sets a header; replaces headers with the same name.
    ///
    /// `name` is lower case. `value` consists of visible ASCII and inner blanks, so that it is valid in every header
    /// map.
    fn set(&mut self, name: &str, value: &str);

    /// Adds a header in addition to headers with the same name. The default [sets](Self::set) it.
    fn append(&mut self, name: &str, value: &str) {
        self.set(name, value);
    }

    /// Removes all headers that one of these fields [covers](Field::covers): left by an earlier injection, or copied from a
    /// caller.
    ///
    /// It is called once before each injection, with the fields of all formats of the policy. The default does nothing, for
    /// carriers that can only be added to; these must not contain headers of the formats.
    fn remove_fields(&mut self, fields: &[Field]) {
        let _ = fields;
    }
}

#[diagnostic::do_not_recommend]
impl<F: FnMut(&str, &str)> Carrier for F {
    fn set(&mut self, name: &str, value: &str) {
        self(name, value);
    }
}

impl Carrier for HeaderMap {
    fn set(&mut self, name: &str, value: &str) {
        let Ok(value) = HeaderValue::from_str(value) else {
            return;
        };
        let name = match prepared(name) {
            Some(name) => name.clone(),
            None => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(name) => name,
                Err(_) => return,
            },
        };
        // A map with its maximum of 32,768 entries stays as it is.
        let _ = self.try_insert(name, value);
    }

    fn append(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            let _ = self.try_append(name, value);
        }
    }

    fn remove_fields(&mut self, fields: &[Field]) {
        // Mostly none of the known headers is present; checking each present header is faster than twelve look-ups.
        let mut there = [false; KnownHeader::NAMED.len() + 1];
        for name in self.keys() {
            let known = KnownHeader::from_name(name.as_str());
            if let Some(there) = known.and_then(|known| there.get_mut(known.index())) {
                *there = true;
            }
        }
        for field in fields {
            match field {
                Field::Known(known) if !there.get(known.index()).is_some_and(|there| *there) => {}
                Field::Known(KnownHeader::UberCtx) => {
                    remove_prefixed(self, KnownHeader::UberCtx.name());
                }
                Field::Known(known) => match HTTP_NAMES.get(known.index()) {
                    Some(name) => drop(self.remove(name)),
                    None => drop(self.remove(known.name())),
                },
                Field::Named(name) => drop(self.remove(&**name)),
                Field::Prefixed(prefix) => remove_prefixed(self, prefix),
            }
        }
    }
}

fn remove_prefixed(headers: &mut HeaderMap, prefix: &str) {
    // Nearly always empty, so without an allocation.
    let names = headers.keys();
    let names = names.filter(|name| name.as_str().starts_with(prefix));
    let names: Vec<HeaderName> = names.cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// Returns the `http` header name, checked and without an allocation, if propagation knows it.
fn prepared(name: &str) -> Option<&'static HeaderName> {
    HTTP_NAMES.get(KnownHeader::from_name(name)?.index())
}

macro_rules! carrier_of_text_maps {
    ($([$($generics:tt)*] $map:ty)*) => {$(
        impl<$($generics)*> Carrier for $map {
            fn set(&mut self, name: &str, value: &str) {
                // Receivers take names that differ in case for one header.
                self.retain(|found, _| !found.eq_ignore_ascii_case(name));
                self.insert(name.to_owned(), value.to_owned());
            }

            fn remove_fields(&mut self, fields: &[Field]) {
                self.retain(|found, _| !fields.iter().any(|field| field.covers(found)));
            }
        }
    )*};
}

carrier_of_text_maps! {
    [S: BuildHasher] HashMap<String, String, S>
    [] BTreeMap<String, String>
}

impl Carrier for Vec<(String, String)> {
    fn set(&mut self, name: &str, value: &str) {
        self.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
        Carrier::append(self, name, value);
    }

    fn append(&mut self, name: &str, value: &str) {
        self.push((name.to_owned(), value.to_owned()));
    }

    fn remove_fields(&mut self, fields: &[Field]) {
        self.retain(|(found, _)| !fields.iter().any(|field| field.covers(found)));
    }
}
