//! The contract that every adapter passes.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::sync::mpsc;

use actix_web::body::{EitherBody, MessageBody, SizedStream};
use actix_web::dev::{ServiceRequest, ServiceResponse};
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
use opentracing_testkit::app::{self, App, Body, Broken, Chunks, Position, Reply};
use opentracing_testkit::server::{Capabilities, Feature, HangUp, Running, Server, Task};
use opentracing_testkit::server_contract;

struct ActixServer(Running);

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
            let ended = System::new().block_on(async {
                let server = serve(app, listener)?;
                let _ = send.send(server.handle());
                server.await
            });
            ended.expect("the server stops");
        });
        let handle = receive.recv().expect("the server starts");
        // The call itself sends the command; the future only waits until it is done.
        Self(Running::new(addr, thread, move || drop(handle.stop(false))))
    }

    fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    fn spawn(task: Task) {
        rt::spawn(task);
    }
}

/// Serves the application with its middlewares, the outermost last.
fn serve(app: App, listener: TcpListener) -> io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || {
        let (inside, outside) = (app.clone(), app.clone());
        actix_web::App::new()
            .app_data(Data::new(app.clone()))
            .configure(|config| routes(config, app.mount_points()))
            .wrap(from_fn(move |request, next| {
                middleware(inside.clone(), Position::Inside, request, next)
            }))
            .wrap(traced(app.everywhere()))
            .wrap(from_fn(move |request, next| {
                middleware(outside.clone(), Position::Outside, request, next)
            }))
            .wrap(Condition::new(app.catches_panics(), from_fn(catch_panics)))
    });
    let server = server.workers(2).disable_signals();
    Ok(server.listen_auto_h2c(listener)?.run())
}

/// Returns the middleware of a mount point as a condition, which is off without a mount point.
fn traced(mount_point: Option<impl Into<MountPoint>>) -> Condition<TracingMiddleware> {
    let tracing = mount_point.map(TracingMiddleware::new);
    let none = || TracingMiddleware::new(HttpTracing::new(NoopTracer));
    Condition::new(tracing.is_some(), tracing.unwrap_or_else(none))
}

async fn middleware<B: MessageBody>(
    app: App,
    position: Position,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if let Some(status) = app.before(position) {
        let response = HttpResponse::new(code(status));
        return Ok(request.into_response(response).map_into_right_body());
    }
    let mut response = next.call(request).await?.map_into_left_body();
    let status = app.after(position, response.status().as_u16());
    *response.response_mut().status_mut() = code(status);
    Ok(response)
}

/// Catches panics. Services write this themselves, because actix-web has no such middleware.
async fn catch_panics<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let caught = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    caught.unwrap_or_else(|_| Err(ErrorInternalServerError("the handler panicked")))
}

fn routes(config: &mut ServiceConfig, tracing: Option<&HttpTracing>) {
    // Not within another `async` function, so that the call of the handler is the application's.
    let play = |request: HttpRequest, app: Data<App>| {
        let playing = app.play(request.query_string());
        playing.map(response)
    };
    let item = || get().to(async |id: web::Path<String>| id.into_inner());
    let mount_point = || tracing.map(HttpTracing::mount_point);
    let chosen = || mount_point().map(|options| options.attributes(app::chosen()));
    let named = mount_point().map(|options| options.name(app::NAMED).ends(SpanEnd::Head));
    let scope = mount_point().map(|options| options.attributes(app::chosen_by_scope()));
    config
        .route("/", web::route().to(play))
        .route("/play", web::route().to(play))
        .service(web::resource("/items/{id}").route(item()))
        .service(web::scope("/nested").route("/items/{id}", item()))
        .route("/extracted", get().to(extracted))
        .route("/echo", web::post().to(async |body: Bytes| body))
        .route("/error", get().to(not_ready))
        .service(web::resource("/failed").wrap(from_fn(fail)))
        // An empty scope, so that actix-web responds with its own 404.
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

/// Returns a route for `GET` and `HEAD`. In actix-web a route for `GET` does not include `HEAD`.
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

/// A middleware that returns an error without calling the handler.
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

/// Sends a greeting. The connection stays open after it.
async fn upgrade() -> impl Responder {
    let greeting = stream::once(async { Ok::<_, Error>(Bytes::from_static(&app::GREETING)) });
    HttpResponse::SwitchingProtocols()
        .upgrade("websocket")
        .streaming(greeting.chain(stream::pending()))
}

server_contract!(ActixServer);
