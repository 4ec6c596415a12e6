//! The contract that every adapter passes.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc;
use std::thread::JoinHandle;

use actix_web::body::{EitherBody, MessageBody, SizedStream};
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::error::{ErrorInternalServerError, ErrorServiceUnavailable};
use actix_web::http::StatusCode;
use actix_web::middleware::{Condition, ErrorHandlerResponse, ErrorHandlers, Next, from_fn};
use actix_web::rt::{self, System};
use actix_web::web::{self, Bytes, Data, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse, HttpServer, Responder, Route, guard};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use futures_util::{FutureExt, Stream};
use opentracing_actix_web::{
    CurrentSpan, HttpTracing, MountPoint, NoopTracer, SpanEnd, TracingMiddleware,
};
use opentracing_testkit::app::{self, App, Body, Broken, Chunks, Place, Reply};
use opentracing_testkit::server::{Capabilities, Feature, HangUp, Server, Task};
use opentracing_testkit::server_contract;

struct ActixServer {
    addr: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server for ActixServer {
    const CAPABILITIES: Capabilities = Capabilities {
        component: "actix-web",
        hang_up: HangUp::RunsOn,
        reset: HangUp::RunsOn,
        lacks: &[(
            Feature::Trailers,
            "actix-web ends every body without trailers, over HTTP/1 and over HTTP/2.",
        )],
        ..Capabilities::ALL
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

    fn spawn(task: Task) {
        rt::spawn(task);
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

/// The application with all that stands round it, the outermost last.
fn serve(app: App, listener: TcpListener) -> io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || {
        let (inside, outside) = (app.clone(), app.clone());
        actix_web::App::new()
            .app_data(Data::new(app.clone()))
            .configure(|config| routes(config, app.places()))
            .wrap(from_fn(move |request, next| {
                middleware(inside.clone(), Place::Inside, request, next)
            }))
            .wrap(traced(app.everywhere()))
            .wrap(from_fn(move |request, next| {
                middleware(outside.clone(), Place::Outside, request, next)
            }))
            .wrap(Condition::new(app.catches_panics(), from_fn(catch_panics)))
    });
    let server = server.workers(2).disable_signals();
    Ok(server.listen_auto_h2c(listener)?.run())
}

/// The tracing of a mount point, if there is any: a condition wants something to leave out.
fn traced(mount_point: Option<impl Into<MountPoint>>) -> Condition<TracingMiddleware> {
    let tracing = mount_point.map(TracingMiddleware::new);
    let none = || TracingMiddleware::new(HttpTracing::new(NoopTracer));
    Condition::new(tracing.is_some(), tracing.unwrap_or_else(none))
}

async fn middleware<B: MessageBody>(
    app: App,
    place: Place,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if let Some(status) = app.before(place) {
        let response = HttpResponse::new(code(status));
        return Ok(request.into_response(response).map_into_right_body());
    }
    let mut response = next.call(request).await?.map_into_left_body();
    let status = app.after(place, response.status().as_u16());
    *response.response_mut().status_mut() = code(status);
    Ok(response)
}

/// As services do it: actix-web has no such middleware ready-made.
async fn catch_panics<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let caught = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    caught.unwrap_or_else(|_| Err(ErrorInternalServerError("the handler panicked")))
}

fn routes(config: &mut ServiceConfig, tracing: Option<&HttpTracing>) {
    // Nothing `async` round it: the handler's call is the application's.
    let play = |request: HttpRequest, app: Data<App>| {
        let playing = app.play(request.query_string());
        playing.map(response)
    };
    let item = || get().to(async |id: web::Path<String>| id.into_inner());
    let place = || tracing.map(HttpTracing::mount_point);
    let chosen = || place().map(|place| place.attributes(app::chosen()));
    let named = place().map(|place| place.name(app::NAMED).ends(SpanEnd::Head));
    let scope = place().map(|place| place.attributes(app::chosen_by_scope()));
    config
        .route("/", web::route().to(play))
        .route("/play", web::route().to(play))
        .service(web::resource("/items/{id}").route(item()))
        .service(web::scope("/nested").route("/items/{id}", item()))
        .route("/extracted", get().to(extracted))
        .route("/echo", web::post().to(async |body: Bytes| body))
        .route("/error", get().to(not_ready))
        .service(web::resource("/failed").wrap(from_fn(fail)))
        // There is nothing in it, so that actix-web answers with its own 404.
        .service(web::scope("/rewritten").wrap(teapots()))
        .service(
            web::resource("/declined/{id}")
                .guard(guard::fn_guard(|_| false))
                .to(async || "the one that declines"),
        )
        .route("/declined/{id}", item())
        .route("/upgrade", get().to(upgrade))
        .route("/chosen", get().to(play).wrap(traced(chosen())))
        .route("/named", get().to(play).wrap(traced(named)))
        .service(
            web::scope("/scope")
                .wrap(traced(scope))
                .route("/chosen", get().to(play).wrap(traced(chosen()))),
        );
}

/// actix-web answers `HEAD` only where a route asks for it.
fn get() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

fn response(reply: Reply) -> HttpResponse {
    let mut response = HttpResponse::build(code(reply.status));
    for header in reply.headers {
        response.append_header(header);
    }
    match reply.body {
        Body::Text(text) => response.body(text),
        Body::Stream(chunks) => response.streaming(bytes(chunks)),
        Body::Sized(length, chunks) => response.body(SizedStream::new(length, bytes(chunks))),
    }
}

fn bytes(chunks: Chunks) -> impl Stream<Item = Result<Bytes, Broken>> {
    chunks.map_ok(Bytes::from)
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}

async fn extracted(span: CurrentSpan) -> String {
    app::injected_by(&span)
}

async fn not_ready() -> Result<&'static str, Error> {
    Err(ErrorServiceUnavailable(app::ERROR))
}

/// An error of a middleware, which no handler's response stands for.
async fn fail<B: MessageBody>(_: ServiceRequest, _: Next<B>) -> Result<ServiceResponse<B>, Error> {
    Err(ErrorServiceUnavailable(app::ERROR))
}

fn teapots<B: MessageBody + 'static>() -> ErrorHandlers<B> {
    ErrorHandlers::new().handler(StatusCode::NOT_FOUND, |mut response| {
        *response.response_mut().status_mut() = StatusCode::IM_A_TEAPOT;
        Ok(ErrorHandlerResponse::Response(
            response.map_into_left_body(),
        ))
    })
}

/// The connection stays open behind the greeting.
async fn upgrade() -> impl Responder {
    let greeting = stream::once(async { Ok::<_, Error>(Bytes::from_static(&app::GREETING)) });
    HttpResponse::SwitchingProtocols()
        .upgrade("websocket")
        .streaming(greeting.chain(stream::pending()))
}

server_contract!(ActixServer);
