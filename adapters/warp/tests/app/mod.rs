//! The kit's application, written with warp: its routes, replies and middlewares.

use std::convert::Infallible;
use std::error::Error;
use std::future::ready;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use opentracing_testkit::app::{self, App, Body, Position};
use opentracing_warp::{CurrentSpan, MountPoint, SpanEnd, Traced as _, current_span, route};
use tower::util::BoxCloneService;
use tower::{Service, ServiceExt as _};
use warp::filters::BoxedFilter;
use warp::hyper::body::Incoming;
use warp::reject::Reject;
use warp::reply::{self, Response};
use warp::ws::{Message, WebSocket, Ws};
use warp::{Filter, Rejection, Reply};

/// Returns all routes with their `recover` and the inner middleware.
pub(crate) fn routes(app: &App) -> BoxedFilter<(Response,)> {
    let scope = warp::path("scope").and(chosen(app, "/scope/chosen"));
    let routes = [
        at("/play").and(play(app)).boxed(),
        warp::path::end().and(route("/")).and(play(app)).boxed(),
        item("/items/{id}"),
        warp::path("nested").and(item("/nested/items/{id}")).boxed(),
        extracted(),
        echo(),
        fails("/error"),
        fails("/failed"),
        rewritten(),
        declined(),
        upgrade(),
        chosen(app, "/chosen"),
        named(app),
        traced_at(app, scope.boxed(), |options| {
            options.attributes(app::chosen_by_scope())
        }),
    ];
    let routes = routes
        .into_iter()
        .reduce(|before, route| before.or(route).unify().boxed())
        .expect("there are routes");
    middleware(
        app,
        Position::Inside,
        routes.recover(recover).unify().boxed(),
    )
}

/// Returns a filter for the last segment of a template without parameters. Outer filters match the segments before it.
fn at(template: &'static str) -> BoxedFilter<()> {
    let (_, path) = template.rsplit_once('/').expect("a template has a slash");
    warp::path(path)
        .and(warp::path::end())
        .and(route(template))
        .boxed()
}

/// Returns a filter for `GET` and `HEAD`.
fn read() -> BoxedFilter<()> {
    warp::get().or(warp::head()).unify().boxed()
}

fn play(app: &App) -> BoxedFilter<(Response,)> {
    let app = app.clone();
    warp::query::raw()
        .or(warp::any().map(String::new))
        .unify()
        .then(move |query: String| {
            let playing = app.play(&query);
            async { respond(playing.await) }
        })
        .boxed()
}

fn respond(reply: app::Reply) -> Response {
    let mut response = match reply.body {
        Body::Text(text) => http::Response::new(text).into_response(),
        Body::Stream(chunks) => reply::stream(chunks).into_response(),
        Body::Sized(length, chunks) => {
            reply::with_header(reply::stream(chunks), header::CONTENT_LENGTH, length)
                .into_response()
        }
    };
    *response.status_mut() = status(reply.status);
    for (name, value) in reply.headers {
        let value = value.parse().expect("a header's value");
        response.headers_mut().append(name, value);
    }
    response
}

fn status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("a status")
}

fn item(template: &'static str) -> BoxedFilter<(Response,)> {
    warp::path!("items" / String)
        .and(route(template))
        .and(read())
        .map(|id: String| id.into_response())
        .boxed()
}

fn extracted() -> BoxedFilter<(Response,)> {
    at("/extracted")
        .and(read())
        .and(current_span())
        .map(|span: CurrentSpan| app::injected_by(&span).into_response())
        .boxed()
}

fn echo() -> BoxedFilter<(Response,)> {
    at("/echo")
        .and(warp::post())
        .and(warp::body::bytes())
        .map(|body: Bytes| http::Response::new(body).into_response())
        .boxed()
}

#[derive(Debug)]
struct NotReady;

impl Reject for NotReady {}

fn fails(template: &'static str) -> BoxedFilter<(Response,)> {
    at(template)
        .and(read())
        .and_then(|| ready(Err(warp::reject::custom(NotReady))))
        .boxed()
}

async fn recover(rejection: Rejection) -> Result<Response, Rejection> {
    match rejection.find() {
        Some(NotReady) => {
            Ok(reply::with_status(app::ERROR, StatusCode::SERVICE_UNAVAILABLE).into_response())
        }
        None => Err(rejection),
    }
}

fn rewritten() -> BoxedFilter<(Response,)> {
    let missing = warp::any().and_then(|| ready(Err::<Response, _>(warp::reject::not_found())));
    let teapot = |_: Rejection| ready(Ok::<_, Infallible>(StatusCode::IM_A_TEAPOT.into_response()));
    at("/rewritten")
        .and(read())
        .and(missing.recover(teapot).unify())
        .boxed()
}

fn declined() -> BoxedFilter<(Response,)> {
    let declines = warp::path!("declined" / String)
        .and(route("/declined/{nobody}"))
        .and_then(|_: String| ready(Err(warp::reject())));
    let answers = warp::path!("declined" / String)
        .and(route("/declined/{id}"))
        .and(read())
        .map(|id: String| id.into_response());
    declines.or(answers).unify().boxed()
}

fn upgrade() -> BoxedFilter<(Response,)> {
    at("/upgrade")
        .and(warp::ws())
        .map(|ws: Ws| ws.on_upgrade(greet).into_response())
        .boxed()
}

/// Sends a greeting, and waits until the client leaves.
async fn greet(mut socket: WebSocket) {
    if socket.send(Message::text("hi")).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
}

fn chosen(app: &App, template: &'static str) -> BoxedFilter<(Response,)> {
    let chosen = at(template).and(read()).and(play(app)).boxed();
    traced_at(app, chosen, |options| options.attributes(app::chosen()))
}

fn named(app: &App) -> BoxedFilter<(Response,)> {
    let named = at("/named").and(read()).and(play(app)).boxed();
    traced_at(app, named, |options| {
        options.name(app::NAMED).ends(SpanEnd::Head)
    })
}

/// Returns a route, or the routes of a scope, traced with these options.
fn traced_at(
    app: &App,
    filter: BoxedFilter<(Response,)>,
    options: impl FnOnce(MountPoint) -> MountPoint,
) -> BoxedFilter<(Response,)> {
    match app.mount_points() {
        Some(tracing) => filter.traced_route(options(tracing.mount_point())).boxed(),
        None => filter,
    }
}

/// Returns the kit's middleware as filters before and after the routes.
pub(crate) fn middleware(
    app: &App,
    position: Position,
    filter: BoxedFilter<(Response,)>,
) -> BoxedFilter<(Response,)> {
    let (before, after) = (app.clone(), app.clone());
    let answer = warp::any().and_then(move || {
        let answer = before
            .before(position)
            .map(|code| status(code).into_response());
        ready(answer.ok_or_else(warp::reject))
    });
    let filter = filter.map(move |mut response: Response| {
        *response.status_mut() = status(after.after(position, response.status().as_u16()));
        response
    });
    answer.or(filter).unify().boxed()
}

type BoxError = Box<dyn Error + Send + Sync>;
type BoxService =
    BoxCloneService<Request<Incoming>, http::Response<UnsyncBoxBody<Bytes, BoxError>>, Infallible>;

/// Returns the kit's middleware as a tower service, outside of warp.
pub(crate) fn outside<S, B>(app: &App, service: S) -> BoxService
where
    S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let app = app.clone();
    BoxCloneService::new(tower::service_fn(move |request: Request<Incoming>| {
        let (app, service) = (app.clone(), service.clone());
        async move {
            let method = request.method().clone();
            let response = match app.before(Position::Outside) {
                Some(code) => {
                    let mut response = http::Response::default();
                    *response.status_mut() = status(code);
                    response
                }
                None => {
                    let mut response = service.oneshot(request).await?;
                    let code = app.after(Position::Outside, response.status().as_u16());
                    *response.status_mut() = status(code);
                    response.map(|body| body.map_err(Into::into).boxed_unsync())
                }
            };
            Ok(without_body_for_head(&method, response))
        }
    }))
}

/// Removes the bodies of responses to `HEAD`, outside of all other filters.
pub(crate) fn without_bodies_for_head(
    filter: BoxedFilter<(Response,)>,
) -> BoxedFilter<(Response,)> {
    warp::method()
        .and(filter)
        .map(|method, response| without_body_for_head(&method, response))
        .boxed()
}

/// Removes the body of a response to `HEAD`, which hyper does only over HTTP/1.
fn without_body_for_head<B: http_body::Body + Default>(
    method: &Method,
    mut response: http::Response<B>,
) -> http::Response<B> {
    if method == Method::HEAD {
        let body = std::mem::take(response.body_mut());
        if let Some(length @ 1..) = body.size_hint().exact() {
            let headers = response.headers_mut();
            headers
                .entry(header::CONTENT_LENGTH)
                .or_insert(length.into());
        }
    }
    response
}
