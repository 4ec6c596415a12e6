//! Whether the application under test is right by itself, without any tracing.

use std::any::TypeId;
use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::app::{Broken, GREETING, Gate, Position, Reply};
use crate::client::{Http2, Response};
use crate::hint::{check_nothing_on_failure, message};
use crate::server::cases::{CHUNKS, gated, in_chunks, sized, with_trailer};
use crate::server::{Feature, Kit, Server, Setup};

/// The headers of a websocket's handshake (RFC 6455).
pub(super) const HANDSHAKE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Returns what is wrong with the application of this server when nothing is traced, a text for each; nothing if it is right.
/// It is served and asked once in a process.
pub(crate) fn problems<S: Server>() -> Arc<[String]> {
    type Found = HashMap<TypeId, Arc<OnceLock<Arc<[String]>>>>;
    static FOUND: Mutex<Option<Found>> = Mutex::new(None);

    let found = {
        let mut all = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        let all = all.get_or_insert_default();
        all.entry(TypeId::of::<S>()).or_default().clone()
    };
    found.get_or_init(|| find::<S>().into()).clone()
}

fn find<S: Server>() -> Vec<String> {
    let checks: [fn(&mut Problems); 7] = [
        routes::<S>,
        every_method::<S>,
        bodies::<S>,
        panics::<S>,
        upgrade::<S>,
        middlewares::<S>,
        http2::<S>,
    ];
    let mut problems = Problems::default();
    for check in checks {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&mut problems))) {
            let text = message(&*panic).unwrap_or("without a message");
            problems.0.push(format!("it panicked: {text}"));
        }
    }
    // What was started here is no case's.
    check_nothing_on_failure();
    problems.0
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    /// Notes a difference, and the feature whose lack would be the reason.
    fn compare(&mut self, request: &str, returned: &str, expected: &str, feature: Option<Feature>) {
        if returned == expected {
            return;
        }
        let mut problem = format!("{request} returned {returned}; expected {expected}");
        if let Some(feature) = feature {
            problem += &format!(", or else declare `lacks: &[(Feature::{feature:?}, \"reason\")]`");
        }
        self.0.push(problem);
    }

    /// The same for a response, of which the status and the body count.
    fn compare_response(
        &mut self,
        request: &str,
        response: Option<&Response>,
        expected: (u16, &str),
    ) {
        let (status, text) = expected;
        self.compare(
            request,
            &shown(response),
            &format!("{status} {text:?}"),
            None,
        );
    }
}

/// The status and the body.
fn shown(response: Option<&Response>) -> String {
    match response {
        Some(response) => format!("{} {:?}", response.status, response.text()),
        None => "no whole response".to_owned(),
    }
}

/// The application, of which nothing is traced, with this handler.
fn untraced<S, F>(handler: impl Fn(String) -> F + Send + Sync + 'static) -> Setup<S>
where
    S: Server,
    F: Future<Output = Reply> + Send + 'static,
{
    let setup = Kit::<S>::setup().untraced();
    setup.play(move |query| handler(query.to_owned()))
}

fn response<S: Server>(kit: &Kit<S>, method: &str, path: &str) -> Option<Response> {
    let mut connection = kit.connect();
    // Trailers are for those who ask for them.
    connection.request(method, path, &[("te", "trailers")]);
    connection.response(method)
}

/// A handler that responds with its query.
async fn played(query: String) -> Reply {
    let reply = Reply::text(format!("played {query}")).with_status(203);
    reply.header("x-kit", "one").header("x-kit", "two")
}

/// The routes and their responses.
fn routes<S: Server>(problems: &mut Problems) {
    let kit = untraced::<S, _>(played).start();
    let played = (203, "played a=1&b");
    for (path, expected) in [
        ("/?a=1&b", played),
        ("/play?a=1&b", played),
        ("/chosen?a=1&b", played),
        ("/named?a=1&b", played),
        ("/scope/chosen?a=1&b", played),
        ("/play", (203, "played ")),
        ("/items/7", (200, "7")),
        ("/nested/items/7", (200, "7")),
        ("/declined/7", (200, "7")),
        ("/extracted", (200, "none\n")),
    ] {
        let whole = response(&kit, "GET", path);
        problems.compare_response(&format!("GET {path}"), whole.as_ref(), expected);
        if expected == played {
            let headers = whole.map(|response| values(&response, "x-kit"));
            let headers = headers.unwrap_or_default();
            let request = format!("GET {path}, of the header `x-kit`,");
            problems.compare(&request, &headers, "one, two", None);
        }
        // The same without the body.
        let head = response(&kit, "HEAD", path);
        problems.compare_response(&format!("HEAD {path}"), head.as_ref(), (expected.0, ""));
    }
    // What the body is, is the framework's business.
    for (path, status) in [
        ("/error", 503),
        ("/failed", 503),
        ("/rewritten", 418),
        ("/no/such/path", 404),
    ] {
        let status_of = response(&kit, "GET", path).map(|response| response.status);
        let request = format!("GET {path}");
        problems.compare(&request, &status_text(status_of), &status.to_string(), None);
    }
    let mut connection = kit.connect();
    connection.send(b"POST /echo HTTP/1.1\r\nhost: test.example\r\ncontent-length: 4\r\n\r\necho");
    let echoed = connection.response("POST");
    problems.compare_response(
        "POST /echo with the body \"echo\"",
        echoed.as_ref(),
        (200, "echo"),
    );
}

/// `/play` and `/` with every method.
fn every_method<S: Server>(problems: &mut Problems) {
    let kit = untraced::<S, _>(played).start();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for path in ["/", "/play"] {
            let response = response(&kit, method, path);
            problems.compare_response(
                &format!("{method} {path}"),
                response.as_ref(),
                (203, "played "),
            );
        }
    }
    if has::<S>(Feature::UnknownMethods) {
        let response = response(&kit, "BREW", "/play");
        let (returned, expected) = (shown(response.as_ref()), "203 \"played \"");
        problems.compare(
            "BREW /play",
            &returned,
            expected,
            Some(Feature::UnknownMethods),
        );
    }
}

/// The bodies of [`Reply`], and how they end.
fn bodies<S: Server>(problems: &mut Problems) {
    let kit = untraced::<S, _>(|query| async move {
        match query.as_str() {
            "empty" => Reply::status(204),
            "sized" => sized(),
            "trailer" => with_trailer().await,
            "error" => Reply::stream(async |number| {
                Some(match number {
                    0 => Ok(CHUNKS[0].as_bytes().to_vec()),
                    _ => Err(Broken),
                })
            }),
            "panic" => Reply::stream(async |number| {
                assert!(number == 0, "as asked for");
                Some(Ok(CHUNKS[0].as_bytes().to_vec()))
            }),
            _ => in_chunks("").await,
        }
    })
    .start();
    let chunks = CHUNKS.concat();
    for (query, expected) in [
        ("empty", (204, "")),
        ("sized", (200, &*chunks)),
        ("stream", (200, &*chunks)),
        ("trailer", (200, &*chunks)),
    ] {
        let path = format!("/play?{query}");
        let response = response(&kit, "GET", &path);
        let request = format!("GET /play, of a handler with the body `{query}`,");
        problems.compare_response(&request, response.as_ref(), expected);
        if query == "sized" {
            let length = response
                .as_ref()
                .map(|response| values(response, "content-length"));
            let request = format!("{request} of the header `content-length`,");
            let expected = chunks.len().to_string();
            problems.compare(&request, &length.unwrap_or_default(), &expected, None);
        }
        if query == "trailer" && has::<S>(Feature::Trailers) {
            let trailer = response
                .as_ref()
                .and_then(|response| response.trailer("x-sum"));
            let request = format!("{request} of the trailer `x-sum`,");
            let trailer = trailer.unwrap_or("nothing");
            problems.compare(&request, trailer, "42", Some(Feature::Trailers));
        }
    }
    for (query, feature) in [("error", Feature::BodyError), ("panic", Feature::BodyPanic)] {
        let returned = shown(response(&kit, "GET", &format!("/play?{query}")).as_ref());
        let request =
            format!("GET /play, of a handler whose body ends in the {query} of its second chunk,");
        let complete = format!("200 {:?}", CHUNKS[0]);
        let expected = match has::<S>(feature) {
            true => "no whole response",
            false => &complete,
        };
        problems.compare(&request, &returned, expected, Some(feature));
    }
    if has::<S>(Feature::Streams) {
        let gate = Gate::default();
        let kit = Kit::<S>::setup().untraced();
        let kit = kit.play(gated(&gate, "text/plain")).start();
        let mut connection = kit.request("GET", "/play", &[]);
        let first = connection.head().and_then(|_| connection.chunk()).flatten();
        gate.open();
        let first = first.map(|chunk| String::from_utf8_lossy(&chunk).into_owned());
        let request = "GET /play, of a handler whose second chunk waits for the first to arrive,";
        let first = format!("{:?} first", first.unwrap_or_default());
        let expected = format!("{:?} first", CHUNKS[0]);
        problems.compare(request, &first, &expected, Some(Feature::Streams));
    }
}

/// Panics in handlers, also under the framework's own layer that catches them.
fn panics<S: Server>(problems: &mut Problems) {
    for layer in [false, true] {
        if layer && !has::<S>(Feature::CatchPanicLayer) {
            return;
        }
        let setup = untraced::<S, _>(async |_| panic!("as asked for"));
        let setup = if layer { setup.catch_panics() } else { setup };
        let kit = setup.start();
        let status = response(&kit, "GET", "/play").map(|response| response.status);
        let expected = S::CAPABILITIES.panic.answer();
        let (request, expected, feature) = match layer {
            true => (
                "GET /play, of a handler that panics under the layer that catches panics,",
                Some(500),
                Some(Feature::CatchPanicLayer),
            ),
            false => ("GET /play, of a handler that panics,", expected, None),
        };
        let (status, expected) = (status_text(status), status_text(expected));
        problems.compare(request, &status, &expected, feature);
    }
}

/// The route that changes the connection's protocol.
fn upgrade<S: Server>(problems: &mut Problems) {
    let kit = untraced::<S, _>(played).start();
    let mut connection = kit.request("GET", "/upgrade", &HANDSHAKE);
    let status = connection.head().map(|head| head.status);
    if !has::<S>(Feature::Upgrade) {
        return;
    }
    let request = "GET /upgrade";
    problems.compare(request, &status_text(status), "101", Some(Feature::Upgrade));
    if status == Some(101) {
        let greeting = format!("{:?}", connection.bytes(GREETING.len()).unwrap_or_default());
        let expected = format!("{GREETING:?}");
        problems.compare("GET /upgrade, after its head,", &greeting, &expected, None);
    }
}

/// The two middlewares: that each can change a status, and can respond by itself.
fn middlewares<S: Server>(problems: &mut Problems) {
    for position in [Position::Inside, Position::Outside] {
        if position == Position::Outside && !has::<S>(Feature::MiddlewareOutside) {
            continue;
        }
        let outside = (position == Position::Outside).then_some(Feature::MiddlewareOutside);
        for responds in [false, true] {
            if responds && !has::<S>(Feature::MiddlewareThatResponds) {
                continue;
            }
            let kit = untraced::<S, _>(played)
                .middleware(move |at, status| {
                    (at == position && status.is_none() == responds).then_some(418)
                })
                .start();
            let status = response(&kit, "GET", "/play").map(|response| response.status);
            let does = if responds {
                "responds with"
            } else {
                "changes the status to"
            };
            let request = format!("GET /play, with a middleware {position:?} that {does} 418,");
            let responding = responds.then_some(Feature::MiddlewareThatResponds);
            problems.compare(
                &request,
                &status_text(status),
                "418",
                outside.or(responding),
            );
        }
    }
}

/// HTTP/2, with prior knowledge.
fn http2<S: Server>(problems: &mut Problems) {
    if !has::<S>(Feature::Http2) {
        return;
    }
    let kit = untraced::<S, _>(played).start();
    let response = Http2::probe(kit.addr()).get("/play?http2", &[]);
    let returned = shown(response.as_ref());
    let expected = "203 \"played http2\"";
    problems.compare(
        "GET /play over HTTP/2",
        &returned,
        expected,
        Some(Feature::Http2),
    );
}

/// Whether the framework is declared to have it. The case that runs does not depend on it.
fn has<S: Server>(feature: Feature) -> bool {
    S::CAPABILITIES.declares(feature)
}

/// The values of a header, joined.
fn values(response: &Response, name: &str) -> String {
    let headers = response.headers.iter();
    let values = headers.filter(|(found, _)| found == name);
    let values: Vec<_> = values.map(|(_, value)| value.as_str()).collect();
    values.join(", ")
}

fn status_text(status: Option<u16>) -> String {
    status.map_or("no whole response".to_owned(), |status| status.to_string())
}
