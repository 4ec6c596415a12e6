//! One server under test, and what is asserted of every case.

use std::time::Duration;

use opentracing_http::{FinishedSpan, HttpTracing, HttpTracingBuilder, InMemoryTracer, Value};

use crate::app::{App, Gate};
use crate::client::{Connection, Response};
use crate::server::Server;

/// How long a case waits for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// One server under test. When it is dropped every span must have been [taken](Self::spans), and none be open.
#[derive(Debug)]
pub struct Kit<S: Server> {
    server: Option<S>,
    tracer: InMemoryTracer,
    tracing: HttpTracing,
    gate: Gate,
}

impl<S: Server> Kit<S> {
    /// A server with the default policy.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|policy| policy)
    }

    /// A server with another policy.
    ///
    /// # Panics
    ///
    /// If the policy is wrong.
    #[must_use]
    pub fn with(change: impl FnOnce(HttpTracingBuilder) -> HttpTracingBuilder) -> Self {
        let tracer = InMemoryTracer::new();
        let tracing = change(HttpTracing::builder(tracer.clone()))
            .build()
            .expect("the policy is right");
        Self::start(tracer, tracing)
    }

    /// A server that is traced so; `tracer` is where its spans arrive.
    #[must_use]
    pub fn start(tracer: InMemoryTracer, tracing: HttpTracing) -> Self {
        let gate = Gate::default();
        let server = S::start(App {
            tracing: Some(tracing.clone()),
            gate: gate.clone(),
        });
        Self {
            server: Some(server),
            tracer,
            tracing,
            gate,
        }
    }

    /// The policy.
    #[must_use]
    pub fn tracing(&self) -> &HttpTracing {
        &self.tracing
    }

    /// What `/hang` and `/endless` wait for.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// A new connection to the server.
    ///
    /// # Panics
    ///
    /// If the server is not there.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection::open(self.server.as_ref().expect("the server runs").addr())
    }

    /// The response to a `GET`.
    #[must_use]
    pub fn get(&self, path: &str) -> Response {
        self.get_with(path, &[])
    }

    /// The response to a `GET` with headers.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut connection = self.connect();
        connection.request("GET", path, headers);
        connection.response("GET").expect("the server answers")
    }

    /// Waits for this many spans to end, and takes them, in the order in which they ended.
    ///
    /// # Panics
    ///
    /// If there are fewer after half a minute, or more.
    #[must_use]
    pub fn spans(&self, count: usize) -> Vec<FinishedSpan> {
        let spans = self.tracer.wait_for(count, PATIENCE);
        assert_eq!(spans.len(), count, "{spans:#?}");
        self.tracer.take()
    }

    /// Waits for one span to end, and takes it.
    ///
    /// # Panics
    ///
    /// If there is none after half a minute, or more than one.
    #[must_use]
    pub fn span(&self) -> FinishedSpan {
        self.spans(1).remove(0)
    }

    /// Stops the server, after which nothing is open any more.
    ///
    /// # Panics
    ///
    /// If a span ended that no one took, or one is still open.
    pub fn stop(&mut self) {
        self.gate.open();
        drop(self.server.take());
        let left = self.tracer.take();
        assert!(
            left.is_empty(),
            "spans that the case did not expect: {left:#?}"
        );
        self.tracer.assert_nothing_unfinished();
        assert_eq!(
            self.tracing.caught_panics(),
            0,
            "a callback or the tracer panicked"
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
        // A case that fails says enough.
        if self.server.is_some() && !std::thread::panicking() {
            self.stop();
        }
    }
}

/// Asserts what holds for every request's span.
pub(crate) fn assert_sound(span: &FinishedSpan) {
    assert!(span.start() <= span.end(), "{span:?}");
    assert!(span.omitted().is_empty(), "{span:?}");
    assert_eq!(
        span.tag("span.kind"),
        Some(Value::from("server")),
        "{span:?}"
    );
    let http = span.http().expect("a request's span");
    let head = http.time_to_head().unwrap_or_default();
    assert!(head <= span.duration(), "{span:?}");
}
