//! A small service by hand, with a defect if one is set.

use std::hint;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use opentracing_http::propagation::{Jaeger, Propagation, W3c};
use opentracing_http::{
    Baggage, HttpTracing, InMemoryTracer, OwnedSpan, Span, SpanContext, SpanId, SpanKind, Tag,
    TraceFlags, TraceId,
};
use opentracing_testkit::server::HangUp;
use opentracing_testkit::service::{Lasting, PATIENCE, Route, Routes, Service, Template};
use opentracing_testkit::tracer::ReceivedSpan;

/// What can be wrong.
pub(crate) mod defect {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const ONE_TRACE: u8 = 1;
    pub(crate) const EXPORTS_UNSAMPLED: u8 = 2;
    pub(crate) const NO_B3: u8 = 3;
    pub(crate) const REFUSES_MALFORMED: u8 = 4;
    pub(crate) const CALLS_FROM_THE_CALLER: u8 = 5;
    pub(crate) const LOSES_BAGGAGE: u8 = 6;
    pub(crate) const NAMES_AFTER_PATHS: u8 = 7;
    pub(crate) const SKIPS_NOTHING: u8 = 8;
    pub(crate) const HIDES_ERRORS: u8 = 9;
    pub(crate) const NOT_FOUND_IS_AN_ERROR: u8 = 10;
    pub(crate) const ENDS_BEFORE_THE_ANSWER: u8 = 11;
    pub(crate) const FORGETS_THE_ABANDONED: u8 = 12;
    pub(crate) const ONE_CALLER_PER_CONNECTION: u8 = 13;
    pub(crate) const CALLS_FROM_THE_FIRST: u8 = 14;
    pub(crate) const LOSES_THE_LAST: u8 = 15;
}

/// How long the slow route takes, and the stream.
const SLOW: Duration = Duration::from_millis(20);

/// The service: a thread for each connection.
pub(crate) struct Own<const DEFECT: u8> {
    addr: SocketAddr,
    tracer: InMemoryTracer,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the threads share.
struct Shared {
    tracing: HttpTracing,
    /// The span of the first request that called others.
    first: OnceLock<SpanContext>,
}

struct Request {
    path: String,
    headers: Vec<(String, Vec<u8>)>,
}

impl<const DEFECT: u8> Service for Own<DEFECT> {
    const ROUTES: Routes = Routes {
        plain: route("/", "GET /"),
        template: Ok(Template {
            paths: ["/items/7", "/items/8"],
            name: "GET /items/{id}",
            template: "/items/{id}",
        }),
        failure: Ok(route("/error", "GET /error")),
        not_found: Ok("GET"),
        skipped: Ok("/health"),
        calls: Ok(route("/call?to=", "GET /call")),
        stream: Ok(Lasting {
            route: route("/stream", "GET /stream"),
            lasts: SLOW,
        }),
        slow: Ok(Lasting {
            route: route("/slow", "GET /slow"),
            lasts: SLOW,
        }),
        hang_up: HangUp::RunsOn,
    };

    fn start() -> Self {
        let tracer = InMemoryTracer::new();
        let mut tracing = HttpTracing::builder(tracer.clone());
        if DEFECT == defect::NO_B3 {
            let propagation = Propagation::none().read(W3c).read(Jaeger).write(W3c);
            tracing = tracing.propagation(propagation);
        }
        let shared = Arc::new(Shared {
            tracing: tracing.build().unwrap(),
            first: OnceLock::new(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stopping = Arc::new(AtomicBool::new(false));
        Self {
            addr: listener.local_addr().unwrap(),
            tracer,
            stopping: stopping.clone(),
            thread: Some(thread::spawn(move || {
                listen::<DEFECT>(&listener, &stopping, &shared);
            })),
        }
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn stop(mut self) -> Vec<ReceivedSpan> {
        self.end();
        let mut spans: Vec<_> = self
            .tracer
            .finished()
            .iter()
            .map(ReceivedSpan::from)
            .collect();
        if DEFECT == defect::LOSES_THE_LAST && spans.len() > 40 {
            spans.pop();
        }
        spans
    }
}

impl<const DEFECT: u8> Own<DEFECT> {
    /// Waits for all requests.
    fn end(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // Wakes the thread that listens.
            drop(TcpStream::connect(self.addr));
            thread.join().unwrap();
        }
    }
}

impl<const DEFECT: u8> Drop for Own<DEFECT> {
    fn drop(&mut self) {
        self.end();
    }
}

fn listen<const DEFECT: u8>(listener: &TcpListener, stopping: &AtomicBool, shared: &Shared) {
    thread::scope(|scope| {
        for stream in listener.incoming() {
            if stopping.load(Ordering::SeqCst) {
                break;
            }
            scope.spawn(|| serve::<DEFECT>(stream.unwrap(), shared));
        }
    });
}

/// Serves the requests of a connection, until it is closed.
fn serve<const DEFECT: u8>(stream: TcpStream, shared: &Shared) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = BufReader::new(stream);
    let mut first = None;
    while let Some(request) = Request::read(&mut stream) {
        let mut caller = shared.tracing.extract(&request.headers);
        if DEFECT == defect::ONE_CALLER_PER_CONNECTION {
            caller = first.get_or_insert(caller).clone();
        }
        let closes = request.header("connection") == Some(b"close");
        answer::<DEFECT>(stream.get_mut(), &request, caller, shared);
        if closes {
            break;
        }
    }
}

fn answer<const DEFECT: u8>(
    stream: &mut TcpStream,
    request: &Request,
    mut caller: Option<SpanContext>,
    shared: &Shared,
) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    if path == "/health" && DEFECT != defect::SKIPS_NOTHING {
        return respond(stream, 200);
    }
    let malformed = caller.is_none() && request.header("traceparent").is_some();
    if malformed && DEFECT == defect::REFUSES_MALFORMED {
        return respond(stream, 400);
    }
    if DEFECT == defect::EXPORTS_UNSAMPLED {
        caller = caller.map(|caller| caller.with_flags(TraceFlags::SAMPLED));
    }
    if DEFECT == defect::LOSES_BAGGAGE {
        caller = caller.map(|caller| caller.with_baggage(Baggage::default()));
    }
    if DEFECT == defect::ONE_TRACE {
        let ids = (TraceId::new(1).unwrap(), SpanId::new(1).unwrap());
        caller.get_or_insert(SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED));
    }
    let span = span::<DEFECT>(path, caller.clone(), shared);
    let status = match path {
        "/error" => 503,
        "/" | "/health" | "/stream" | "/slow" | "/call" => 200,
        path if path.starts_with("/items/") => 200,
        _ => 404,
    };
    span.set_tag("http.status_code", status);
    if (status == 503 && DEFECT != defect::HIDES_ERRORS)
        || (status == 404 && DEFECT == defect::NOT_FOUND_IS_AN_ERROR)
    {
        span.set_tag("error", true);
        span.log([Tag::new("event", "error")]);
    }
    if let Some(to) = query.strip_prefix("to=") {
        let caller = caller.filter(|_| DEFECT == defect::CALLS_FROM_THE_CALLER);
        let first = shared.first.get_or_init(|| span.context().unwrap());
        let first = (DEFECT == defect::CALLS_FROM_THE_FIRST).then(|| first.clone());
        call(&span, caller.or(first), to, &shared.tracing);
        // Nothing but the end of the connection can have come.
        let abandoned = stream.set_nonblocking(true).is_ok() && stream.peek(&mut [0]).is_ok();
        stream.set_nonblocking(false).unwrap();
        if abandoned && DEFECT == defect::FORGETS_THE_ABANDONED {
            std::mem::forget(span);
            return;
        }
    }
    let mut span = Some(span);
    if DEFECT == defect::ENDS_BEFORE_THE_ANSWER {
        span = None;
    }
    if path == "/slow" || path == "/stream" {
        let since = Instant::now();
        while since.elapsed() < SLOW {
            hint::spin_loop();
        }
    }
    respond(stream, status);
    drop(span);
}

fn span<const DEFECT: u8>(path: &str, caller: Option<SpanContext>, shared: &Shared) -> OwnedSpan {
    let template = match path {
        path if path.starts_with("/items/") => Some("/items/{id}"),
        "/" | "/error" | "/stream" | "/slow" | "/call" => Some(path),
        _ => None,
    };
    let name = match template {
        _ if DEFECT == defect::NAMES_AFTER_PATHS => format!("GET {path}"),
        Some(template) => format!("GET {template}"),
        None => "GET".to_owned(),
    };
    let mut span = shared.tracing.span(name).kind(SpanKind::Server);
    if let Some(caller) = caller {
        span = span.child_of(caller);
    }
    let span = span.start();
    if let Some(template) = template {
        span.set_tag("http.route", template.to_owned());
    }
    span
}

/// Calls a URL, from a child of the span, or from another one's.
fn call(span: &Span, other: Option<SpanContext>, to: &str, tracing: &HttpTracing) {
    let (host, path) = to.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let call = span.build_child("call").kind(SpanKind::Client).start();
    let mut headers: Vec<(String, String)> = Vec::new();
    match other {
        Some(other) => tracing.inject(&other, &mut headers),
        None => call.inject(&mut headers),
    }
    let lines = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"));
    let lines: String = lines.collect();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nhost: {host}\r\n{lines}\r\n"
    )
    .unwrap();
    // It closes the connection after its response, or is gone.
    let _ = stream.read_to_end(&mut Vec::new());
}

fn respond(stream: &mut TcpStream, status: u16) {
    // The client may be gone.
    let _ = write!(
        stream,
        "HTTP/1.1 {status} As It Is\r\ncontent-length: 4\r\n\r\ndone"
    );
}

const fn route(path: &'static str, name: &'static str) -> Route {
    Route { path, name }
}

impl Request {
    /// The next one; `None` when the connection is closed.
    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let line = String::from_utf8(line(stream)?).ok()?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut headers = Vec::new();
        loop {
            let line = self::line(stream)?;
            if line.is_empty() {
                return Some(Self { path, headers });
            }
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8(line[..colon].to_vec()).ok()?;
            headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
    }

    fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(found, _)| found == name)?;
        Some(value)
    }
}

fn line(stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    match stream.read_until(b'\n', &mut line) {
        Ok(1..) => Some(line.trim_ascii_end().to_vec()),
        Ok(0) | Err(_) => None,
    }
}
