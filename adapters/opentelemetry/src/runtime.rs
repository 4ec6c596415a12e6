//! The runtime of an exporter's future.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use opentracing_http::ConfigError;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A runtime for what exporters spawn and wait for, driven by its own thread.
///
/// The futures themselves are polled on the thread that waits for them, in the runtime's context but not by the
/// runtime: blocking clients refuse to work on a thread that drives a runtime, and asynchronous ones need a runtime
/// that is driven.
#[derive(Debug)]
pub(crate) struct Runtime {
    handle: Handle,
    /// Ends the runtime when it is dropped.
    _stop: oneshot::Sender<()>,
}

impl Runtime {
    pub(crate) fn start() -> Result<Self, ConfigError> {
        let failed = |error: std::io::Error| {
            let remedy = format!(
                "the operating system provides no thread or no event queue ({error}); raise its limits"
            );
            ConfigError::new("runtime", remedy).with_source(error)
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new()
            .name("otel-exporter".to_owned())
            .spawn(move || {
                let _suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
                // The sender's end stops it, which is an error here.
                let _ = runtime.block_on(stopped);
                runtime.shutdown_background();
            })
            .map_err(failed)?;
        Ok(Self {
            handle,
            _stop: stop,
        })
    }

    /// Runs foreign code within the runtime, with telemetry suppressed.
    pub(crate) fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        let _suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
        let _runtime = self.handle.enter();
        f()
    }
}

/// Waits for the future on this thread; returns `None` if the time is over before.
pub(crate) fn block_on<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let began = Instant::now();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        thread::park_timeout(limit.checked_sub(began.elapsed())?);
    }
}
