//! Servers on threads of their own, for the tests of adapters.

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::task::Poll;
use std::thread::JoinHandle;

use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// A server that runs on a thread of its own. Dropping it stops the server, and waits for the thread.
///
/// # Panics
///
/// Dropping it panics if the thread has panicked.
#[must_use = "a server stops when it is dropped"]
pub struct Running {
    addr: SocketAddr,
    stop: Option<Box<dyn FnOnce() + Send>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Serves in a runtime of tokio's with two worker threads, on 127.0.0.1 and a free port.
    ///
    /// `serve` receives the listener, which does not block, as `tokio::net::TcpListener::from_std` needs it. The server is
    /// stopped by dropping the future.
    ///
    /// ```
    /// use opentracing_testkit::server::Running;
    /// use tokio::net::TcpListener;
    ///
    /// let server = Running::tokio(async |listener| {
    ///     let listener = TcpListener::from_std(listener).expect("a socket for tokio");
    ///     while listener.accept().await.is_ok() {}
    /// });
    /// assert_ne!(server.addr().port(), 0);
    /// ```
    ///
    /// # Panics
    ///
    /// If there is no free port, or no runtime.
    pub fn tokio<F: Future<Output = ()>>(
        serve: impl FnOnce(TcpListener) -> F + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let addr = listener.local_addr().expect("an address");
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let (mut serve, mut stopped) = (pin!(serve(listener)), pin!(stopped));
                poll_fn(|cx| match stopped.as_mut().poll(cx) {
                    Poll::Ready(_) => Poll::Ready(()),
                    Poll::Pending => serve.as_mut().poll(cx),
                })
                .await;
            });
        });
        Self::new(addr, thread, || drop(stop))
    }

    /// A server that has been started in another way: where it listens, its thread, and what stops it.
    pub fn new(
        addr: SocketAddr,
        thread: JoinHandle<()>,
        stop: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self {
            addr,
            stop: Some(Box::new(stop)),
            thread: Some(thread),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    ///
    /// If its thread has panicked.
    pub fn join(mut self) {
        self.wait();
    }

    fn wait(&mut self) {
        let ended = self.thread.take().map(JoinHandle::join);
        // A test that panics already says enough.
        if !std::thread::panicking() {
            ended.transpose().expect("the server does not panic");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
        self.wait();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("addr", &self.addr)
            .finish_non_exhaustive()
    }
}
