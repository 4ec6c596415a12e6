//! The policy together with the options of one mount point.

use std::borrow::Cow;

use crate::http::{Attribute, Options, SpanEnd};
use crate::http_tracing::HttpTracing;

/// The policy plus the options of one mount point. A mount point is a layer, a middleware, a filter or a set of traced routes.
///
/// Every adapter's constructor takes anything that converts into a `MountPoint`: `&tracing` for a mount point without options,
/// otherwise the result of [`HttpTracing::mount_point`] and of the methods below.
///
/// ```
/// use opentracing_http::server::Instrumentation;
/// use opentracing_http::{Attribute, HttpTracing, InMemoryTracer, MountPoint, SpanEnd};
///
/// /// An adapter's middleware.
/// struct Tracing(Instrumentation);
///
/// impl Tracing {
///     fn new(mount_point: impl Into<MountPoint>) -> Self {
///         Self(Instrumentation::new(mount_point, "my-framework"))
///     }
/// }
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let everywhere = Tracing::new(&tracing);
/// let single_route = Tracing::new(
///     tracing
///         .mount_point()
///         .attributes([Attribute::URL, Attribute::METHOD])
///         .name("checkout")
///         .ends(SpanEnd::Head),
/// );
/// # let _ = (everywhere, single_route);
/// ```
#[derive(Debug, Clone)]
#[must_use = "it is given to an adapter's constructor"]
pub struct MountPoint {
    pub(crate) tracing: HttpTracing,
    pub(crate) options: Options,
}

impl HttpTracing {
    /// Creates a mount point of this policy, to which options can be added. See [`MountPoint`] for an example.
    pub fn mount_point(&self) -> MountPoint {
        MountPoint {
            tracing: self.clone(),
            options: Options::default(),
        }
    }
}

impl MountPoint {
    /// Adds attributes to those of the policy. They become tags of the spans. See [`MountPoint`] for an example.
    ///
    /// If a request passes several mount points, its span has the attributes of all of them.
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.options.attributes.extend(attributes);
        let mut attributes = self.options.attributes.iter();
        self.options.has_response_headers = attributes.any(Attribute::is_of_response);
        self
    }

    /// Sets the name of the spans. By default the policy's rule determines it, else the method and the route. See [`MountPoint`]
    /// for an example.
    ///
    /// A handler can still [rename](crate::Span::set_name) its span. If a request passes several mount points, the innermost one
    /// that sets a name decides.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Sets when the spans end, also of event streams. The default is the policy's setting. See [`MountPoint`] for an example.
    ///
    /// If a request passes several mount points, the innermost one that sets this decides.
    pub fn ends(mut self, end: SpanEnd) -> Self {
        self.options.ends = Some(end);
        self
    }
}

impl From<&HttpTracing> for MountPoint {
    fn from(tracing: &HttpTracing) -> Self {
        tracing.mount_point()
    }
}

impl From<HttpTracing> for MountPoint {
    fn from(tracing: HttpTracing) -> Self {
        tracing.mount_point()
    }
}

impl From<&Self> for MountPoint {
    fn from(mount_point: &Self) -> Self {
        mount_point.clone()
    }
}
