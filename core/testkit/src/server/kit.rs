//! One server under test, and what is asserted of every case.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use opentracing_http::{
    FinishedSpan, HttpTracing, HttpTracingBuilder, InMemoryTracer, Outcome, Tracer, Value,
};

use crate::app::{App, Gate, Handler, Middleware, Position, Reply, injected};
use crate::client::{Connection, Http2, Response, TIME_TO_CANCEL};
use crate::hint::check_on_failure;
use crate::server::application::problems;
use crate::server::{Feature, HangUp, Panic, Server};

/// How long a case waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// The settings of a server that a case is about to start.
#[must_use = "a server is started by `start`"]
pub struct Setup<S> {
    tracer: InMemoryTracer,
    policy: HttpTracingBuilder,
    traced: bool,
    everywhere: bool,
    catch_panics: bool,
    handler: Handler,
    middleware: Option<Middleware>,
    panics: u64,
    late_changes: u64,
    server: PhantomData<S>,
}

impl<S: Server> Setup<S> {
    fn new() -> Self {
        let tracer = InMemoryTracer::new();
        Self {
            policy: HttpTracing::builder(tracer.clone()),
            tracer,
            traced: true,
            everywhere: true,
            catch_panics: false,
            handler: Arc::new(|_| Box::pin(async { Reply::text(injected()) })),
            middleware: None,
            panics: 0,
            late_changes: 0,
            server: PhantomData,
        }
    }

    /// Changes the policy.
    pub fn policy(mut self, change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder) -> Self {
        self.policy = change(self.policy);
        self
    }

    /// Traces with this tracer instead of the kit's, and with a default policy.
    pub fn tracer(mut self, tracer: impl Tracer + 'static) -> Self {
        self.policy = HttpTracing::builder(tracer);
        self
    }

    /// Sets the handler of `/play`, `/chosen`, `/named` and `/scope/chosen`; it receives the request's query. By default the
    /// response is what the current span injects.
    pub fn play<F>(mut self, handler: impl Fn(&str) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        self.handler = Arc::new(move |query| Box::pin(handler(query)));
        self
    }

    /// Sets what the middlewares do. Each is called with its position and the status of the response, or `None` before there is
    /// one, and returns the status to send, or `None` to change nothing.
    pub fn middleware(
        mut self,
        middleware: impl Fn(Position, Option<u16>) -> Option<u16> + Send + Sync + 'static,
    ) -> Self {
        self.middleware = Some(Arc::new(middleware));
        self
    }

    /// Turns all tracing off.
    pub fn untraced(mut self) -> Self {
        self.traced = false;
        self
    }

    /// Traces single routes only: `/chosen`, and what is below `/scope`.
    pub fn only_mount_points(mut self) -> Self {
        self.everywhere = false;
        self
    }

    /// Adds the framework's layer that catches panics, outside of the tracing.
    pub fn catch_panics(mut self) -> Self {
        self.catch_panics = true;
        self
    }

    /// Sets how many panics of callbacks are expected to be caught; none by default.
    pub fn caught_panics(mut self, count: u64) -> Self {
        self.panics = count;
        self
    }

    /// Sets how many changes of spans that have ended are expected; none by default.
    pub fn late_changes(mut self, count: u64) -> Self {
        self.late_changes = count;
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// If the policy is wrong.
    #[must_use]
    pub fn start(self) -> Kit<S> {
        check_on_failure(problems::<S>);
        let tracing = self.policy.build().expect("the policy is right");
        let server = S::start(App {
            tracing: self.traced.then(|| tracing.clone()),
            everywhere: self.everywhere,
            catch_panics: self.catch_panics,
            handler: self.handler,
            middleware: self.middleware,
        });
        Kit {
            server: Some(server),
            tracer: self.tracer,
            tracing,
            panics: self.panics,
            late_changes: self.late_changes,
        }
    }
}

impl<S> std::fmt::Debug for Setup<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// One server under test. When it is dropped every span must have been [taken](Self::spans), and none be open.
#[derive(Debug)]
pub struct Kit<S: Server> {
    server: Option<S>,
    tracer: InMemoryTracer,
    tracing: HttpTracing,
    panics: u64,
    late_changes: u64,
}

impl<S: Server> Kit<S> {
    /// Starts a server with the default policy.
    #[must_use]
    pub fn new() -> Self {
        Self::setup().start()
    }

    /// Returns the setup of a server, with the default policy.
    pub fn setup() -> Setup<S> {
        Setup::new()
    }

    /// Starts a server with another policy.
    ///
    /// # Panics
    ///
    /// If the policy is wrong.
    #[must_use]
    pub fn with(change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder) -> Self {
        Self::setup().policy(change).start()
    }

    /// Starts a server with the default policy and this handler; see [`Setup::play`].
    #[must_use]
    pub fn playing<F>(handler: impl Fn(&str) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Reply> + Send + 'static,
    {
        Self::setup().play(handler).start()
    }

    /// Returns the policy.
    #[must_use]
    pub fn tracing(&self) -> &HttpTracing {
        &self.tracing
    }

    /// Opens a connection to the server.
    ///
    /// # Panics
    ///
    /// If the server is not there.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection::open(self.addr())
    }

    /// Sends a request without a body on a connection of its own, and returns the connection.
    ///
    /// # Panics
    ///
    /// If the server is not there.
    #[must_use]
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Connection {
        let mut connection = self.connect();
        connection.request(method, path, headers);
        connection
    }

    /// Opens an HTTP/2 connection to the server.
    ///
    /// # Panics
    ///
    /// If the server is not there.
    #[must_use]
    pub fn connect_http2(&self) -> Http2 {
        match S::CAPABILITIES.has(Feature::Http2) {
            true => Http2::open(self.addr()),
            false => Http2::probe(self.addr()),
        }
    }

    /// Returns the address that the server listens on.
    ///
    /// # Panics
    ///
    /// If it has been stopped.
    #[must_use]
    pub fn addr(&self) -> std::net::SocketAddr {
        self.server.as_ref().expect("the server runs").addr()
    }

    /// Returns the response to a `GET`.
    #[must_use]
    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, &[])
    }

    /// The response to a `GET` with headers.
    #[must_use]
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send("GET", path, headers)
    }

    /// Returns the response to a request without a body.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let response = self.request(method, path, headers).response(method);
        response.unwrap_or_else(|| panic!("there is no whole response to {method} {path}"))
    }

    /// Sends a `GET`, whose response must be 200.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[track_caller]
    pub fn get_ok(&self, path: &str) {
        self.get_ok_with(path, &[]);
    }

    /// Sends a `GET` with headers, whose response must be 200.
    ///
    /// # Panics
    ///
    /// If it is not.
    #[track_caller]
    pub fn get_ok_with(&self, path: &str, headers: &[(&str, &str)]) {
        let status = self.get_with(path, headers).status;
        assert_eq!(status, 200, "GET {path} with {headers:?}");
    }

    /// Returns the one span of a `GET`, whose response must be 200.
    #[must_use]
    #[track_caller]
    pub fn span_of(&self, path: &str) -> FinishedSpan {
        self.span_of_with(path, &[])
    }

    /// Returns the one span of a `GET` with headers, whose response must be 200.
    #[must_use]
    #[track_caller]
    pub fn span_of_with(&self, path: &str, headers: &[(&str, &str)]) -> FinishedSpan {
        self.get_ok_with(path, headers);
        self.span()
    }

    /// Waits for this many spans to end, and takes them, in the order in which they ended.
    ///
    /// # Panics
    ///
    /// If there are fewer after half a minute, or more, or one of them is not sound.
    #[must_use]
    pub fn spans(&self, count: usize) -> Vec<FinishedSpan> {
        let spans = self.tracer.wait_for(count, PATIENCE);
        assert_eq!(spans.len(), count, "{spans:#?}");
        let spans = self.tracer.take();
        spans.iter().for_each(assert_sound::<S>);
        spans
    }

    /// Takes the spans that have ended by now, however many they are.
    #[must_use]
    pub fn left(&self) -> Vec<FinishedSpan> {
        self.tracer.take()
    }

    /// Waits for one span to end, and takes it.
    #[must_use]
    pub fn span(&self) -> FinishedSpan {
        self.spans(1).remove(0)
    }

    /// Waits for the span of a request whose client has left, and takes it. What the request runs waits at the gate.
    ///
    /// `field` names the capability, and `becomes` is its value.
    #[track_caller]
    pub(crate) fn span_of_hang_up(
        &self,
        field: &str,
        becomes: HangUp,
        gate: &Gate,
    ) -> FinishedSpan {
        match becomes {
            HangUp::RunsOn => gate.open(),
            HangUp::Cancels => assert!(
                is_soon(TIME_TO_CANCEL, || !self.tracer.finished().is_empty()),
                "{TIME_TO_CANCEL:?} after its client left the request still runs; \
                 if the framework runs it to its end, declare `{field}: HangUp::RunsOn`"
            ),
        }
        self.span()
    }

    /// Waits until as many panics were caught as the case expects.
    ///
    /// # Panics
    ///
    /// If they have not been within half a minute.
    pub fn wait_for_caught_panics(&self) {
        let is_enough = || self.tracing.caught_panics() >= self.panics;
        assert!(is_soon(PATIENCE, is_enough), "too few panics were caught");
    }

    /// Stops the server, after which nothing is open any more.
    ///
    /// # Panics
    ///
    /// If a span ended that no one took, or one is still open, or a callback panicked that was not expected to, or a span was
    /// changed after its end.
    pub fn stop(&mut self) {
        drop(self.server.take());
        let left = self.left();
        assert!(
            left.is_empty(),
            "spans that the case did not expect: {left:#?}"
        );
        self.tracer.assert_nothing_unfinished();
        assert_eq!(
            self.tracing.caught_panics(),
            self.panics,
            "callbacks or the tracer panicked"
        );
        assert_eq!(
            self.tracing.late_changes(),
            self.late_changes,
            "spans were changed after their end"
        );
    }
}

impl<S: Server> Default for Kit<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Server> Drop for Kit<S> {
    fn drop(&mut self) {
        if thread::panicking() {
            // A case that fails says enough. Its handlers may still wait, and the server for them.
            Gate::open_all_of_this_thread();
        } else if self.server.is_some() {
            self.stop();
        }
    }
}

/// Waits until something holds; `false` if it does not within this time.
fn is_soon(patience: Duration, holds: impl Fn() -> bool) -> bool {
    let since = Instant::now();
    while !holds() {
        if since.elapsed() >= patience {
            return false;
        }
        thread::yield_now();
    }
    true
}

/// Asserts what holds for every span, and for every request's.
fn assert_sound<S: Server>(span: &FinishedSpan) {
    assert!(span.start() <= span.end(), "{span:?}");
    let Some(http) = span.http() else {
        return;
    };
    assert_eq!(
        span.tag("span.kind"),
        Some(Value::from("server")),
        "{span:?}"
    );
    let head = http.time_to_head().unwrap_or_default();
    assert!(head <= span.duration(), "{span:?}");
    // Only an error, or a panic, that the framework makes a response of can have a status without a head.
    let may_be_made_later = match http.outcome() {
        Outcome::HandlerError => true,
        Outcome::Panicked => S::CAPABILITIES.panic() == Panic::Answers500,
        _ => false,
    };
    if !may_be_made_later {
        assert_eq!(
            http.status().is_some(),
            http.time_to_head().is_some(),
            "{span:?}"
        );
    }
}
