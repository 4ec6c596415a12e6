//! The filter form: traces filters that `warp::serve` serves.

use std::convert::Infallible;
use std::future::ready;

use opentracing_http::MountPoint;
use opentracing_http::server::Instrumentation;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::request::Facts;
use crate::traced_request::{Coverage, TracedRequest};
use crate::{body, bridge};

/// Traces filters that return a reply and are served by `warp::serve`.
///
/// Both methods take the policy (`&tracing`), or the policy with [options](opentracing_http::HttpTracing::mount_point) for this
/// mount point.
///
/// The request's span is current while the traced filter runs, while its reply is created, and while a streamed body is sent.
/// [`current_span`](crate::current_span) extracts it.
///
/// A request that passes through two traced filters has one span. The outer filter begins and ends it; the inner filter adds its
/// attributes and its name when its route has responded.
pub trait Traced: Filter + Clone + Send + Sync + 'static
where
    Self::Extract: Reply,
    Self::Error: Rejects,
{
    /// Returns a filter that traces every request, also one that no route matches. Call it last, on the filter that is served,
    /// after `recover`.
    ///
    /// ```no_run
    /// use opentracing_warp::{HttpTracing, InMemoryTracer, Traced};
    /// use warp::Filter;
    ///
    /// # async fn serve() {
    /// let tracing = HttpTracing::new(InMemoryTracer::new());
    /// let routes = warp::path("hello").map(|| "world");
    ///
    /// warp::serve(routes.traced(&tracing)).run(([127, 0, 0, 1], 3030)).await;
    /// # }
    /// ```
    ///
    /// If the filter rejects a request, the span has the status of the reply that warp sends for the rejection.
    fn traced(
        self,
        mount_point: impl Into<MountPoint>,
    ) -> impl Filter<Extract = (Response,), Error = Self::Error> + Clone + Send + Sync + 'static
    {
        <Self::Error as sealed::Trace>::trace(self, mount_point.into(), Coverage::App)
    }

    /// Returns a filter that traces the requests to which this route responds. Call it on one of several routes that `or` combines.
    ///
    /// ```
    /// use opentracing_warp::{Attribute, HttpTracing, InMemoryTracer, Traced};
    /// use warp::Filter;
    ///
    /// let tracing = HttpTracing::new(InMemoryTracer::new());
    /// let chosen = warp::path("chosen")
    ///     .map(|| "!")
    ///     .traced_route(tracing.mount_point().attributes([Attribute::URL]));
    /// let routes = chosen.or(warp::path("other").map(|| "not traced"));
    /// # let _ = routes;
    /// ```
    ///
    /// If the route rejects a request as not found or with a wrong method, there is no span, because `or` tries the next route.
    /// Every other rejection counts as this route's response, with the status of the reply that warp sends for it. `on_start`
    /// callbacks are called before it is known whether there will be a span.
    fn traced_route(
        self,
        mount_point: impl Into<MountPoint>,
    ) -> impl Filter<Extract = (Response,), Error = Self::Error> + Clone + Send + Sync + 'static
    {
        <Self::Error as sealed::Trace>::trace(self, mount_point.into(), Coverage::Route)
    }
}

impl<F> Traced for F
where
    F: Filter + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Error: Rejects,
{
}

/// The errors of warp's filters: [`Rejection`], or [`Infallible`] for a filter that never rejects.
pub trait Rejects: sealed::Trace {}

impl Rejects for Rejection {}
impl Rejects for Infallible {}

mod sealed {
    use super::{Filter, MountPoint, Reply, Response};
    use crate::traced_request::Coverage;

    /// Implemented for each error type, because warp's `and` combines errors with a private trait of warp.
    pub trait Trace: Sized {
        /// Returns the traced filter; see [`Traced`](super::Traced) for an example.
        fn trace<F>(
            filter: F,
            mount_point: MountPoint,
            coverage: Coverage,
        ) -> impl Filter<Extract = (Response,), Error = Self> + Clone + Send + Sync + 'static
        where
            F: Filter<Error = Self> + Clone + Send + Sync + 'static,
            F::Extract: Reply;
    }
}

impl sealed::Trace for Rejection {
    fn trace<F>(
        filter: F,
        mount_point: MountPoint,
        coverage: Coverage,
    ) -> impl Filter<Extract = (Response,), Error = Self> + Clone + Send + Sync + 'static
    where
        F: Filter<Error = Self> + Clone + Send + Sync + 'static,
        F::Extract: Reply,
    {
        let filter = filter.or_else(|rejection| {
            bridge::with_innermost(|request| request.rejected(&rejection));
            ready(Err::<F::Extract, Self>(rejection))
        });
        Facts::hand_over().and(in_scope(filter, mount_point, coverage))
    }
}

impl sealed::Trace for Infallible {
    fn trace<F>(
        filter: F,
        mount_point: MountPoint,
        coverage: Coverage,
    ) -> impl Filter<Extract = (Response,), Error = Self> + Clone + Send + Sync + 'static
    where
        F: Filter<Error = Self> + Clone + Send + Sync + 'static,
        F::Extract: Reply,
    {
        Facts::hand_over().and(in_scope(filter, mount_point, coverage))
    }
}

/// Returns a filter that begins a request, runs the inner filter in its scope, and records the response.
fn in_scope<F>(
    filter: F,
    mount_point: MountPoint,
    coverage: Coverage,
) -> impl Filter<Extract = (Response,), Error = F::Error> + Clone + Send + Sync + 'static
where
    F: Filter + Clone + Send + Sync + 'static,
    F::Extract: Reply,
{
    let instrumentation = Instrumentation::new(mount_point, "warp");
    instrumentation.mounted();
    filter
        .with(warp::log::custom(|info| {
            bridge::with_innermost(|request| request.responded(&info));
        }))
        .map(follow)
        .with(warp::trace(move |info| {
            bridge::open(TracedRequest::begin(&instrumentation, coverage, &info))
        }))
        .map(Reply::into_response)
}

fn follow(reply: impl Reply) -> Response {
    let response = reply.into_response();
    let take = |request: &TracedRequest| request.begun()?.take();
    match bridge::with_innermost(take).flatten() {
        Some(span) => body::follow(response, span),
        None => response,
    }
}
