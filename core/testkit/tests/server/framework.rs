//! A small web framework that blocks: a thread for each connection, and responses that are sent when all of them is there.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use http::{HeaderName, HeaderValue, Method, Version};

pub(crate) type Request = http::Request<Vec<u8>>;
pub(crate) type Response = http::Response<Body>;
pub(crate) type Body = Box<dyn Read>;

/// What handles requests: a route, a router, a middleware.
pub(crate) trait Handler: Send + Sync {
    fn handle(&self, request: Request) -> Result<Response, Failure>;
}

impl<F: Fn(Request) -> Result<Response, Failure> + Send + Sync> Handler for F {
    fn handle(&self, request: Request) -> Result<Response, Failure> {
        self(request)
    }
}

/// The framework's error: a status and a message.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) message: &'static str,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl Failure {
    /// The response that it becomes, which keeps it as an extension.
    pub(crate) fn into_response(self) -> Response {
        let mut response = text(self.status, self.message);
        response.extensions_mut().insert(self);
        response
    }
}

pub(crate) fn text(status: u16, body: impl Into<Vec<u8>>) -> Response {
    let body: Body = Box::new(io::Cursor::new(body.into()));
    let response = http::Response::builder().status(status);
    response.body(body).expect("a response")
}

/// The other end of a request's connection, as it stands in its extensions.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The template of the chosen route, as it stands in the extensions: of the request from there on, and of the response.
#[derive(Clone, Copy)]
pub(crate) struct Template(pub(crate) &'static str);

/// What the path has where the template has `{id}`.
#[derive(Clone)]
pub(crate) struct Id(pub(crate) String);

/// Routes in the order in which they are tried. A route for `GET` is one for `HEAD` as well; no method is any method.
#[derive(Default)]
pub(crate) struct Router(Vec<(Option<Method>, &'static str, Box<dyn Handler>)>);

impl Router {
    pub(crate) fn route(
        mut self,
        method: impl Into<Option<Method>>,
        template: &'static str,
        handler: impl Handler + 'static,
    ) -> Self {
        self.0.push((method.into(), template, Box::new(handler)));
        self
    }
}

impl Handler for Router {
    fn handle(&self, mut request: Request) -> Result<Response, Failure> {
        let path = request.uri().path().to_owned();
        let method = match request.method() {
            &Method::HEAD => Method::GET,
            other => other.clone(),
        };
        let mut wrong_method = None;
        for (wanted, template, handler) in &self.0 {
            let Some(id) = matches(template, &path) else {
                continue;
            };
            if wanted.as_ref().is_some_and(|wanted| *wanted != method) {
                wrong_method = Some(*template);
                continue;
            }
            request.extensions_mut().insert(id);
            request.extensions_mut().insert(Template(template));
            let mut response = handler.handle(request)?;
            response.extensions_mut().insert(Template(template));
            return Ok(response);
        }
        let mut response = text(wrong_method.map_or(404, |_| 405), "");
        if let Some(template) = wrong_method {
            response.extensions_mut().insert(Template(template));
        }
        Ok(response)
    }
}

fn matches(template: &str, path: &str) -> Option<Id> {
    match template.strip_suffix("{id}") {
        Some(start) => {
            let id = path.strip_prefix(start)?;
            (!id.is_empty() && !id.contains('/')).then(|| Id(id.to_owned()))
        }
        None => (template == path).then(|| Id(String::new())),
    }
}

/// A server that has been started; it stops when it is dropped.
pub(crate) struct Running {
    addr: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    stops: AtomicBool,
    connections: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

impl Running {
    pub(crate) fn start(app: Arc<dyn Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let accepting = thread::spawn({
            let state = state.clone();
            move || accept(&listener, &state, &app)
        });
        Self {
            addr,
            state,
            accepting: Some(accepting),
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.state.stops.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.addr);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("no panic");
        }
        let connections = std::mem::take(&mut *self.state.connections.lock().expect("no panic"));
        for (stream, thread) in connections {
            let _ = stream.shutdown(Shutdown::Both);
            thread.join().expect("no panic");
        }
    }
}

fn accept(listener: &TcpListener, state: &State, app: &Arc<dyn Handler>) {
    while let Ok((stream, peer)) = listener.accept() {
        if state.stops.load(Ordering::Relaxed) {
            return;
        }
        let Ok(copy) = stream.try_clone() else {
            continue;
        };
        let app = app.clone();
        let thread = thread::spawn(move || {
            // What cannot be read or written any more is a client that has gone, and a panic is a body's.
            let _ = catch_unwind(AssertUnwindSafe(|| serve(&stream, peer, &*app)));
            let _ = stream.shutdown(Shutdown::Both);
        });
        let mut connections = state.connections.lock().expect("no panic");
        connections.push((copy, thread));
    }
}

/// Serves the requests of one connection, one after the other.
fn serve(stream: &TcpStream, peer: SocketAddr, app: &dyn Handler) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(mut request) = read_request(&mut reader, stream)? {
        let (method, version) = (request.method().clone(), request.version());
        request.extensions_mut().insert(Peer(peer));
        // A panic in a handler is a 500; one in a body is the end of the connection.
        let answer = catch_unwind(AssertUnwindSafe(|| app.handle(request)));
        let response = match answer {
            Ok(answer) => answer.unwrap_or_else(Failure::into_response),
            Err(_) => text(500, ""),
        };
        write_response(stream, &method, response)?;
        if version == Version::HTTP_10 {
            break;
        }
    }
    Ok(())
}

fn read_request(
    reader: &mut BufReader<&TcpStream>,
    mut stream: &TcpStream,
) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if reader.read_until(b'\n', &mut head)? == 0 {
            return Ok(None);
        }
    }
    let Some((mut request, length)) = parse(&head) else {
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")?;
        return Ok(None);
    };
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    *request.body_mut() = body;
    Ok(Some(request))
}

/// The request of a head, and how long its body is.
fn parse(head: &[u8]) -> Option<(Request, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(head).ok()?;
    let mut request = http::Request::builder()
        .method(parsed.method?)
        .uri(parsed.path?)
        .version(match parsed.version? {
            0 => Version::HTTP_10,
            _ => Version::HTTP_11,
        });
    let mut length = 0;
    for header in parsed.headers.iter() {
        let name: HeaderName = header.name.parse().ok()?;
        if name == http::header::CONTENT_LENGTH {
            length = std::str::from_utf8(header.value).ok()?.parse().ok()?;
        }
        request = request.header(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some((request.body(Vec::new()).ok()?, length))
}

fn write_response(
    mut stream: &TcpStream,
    method: &Method,
    mut response: Response,
) -> io::Result<()> {
    let status = response.status();
    let mut body = Vec::new();
    let bodyless = method == Method::HEAD || matches!(status.as_u16(), 204 | 304);
    if !bodyless {
        response.body_mut().read_to_end(&mut body)?;
        response
            .headers_mut()
            .insert(http::header::CONTENT_LENGTH, body.len().into());
    }
    let mut head = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in response.headers() {
        head.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    stream.write_all(&[head, body].concat())
}
