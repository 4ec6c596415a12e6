//! A handler's future within its request's scope.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::server::request_span::RequestSpan;

pin_project! {
    /// A handler's future that is polled and dropped with its request's span current.
    ///
    /// Its output is the handler's output and the request's span, for [`respond`](RequestSpan::respond) or
    /// [`fail`](RequestSpan::fail). If it is dropped before it is ready, the request ends as cancelled, or as panicked if one of
    /// the polls panicked.
    ///
    /// ```
    /// use opentracing_http::server::{InRequest, Instrumentation};
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Span};
    ///
    /// async fn handler(_: http::Request<()>) -> http::Response<()> {
    ///     Span::current().set_tag("greeting", "hello");
    ///     http::Response::new(())
    /// }
    ///
    /// async fn traced(
    ///     instrumentation: &Instrumentation,
    ///     request: http::Request<()>,
    /// ) -> http::Response<()> {
    ///     let span = instrumentation.begin(&request);
    ///     let (mut response, span) = InRequest::new(span, || handler(request)).await;
    ///     // The body is empty: there is nothing to follow.
    ///     drop(span.respond(&mut response));
    ///     response
    /// }
    ///
    /// # fn wait<F: Future>(future: F) {
    /// #     let mut future = std::pin::pin!(future);
    /// #     let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
    /// #     while future.as_mut().poll(context).is_pending() {}
    /// # }
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// wait(traced(&instrumentation, http::Request::new(())));
    /// assert_eq!(tracer.finished()[0].tag("greeting").unwrap(), "hello");
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited or polled"]
    pub struct InRequest<F> {
        // Dropped within the span's scope, so an `Option` that is emptied there.
        #[pin]
        future: Option<F>,
        // Empty once the future has ended.
        span: Option<RequestSpan>,
    }

    impl<F> PinnedDrop for InRequest<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(span) = this.span {
                span.scope(|| this.future.set(None));
            }
        }
    }
}

impl<F> InRequest<F> {
    /// Calls the handler with the request's span current, and wraps the future that it returns. If the call panics, the request
    /// ends as panicked. See [`InRequest`] for an example.
    pub fn new(span: RequestSpan, call: impl FnOnce() -> F) -> Self {
        let mut request = Self::before(span);
        request.start(call);
        request
    }

    /// Wraps the request's span without a future, for an adapter that has to do something when the [call](Self::start) of the
    /// handler panics.
    ///
    /// ```
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    /// use std::pin::pin;
    ///
    /// use opentracing_http::server::{InRequest, Instrumentation};
    /// use opentracing_http::{HttpTracing, InMemoryTracer, Outcome};
    ///
    /// fn handler(_: http::Request<()>) -> std::future::Ready<()> {
    ///     panic!("no future")
    /// }
    ///
    /// let tracer = InMemoryTracer::new();
    /// let instrumentation = Instrumentation::new(&HttpTracing::new(tracer.clone()), "my-framework");
    /// let request = http::Request::new(());
    ///
    /// let mut traced = InRequest::before(instrumentation.begin(&request));
    /// let called = catch_unwind(AssertUnwindSafe(|| traced.start(|| handler(request))));
    /// assert!(called.is_err());
    /// {
    ///     let mut traced = pin!(traced);
    ///     if let Some(span) = traced.as_mut().span() {
    ///         span.set_error(&"the handler panicked");
    ///     }
    /// }
    /// assert_eq!(tracer.finished()[0].http().unwrap().outcome(), Outcome::Panicked);
    /// ```
    pub fn before(span: RequestSpan) -> Self {
        Self {
            future: None,
            span: Some(span),
        }
    }

    /// Calls the handler with the request's span current, and keeps the future that it returns. A panic of the call is recorded as
    /// the request's outcome and continues to the caller. See [`before`](Self::before) for an example.
    pub fn start(&mut self, call: impl FnOnce() -> F) {
        if let Some(span) = &mut self.span {
            self.future = Some(span.scope(call));
        }
    }

    /// Returns the request's span; `None` after the future was ready. See [`before`](Self::before) for an example.
    #[must_use]
    pub fn span(self: Pin<&mut Self>) -> Option<&mut RequestSpan> {
        self.project().span.as_mut()
    }
}

impl<F: Future> Future for InRequest<F> {
    type Output = (F::Output, RequestSpan);

    /// Returns `Pending` if it is polled after it was ready, or before [`start`](Self::start).
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(span) = this.span else {
            return Poll::Pending;
        };
        let polled = span.scope(|| {
            let future = this.future.as_mut().as_pin_mut()?;
            let polled = future.poll(cx);
            if polled.is_ready() {
                this.future.set(None);
            }
            Some(polled)
        });
        let Some(Poll::Ready(output)) = polled else {
            return Poll::Pending;
        };
        match this.span.take() {
            Some(span) => Poll::Ready((output, span)),
            None => Poll::Pending,
        }
    }
}
