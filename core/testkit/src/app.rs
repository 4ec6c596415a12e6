//! The application that every adapter serves for the kit.
//!
//! | route | behaviour |
//! |---|---|
//! | `GET /foo` | 200 `bar` |
//! | `GET /items/{id}`, `GET /nested/items/{id}` | the id; the second through the framework's own nesting |
//! | `GET /inject` | what the current span injects, see [`injected`] |
//! | `GET /async` | the same, after waiting for [`turn`] |
//! | `GET /child` | starts and finishes [`CHILD`], answers 200 |
//! | `GET /baggage` | [`set_baggage`], then the same as `/inject` |
//! | `GET /badrequest` | 400 |
//! | `GET /error` | 503, made of the framework's own error type, with the message [`ERROR`] |
//! | `GET /panic` | panics |
//! | `GET /stream` | [`CHUNKS`], each after [`turn`], each in a child span [`CHUNK`] |
//! | `GET /events` | the same as `text/event-stream` |
//! | `GET /endless` | the first chunk, then nothing until the [gate](App::gate) opens, then the second without end |
//! | `GET /hang` | waits for the [gate](App::gate), then 200 |
//! | `GET /empty` | 204 |
//! | `GET /chosen` | 200; traced once more, with the attributes of [`chosen`] |
//! | `GET /untraced` | the same as `/inject` |

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use opentracing_http::{Attribute, HttpTracing, Span};

/// The message of `/error`.
pub const ERROR: &str = "not ready";

/// The span that `/child` starts.
pub const CHILD: &str = "child";

/// The span that each chunk of a stream starts.
pub const CHUNK: &str = "chunk";

/// What `/stream` and `/events` send.
pub const CHUNKS: [&str; 3] = ["data: one\n\n", "data: two\n\n", "data: three\n\n"];

/// The application's outside: what a [`Server`](crate::server::Server) is started with.
#[derive(Debug, Clone)]
pub struct App {
    /// The policy to trace everything with; without one nothing is traced.
    pub tracing: Option<HttpTracing>,
    /// What `/hang` and `/endless` wait for.
    pub gate: Gate,
}

/// The attributes that `/chosen` asks for besides the policy's.
#[must_use]
pub fn chosen() -> [Attribute; 2] {
    [
        Attribute::URL,
        Attribute::header(http::HeaderName::from_static("x-request-id")),
    ]
}

/// What the current span injects, a line for each header; `none` where there is no span.
#[must_use]
pub fn injected() -> String {
    let span = Span::current();
    if span.is_none() {
        return "none\n".to_owned();
    }
    let mut lines = Vec::new();
    span.inject(&mut |name: &str, value: &str| lines.push(format!("{name}: {value}\n")));
    lines.concat()
}

/// Sets the item `user` to `ada` on the current span.
pub fn set_baggage() {
    Span::current().set_baggage("user", "ada");
}

/// Starts and finishes [`CHILD`] below the current span.
pub fn child() {
    Span::current().child(CHILD).finish();
}

/// The next chunk of a stream, in a child span of its own; the chunks that are left are `rest`.
pub async fn next_chunk(rest: &mut VecDeque<&'static str>) -> Option<&'static str> {
    turn().await;
    let chunk = rest.pop_front()?;
    Span::current().child(CHUNK).finish();
    Some(chunk)
}

/// Comes back once after the executor had its turn, which may go on with another task or thread.
pub async fn turn() {
    let mut polled = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Something to wait for, in any runtime, and on any thread.
#[derive(Clone, Default)]
pub struct Gate {
    shared: Arc<(Mutex<Waiting>, Condvar)>,
}

#[derive(Default)]
struct Waiting {
    open: bool,
    arrived: usize,
    wakers: Vec<Waker>,
}

impl Gate {
    /// Lets everyone through, for ever.
    pub fn open(&self) {
        let mut waiting = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.open = true;
        std::mem::take(&mut waiting.wakers)
            .into_iter()
            .for_each(Waker::wake);
    }

    /// Waits until this many have come to the gate.
    ///
    /// # Panics
    ///
    /// If they have not within half a minute.
    pub fn wait_for_arrivals(&self, count: usize) {
        let waiting = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .shared
            .1
            .wait_timeout_while(waiting, Duration::from_secs(30), |waiting| {
                waiting.arrived < count
            })
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !waited.1.timed_out(),
            "fewer than {count} requests came to the gate"
        );
    }

    /// Waits until the gate is open.
    #[must_use]
    pub fn wait(&self) -> Passage {
        Passage {
            gate: self.clone(),
            arrived: false,
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// The future of [`Gate::wait`].
#[derive(Debug)]
pub struct Passage {
    gate: Gate,
    arrived: bool,
}

impl Future for Passage {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.gate.shared.clone();
        let mut waiting = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut self.arrived, true) {
            waiting.arrived += 1;
            shared.1.notify_all();
        }
        if waiting.open {
            return Poll::Ready(());
        }
        waiting.wakers.push(cx.waker().clone());
        Poll::Pending
    }
}
