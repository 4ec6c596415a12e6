//! The filter form: tracing round filters, under `warp::serve`.

use std::convert::Infallible;
use std::future::ready;

use opentracing_http::MountPoint;
use opentracing_http::server::Instrumentation;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::request::Facts;
use crate::traced_request::{Coverage, TracedRequest};
use crate::{body, bridge};

/// Tracing for every filter that makes a reply, under `warp::serve`.
///
/// Both methods take the policy (`&tracing`), or a [mount point](opentracing_http::HttpTracing::mount_point) where this one adds
/// something to it.
///
/// The request's span is current while the filters inside run, while their reply is made, and while a streamed body is sent;
/// [`current_span`](crate::current_span) extracts it.
///
/// A request that passes through two traced filters has one span: the inner one adds its attributes and its name when its route
/// has responded.
pub trait Traced: Filter + Clone + Send + Sync + 'static
where
    Self::Extract: Reply,
    Self::Error: Rejects,
{
    /// Traces every request, also those that no route matches: for the filter that is served, with its `recover` inside.
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
    /// A rejection that leaves the filter has the status of the reply that warp makes of it.
    fn traced(
        self,
        mount_point: impl Into<MountPoint>,
    ) -> impl Filter<Extract = (Response,), Error = Self::Error> + Clone + Send + Sync + 'static
    {
        <Self::Error as sealed::Trace>::trace(self, mount_point.into(), Coverage::App)
    }

    /// Traces the requests that this route responds to: for one of several routes that are tried in turn (`or`).
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
    /// A request that the route rejects as not found or with a wrong method is another route's, and leaves no span here. Every
    /// other rejection counts as this route's response, with the status of the reply that warp makes of it. Callbacks for the
    /// start of a request (`on_start`) are called before that is known.
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

    /// Written for each error, because warp's `and` combines errors by a trait that only warp can name.
    pub trait Trace: Sized {
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

/// Begins a request, runs the filter in its scope, and notes the response.
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
