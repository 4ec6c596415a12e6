//! Exporters whose clients need something of the thread that they run on, under tracers that are made and flushed anywhere.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use opentracing_http::{ConfigError, HttpTracing};
use opentracing_opentelemetry::OpenTelemetryTracer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

const SOON: Duration = Duration::from_secs(20);

/// Takes so many messages of a byte, and acknowledges each, before it ends.
fn backend(messages: usize) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        for _ in 0..messages {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            stream.write_all(&byte).unwrap();
        }
    });
    (address, thread)
}

fn failure(error: impl Into<Box<dyn std::error::Error>>) -> OTelSdkError {
    OTelSdkError::InternalFailure(error.into().to_string())
}

/// Connects anew for each batch, in the future itself, with a time limit: needs the runtime that it is polled in.
#[derive(Debug)]
struct Asynchronous(SocketAddr);

async fn exchange(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(b"x").await?;
    let mut byte = [0];
    stream.read_exact(&mut byte).await.map(|_| ())
}

impl SpanExporter for Asynchronous {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        let exchanged = tokio::time::timeout(SOON, exchange(self.0));
        exchanged.await.map_err(failure)?.map_err(failure)
    }
}

type Requests = mpsc::Sender<oneshot::Sender<std::io::Result<()>>>;

/// Hands batches to a task that it has spawned when it was made, as tonic's channel does: needs a runtime then, and needs
/// somebody to run it later.
#[derive(Debug)]
struct Spawned(Requests);

impl Spawned {
    fn new(address: SocketAddr) -> Self {
        let (requests, mut incoming) = mpsc::channel::<oneshot::Sender<std::io::Result<()>>>(1);
        tokio::spawn(async move {
            while let Some(done) = incoming.recv().await {
                let _ = done.send(exchange(address).await);
            }
        });
        Self(requests)
    }
}

static DROPPED_OUTSIDE: AtomicBool = AtomicBool::new(false);

// What such a client does at its end may need the runtime as well.
impl Drop for Spawned {
    fn drop(&mut self) {
        if Handle::try_current().is_err() {
            DROPPED_OUTSIDE.store(true, Ordering::Relaxed);
        }
    }
}

impl SpanExporter for Spawned {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        let (done, is_done) = oneshot::channel();
        self.0.send(done).await.map_err(failure)?;
        is_done.await.map_err(failure)?.map_err(failure)
    }
}

/// Blocks its thread within a runtime that it makes and drops, as reqwest's blocking client does in a debug build; dropping one
/// panics on a thread that runs tasks, so dropping the exporter does the same.
#[derive(Debug)]
struct Blocking(Mutex<SocketAddr>);

impl SpanExporter for Blocking {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        refuses_tasks();
        let mut stream = TcpStream::connect(*self.0.lock().unwrap()).map_err(failure)?;
        stream.write_all(b"x").map_err(failure)?;
        stream.read_exact(&mut [0]).map_err(failure)
    }
}

impl Drop for Blocking {
    fn drop(&mut self) {
        refuses_tasks();
    }
}

fn refuses_tasks() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    drop(runtime.unwrap().enter());
}

fn tracer(kind: usize, address: SocketAddr) -> OpenTelemetryTracer {
    let builder = OpenTelemetryTracer::builder()
        .batch_interval(Duration::from_secs(3600))
        .retries(0);
    match kind {
        0 => builder.of_exporter(Asynchronous(address)),
        1 => builder.of_exporter_made_by(|| Ok::<_, ConfigError>(Spawned::new(address))),
        _ => builder.of_exporter(Blocking(Mutex::new(address))),
    }
    .unwrap()
}

/// Makes a tracer, delivers by a flush and by the tracer's end, and drops it, all on the calling thread.
fn deliver(kind: usize) {
    let (address, backend) = backend(2);
    let tracer = tracer(kind, address);
    let tracing = HttpTracing::new(tracer.clone());
    tracing.span("first").start().finish();
    let flushed = tracing.flush(SOON);
    assert!(flushed.is_complete(), "kind {kind}: {flushed}");
    tracing.span("last").start().finish();
    drop(tracing);
    assert_eq!((tracer.delivered(), tracer.drops().total()), (2, 0));
    drop(tracer);
    assert!(!DROPPED_OUTSIDE.load(Ordering::Relaxed));
    backend.join().unwrap();
}

#[test]
fn clients_of_every_kind_deliver_without_a_runtime() {
    (0..3).for_each(deliver);
}

#[test]
fn clients_of_every_kind_deliver_from_a_task_that_is_the_only_one_its_runtime_can_run() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        assert!(catch_unwind(refuses_tasks).is_err(), "or it shows nothing");
        (0..3).for_each(deliver);
    });
}

#[test]
fn clients_of_every_kind_deliver_from_a_worker_of_a_runtime() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let task = runtime.spawn(async { (0..3).for_each(deliver) });
    runtime.block_on(task).unwrap();
}
