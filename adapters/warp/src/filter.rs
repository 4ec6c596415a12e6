//! The filter form: tracing round filters, under `warp::serve`.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use opentracing_http::server::Instrumentation;
use opentracing_http::{Attribute, HttpTracing, SpanEnd};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::place::{self, Covers, Place};
use crate::request::hand_over;

/// How a [`Traced`] filter traces, where it adds to the policy.
///
/// ```
/// use opentracing_warp::{Attribute, HttpTracing, InMemoryTracer, Traced, TracingFilter};
/// use warp::Filter;
///
/// let tracing = HttpTracing::new(InMemoryTracer::new());
/// let chosen = warp::path("chosen")
///     .map(|| "!")
///     .traced_route(&TracingFilter::new(tracing.mount_point().attributes([Attribute::URL])));
/// # let _ = chosen;
/// ```
#[derive(Debug, Clone)]
pub struct TracingFilter {
    instrumentation: Instrumentation,
    covers: Covers,
}

impl TracingFilter {
    /// Traces after this policy.
    #[must_use]
    pub fn new(tracing: &HttpTracing) -> Self {
        Self {
            instrumentation: Instrumentation::new(tracing, "warp"),
            covers: Covers::App,
        }
    }

    /// Tags these attributes as well.
    #[must_use]
    pub fn attributes(mut self, attributes: impl IntoIterator<Item = Attribute>) -> Self {
        self.instrumentation = self.instrumentation.attributes(attributes);
        self
    }

    /// Names the spans so, instead of after method and [`route`](crate::route).
    #[must_use]
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.instrumentation = self.instrumentation.name(name);
        self
    }

    /// Has the spans end at this moment, instead of the policy's.
    #[must_use]
    pub fn ends(mut self, end: SpanEnd) -> Self {
        self.instrumentation = self.instrumentation.ends(end);
        self
    }

    fn covering(self, covers: Covers) -> Self {
        Self { covers, ..self }
    }

    fn place(self) -> Arc<Place> {
        self.instrumentation.mounted();
        Arc::new(Place {
            instrumentation: self.instrumentation,
            covers: self.covers,
        })
    }
}

impl From<&HttpTracing> for TracingFilter {
    fn from(tracing: &HttpTracing) -> Self {
        Self::new(tracing)
    }
}

impl From<&Self> for TracingFilter {
    fn from(filter: &Self) -> Self {
        filter.clone()
    }
}

/// Tracing for every filter that makes a reply, under `warp::serve`.
///
/// Both methods take the policy (`&tracing`), or a [`TracingFilter`] where this place adds something to it.
///
/// The request's span is current in the filters inside, between their awaits, in the making of the reply and in streamed
/// bodies; [`current_span`](crate::current_span) extracts it.
///
/// A request that passes through two traced filters has one span: the inner one adds its attributes and its name, when its
/// route has answered.
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
    /// A rejection that reaches this place has the status that warp is going to answer with.
    fn traced<T>(
        self,
        tracing: &T,
    ) -> impl Filter<Extract = (Response,), Error = Self::Error>
    + Clone
    + Send
    + Sync
    + 'static
    + use<Self, T>
    where
        for<'a> &'a T: Into<TracingFilter>,
    {
        <Self::Error as sealed::Trace>::trace(self, tracing.into().covering(Covers::App))
    }

    /// Traces the requests that this route answers: for one of several that are tried in turn (`or`).
    ///
    /// A request that the route rejects as not found or with a wrong method is another route's, and leaves no span here.
    /// Every other rejection counts as this route's answer, with the status that warp would give it. Callbacks for the start
    /// of a request (`on_start`) run before that is known.
    fn traced_route<T>(
        self,
        tracing: &T,
    ) -> impl Filter<Extract = (Response,), Error = Self::Error>
    + Clone
    + Send
    + Sync
    + 'static
    + use<Self, T>
    where
        for<'a> &'a T: Into<TracingFilter>,
    {
        <Self::Error as sealed::Trace>::trace(self, tracing.into().covering(Covers::Route))
    }
}

impl<F> Traced for F
where
    F: Filter + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Error: Rejects,
{
}

/// The errors of warp's filters: [`Rejection`], or [`Infallible`] where there is none.
pub trait Rejects: sealed::Trace {}

impl Rejects for Rejection {}
impl Rejects for Infallible {}

mod sealed {
    use super::{Filter, Reply, Response, TracingFilter};

    /// Written for each error, because warp's `and` combines errors by a trait that only it can name.
    pub trait Trace: Sized {
        fn trace<F>(
            filter: F,
            tracing: TracingFilter,
        ) -> impl Filter<Extract = (Response,), Error = Self> + Clone + Send + Sync + 'static
        where
            F: Filter<Error = Self> + Clone + Send + Sync + 'static,
            F::Extract: Reply;
    }
}

impl sealed::Trace for Rejection {
    fn trace<F>(
        filter: F,
        tracing: TracingFilter,
    ) -> impl Filter<Extract = (Response,), Error = Self> + Clone + Send + Sync + 'static
    where
        F: Filter<Error = Self> + Clone + Send + Sync + 'static,
        F::Extract: Reply,
    {
        let filter = filter.or_else(|rejection| {
            place::rejected(&rejection);
            ready(Err::<F::Extract, Self>(rejection))
        });
        hand_over()
            .and(in_scope(filter, tracing.place()))
            .map(Reply::into_response)
    }
}

impl sealed::Trace for Infallible {
    fn trace<F>(
        filter: F,
        tracing: TracingFilter,
    ) -> impl Filter<Extract = (Response,), Error = Self> + Clone + Send + Sync + 'static
    where
        F: Filter<Error = Self> + Clone + Send + Sync + 'static,
        F::Extract: Reply,
    {
        hand_over()
            .and(in_scope(filter, tracing.place()))
            .map(Reply::into_response)
    }
}

/// Begins the request, runs the filter in its scope, and tells the place what came of it.
fn in_scope<F>(
    filter: F,
    place: Arc<Place>,
) -> impl Filter<Extract = (impl Reply,), Error = F::Error> + Clone + Send + Sync + 'static
where
    F: Filter + Clone + Send + Sync + 'static,
    F::Extract: Reply,
{
    let asked = place.clone();
    filter
        .with(warp::log::custom(move |info| asked.answered(&info)))
        .map(place::replied)
        .with(warp::trace(move |info| place.begin(&info)))
}
