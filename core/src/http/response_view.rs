//! Access to a framework's response.

use std::fmt::Display;

use http::StatusCode;

use crate::http::request_view::Route;
use crate::propagation::{Carrier, HeaderView};

/// Access to a framework's response before its body is sent: everything that the core reads of it and writes into it.
///
/// Implemented for [`http::Response`] with an unknown body size, and for [`http::StatusCode`] as a response without headers and
/// without a body. An adapter wraps its response together with what else the framework knows of it, and passes the wrapper to
/// [`RequestSpan::respond`](crate::server::RequestSpan::respond), which calls only the methods that it needs, on the thread that
/// called it. If a method panics, its result counts as missing.
///
/// ```
/// use opentracing_http::Route;
/// use opentracing_http::propagation::{Carrier, HeaderView};
/// use opentracing_http::server::{BodySize, ResponseView};
///
/// /// A response whose body is in memory, with the template of its route and the handler's error.
/// struct Response<'a> {
///     inner: &'a mut http::Response<Vec<u8>>,
///     template: Option<&'a str>,
///     error: Option<String>,
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
///     fn error(&self) -> Option<&dyn std::fmt::Display> {
///         Some(self.error.as_ref()?)
///     }
///     fn is_upgrade(&self) -> bool {
///         false
///     }
/// }
/// ```
pub trait ResponseView {
    /// Returns the status that the client receives. See [`ResponseView`] for an example.
    fn status(&self) -> u16;

    /// Returns the headers. See [`ResponseView`] for an example.
    fn headers(&self) -> &dyn HeaderView;

    /// Returns the headers to write the trace id into, if the policy
    /// [returns it to callers](crate::HttpTracingBuilder::return_trace_id). The default is `None`: the headers cannot be changed,
    /// and no trace id is written. See [`ResponseView`] for an example.
    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        None
    }

    /// Returns the size of the body. The default is [`BodySize::Unknown`]. See [`ResponseView`] for an example.
    ///
    /// Servers do not poll an empty body. Return `Empty` or `Exact(0)` for one, so that the request ends with its head.
    fn body_size(&self) -> BodySize {
        BodySize::Unknown
    }

    /// Returns the route, for a framework that knows it only after the handler. The default is [`Unknown`](Route::Unknown), which
    /// changes nothing. See [`ResponseView`] for an example.
    ///
    /// Called only if the request is recorded or the policy has a finish callback.
    fn route(&self) -> Route<'_> {
        Route::Unknown
    }

    /// Returns the handler's error that the framework turned into this response. It becomes the message in the error log of a
    /// request that failed. The default is `None`. See [`ResponseView`] for an example.
    fn error(&self) -> Option<&dyn Display> {
        None
    }

    /// Returns `true` if the connection changes its protocol although [`status`](Self::status) is not 101 yet: rocket sets 101
    /// after this. The default is `false`. See [`ResponseView`] for an example.
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

/// A response together with the size of its body, for a view that does not know the size.
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

/// The size of a response's body, as far as the framework knows it. See [`ResponseView`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodySize {
    /// There is no body: the server polls nothing.
    Empty,
    /// A body of this many bytes.
    Exact(u64),
    /// A stream, whose size is not known yet.
    Unknown,
}
