//! The contract that every adapter passes.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::error::ErrorServiceUnavailable;
use actix_web::rt::System;
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{Error, HttpResponse, HttpServer, Responder, Route, guard};
use futures_util::stream::{self, Stream, StreamExt};
use opentracing_actix_web::{HttpTracing, TracingMiddleware};
use opentracing_testkit::app::{self, App, CHUNKS, Gate};
use opentracing_testkit::server::{Capabilities, HangUp, Panic, Server};
use opentracing_testkit::server_contract;

struct ActixServer {
    addr: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server for ActixServer {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "actix-web",
        item: Some("/items/{id}"),
        nested_item: Some("/nested/items/{id}"),
        panic: Panic::ClosesTheConnection,
        hang_up: HangUp::RunsOn,
        error_message: true,
        peer: true,
    };

    fn start(app: App) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let (send, receive) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async {
                let server = serve(app, listener)?;
                let _ = send.send(server.handle());
                server.await
            })
        });
        Self {
            addr,
            handle: receive.recv().expect("the server starts"),
            thread: Some(thread),
        }
    }

    fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for ActixServer {
    fn drop(&mut self) {
        // The command is sent by the call; the future is only its answer.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic").expect("the server stops");
        }
    }
}

fn serve(app: App, listener: TcpListener) -> io::Result<actix_web::dev::Server> {
    let App { tracing, gate } = app;
    let gate = Data::new(gate);
    // An app with a middleware is of another type than one without.
    match tracing {
        Some(tracing) => HttpServer::new(move || {
            actix_web::App::new()
                .app_data(gate.clone())
                .configure(|config| routes(config, Some(&tracing)))
                .wrap(TracingMiddleware::new(&tracing))
        })
        .workers(2)
        .disable_signals()
        .listen(listener)
        .map(HttpServer::run),
        None => HttpServer::new(move || {
            actix_web::App::new()
                .app_data(gate.clone())
                .configure(|config| routes(config, None))
        })
        .workers(2)
        .disable_signals()
        .listen(listener)
        .map(HttpServer::run),
    }
}

/// actix-web answers `HEAD` only where a route asks for it.
fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn routes(config: &mut ServiceConfig, tracing: Option<&HttpTracing>) {
    let item = || get().to(async |id: web::Path<String>| id.into_inner());
    let mut chosen = get().to(async || "chosen");
    if let Some(tracing) = tracing {
        chosen = chosen.wrap(TracingMiddleware::new(tracing).attributes(app::chosen()));
    }
    config
        .route("/foo", get().to(async || "bar"))
        .route("/items/{id}", item())
        .service(web::scope("/nested").route("/items/{id}", item()))
        .route("/inject", get().to(async || app::injected()))
        .route("/async", get().to(injected_later))
        .route("/child", get().to(child))
        .route("/baggage", get().to(set_baggage))
        .route("/badrequest", get().to(HttpResponse::BadRequest))
        .route("/error", get().to(not_ready))
        .route("/panic", get().to(panics))
        .route(
            "/stream",
            get().to(async || HttpResponse::Ok().streaming(chunks())),
        )
        .route("/events", get().to(events))
        .route("/endless", get().to(endless))
        .route("/hang", get().to(hang))
        .route("/empty", get().to(HttpResponse::NoContent))
        .route("/chosen", chosen)
        .route("/untraced", get().to(async || app::injected()));
}

async fn injected_later() -> String {
    app::turn().await;
    app::injected()
}

async fn child() -> impl Responder {
    app::child();
    HttpResponse::Ok()
}

async fn set_baggage() -> String {
    app::set_baggage();
    app::injected()
}

async fn not_ready() -> Result<&'static str, Error> {
    Err(ErrorServiceUnavailable(app::ERROR))
}

async fn panics() -> &'static str {
    panic!("as asked for")
}

async fn events() -> impl Responder {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .streaming(chunks())
}

/// Goes on for ever once the gate is open: actix-web would take a short rest for sent before it looks at the connection.
async fn endless(gate: Data<Gate>) -> impl Responder {
    let first = stream::once(async { CHUNKS[0] });
    let rest =
        stream::once(async move { gate.wait().await }).flat_map(|()| stream::repeat(CHUNKS[1]));
    let chunks = first.chain(rest);
    HttpResponse::Ok()
        .streaming(chunks.map(|chunk| Ok::<_, Error>(Bytes::from_static(chunk.as_bytes()))))
}

async fn hang(gate: Data<Gate>) -> impl Responder {
    gate.wait().await;
    HttpResponse::Ok()
}

fn chunks() -> impl Stream<Item = Result<Bytes, Error>> {
    stream::unfold(VecDeque::from(CHUNKS), async |mut rest| {
        let chunk = app::next_chunk(&mut rest).await?;
        Some((Ok(Bytes::from_static(chunk.as_bytes())), rest))
    })
}

server_contract!(ActixServer);
