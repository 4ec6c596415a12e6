//! What the core reads of a framework's response, and writes into it.

use std::fmt::Display;

use http::StatusCode;

use crate::http::request_view::Route;
use crate::propagation::{Carrier, HeaderView};

/// Access to a framework's response, before its body is sent: all that the core reads of it and writes into it.
///
/// Implemented for [`http::Response`], whose body's size it does not know, and for [`http::StatusCode`], as a response that has
/// neither headers nor a body. An adapter wraps the response with what else the
/// framework knows of it, and gives it to [`RequestSpan::respond`](crate::server::RequestSpan::respond), which asks only for
/// what is needed. A method may panic: what it would have returned is then missing.
///
/// ```
/// use opentracing_http::Route;
/// use opentracing_http::propagation::{Carrier, HeaderView};
/// use opentracing_http::server::{BodySize, ResponseView};
///
/// /// A response with the template of its route, and a body that is at hand.
/// struct Response<'a> {
///     inner: &'a mut http::Response<Vec<u8>>,
///     template: Option<&'a str>,
/// }
///
/// impl ResponseView for Response<'_> {
///     fn status(&self) -> u16 {
///         self.inner.status().as_u16()
///     }
///     fn headers(&self) -> &dyn HeaderView {
///         self.inner.headers()
///     }
///     fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
///         Some(self.inner.headers_mut())
///     }
///     fn body_size(&self) -> BodySize {
///         BodySize::Exact(self.inner.body().len() as u64)
///     }
///     fn route(&self) -> Route<'_> {
///         self.template.map_or(Route::Unmatched, Route::Template)
///     }
/// }
/// ```
pub trait ResponseView {
    /// Returns the status that the client will get.
    fn status(&self) -> u16;

    /// Returns the headers.
    fn headers(&self) -> &dyn HeaderView;

    /// Returns what the trace id is written into, if the policy [returns it to callers](crate::HttpTracingBuilder::return_trace_id).
    /// The default is nothing, for a response whose headers can no longer be changed.
    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        None
    }

    /// Returns how much body there is. The default is not known.
    ///
    /// Of an empty body nothing is polled, so the request ends with its head only if this is `Empty` or `Exact(0)`.
    fn body_size(&self) -> BodySize {
        BodySize::Unknown
    }

    /// Returns the route, where it is known only now; asked for only if somebody wants it. The default is
    /// [`Unknown`](Route::Unknown), which changes nothing.
    fn route(&self) -> Route<'_> {
        Route::Unknown
    }

    /// Returns the error of the handler that the framework made this response of, for the error log of a request that failed.
    /// The default is none.
    fn error(&self) -> Option<&dyn Display> {
        None
    }

    /// Returns whether the connection changes its protocol where the status does not show it: rocket sets 101 later. The
    /// default is `false`.
    fn is_upgrade(&self) -> bool {
        false
    }
}

impl<B> ResponseView for http::Response<B> {
    fn status(&self) -> u16 {
        Self::status(self).as_u16()
    }

    fn headers(&self) -> &dyn HeaderView {
        Self::headers(self)
    }

    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        Some(Self::headers_mut(self))
    }
}

impl ResponseView for StatusCode {
    fn status(&self) -> u16 {
        self.as_u16()
    }

    fn headers(&self) -> &dyn HeaderView {
        const NONE: &[(&str, &str); 0] = &[];
        NONE
    }

    fn body_size(&self) -> BodySize {
        BodySize::Empty
    }
}

/// A response of which the framework knows how much body it has, where the view of the rest does not.
///
/// ```
/// use opentracing_http::server::{BodySize, ResponseView, WithBodySize};
///
/// let mut response = http::Response::new("hello");
/// let size = BodySize::Exact(response.body().len() as u64);
/// assert_eq!(WithBodySize(&mut response, size).body_size(), BodySize::Exact(5));
/// ```
#[derive(Debug)]
pub struct WithBodySize<'r, R>(pub &'r mut R, pub BodySize);

impl<R: ResponseView> ResponseView for WithBodySize<'_, R> {
    fn status(&self) -> u16 {
        self.0.status()
    }

    fn headers(&self) -> &dyn HeaderView {
        self.0.headers()
    }

    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        self.0.headers_mut()
    }

    fn body_size(&self) -> BodySize {
        self.1
    }

    fn route(&self) -> Route<'_> {
        self.0.route()
    }

    fn error(&self) -> Option<&dyn Display> {
        self.0.error()
    }

    fn is_upgrade(&self) -> bool {
        self.0.is_upgrade()
    }
}

/// How much body a response has, as far as its framework knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodySize {
    /// None: nothing will be polled.
    Empty,
    /// This many bytes.
    Exact(u64),
    /// A stream whose end is not known yet.
    Unknown,
}
