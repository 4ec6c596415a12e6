//! Who sees which span, and whose child it is.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::rt::task::yield_now;
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, Responder, guard, web};
use futures_util::future::join_all;
use opentracing_actix_web::{
    ActixHeaders, CurrentSpan, HttpTracing, InMemoryTracer, Span, TracingMiddleware,
};
use tokio::sync::Barrier;

use crate::support::{Response, only, text, tracing};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID: &str = "00f067aa0ba902b7";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn trace_id(span: &Span) -> String {
    span.context()
        .map(|context| context.trace_id().to_string())
        .unwrap_or_default()
}

#[test]
fn a_request_continues_its_callers_trace() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let handler = async || "hello";
        App::new()
            .route("/", web::get().to(handler))
            .wrap(TracingMiddleware::new(&tracing))
    });
    server.request(
        "GET",
        "/?q=1",
        &[("TraceParent", SAMPLED), ("user-agent", "test")],
    );

    let span = only(&tracer);
    assert_eq!(span.context().trace_id().to_string(), TRACE_ID);
    assert_eq!(span.parent_id().unwrap().to_string(), PARENT_ID);
    assert_eq!(span.name(), "GET /");
    assert_eq!(text(&span, "component"), "actix-web");
    assert_eq!(text(&span, "span.kind"), "server");
    assert_eq!(text(&span, "http.method"), "GET");
    assert_eq!(text(&span, "http.url"), "http://test.example:80/");
    assert_eq!(text(&span, "http.route"), "/");
    assert_eq!(text(&span, "http.status_code"), "200");
    assert_eq!(text(&span, "peer.ipv4"), "127.0.0.1");
    assert!(span.end() >= span.start());
}

#[test]
fn the_span_is_current_before_and_after_an_await() {
    let (tracer, tracing) = tracing();
    async fn handler(span: CurrentSpan) -> String {
        let before = trace_id(&Span::current());
        Span::current().child("before").finish();
        yield_now().await;
        Span::current()
            .set_tag("after", true)
            .child("after")
            .finish();
        assert_eq!(
            [&before, &trace_id(&Span::current())],
            [&trace_id(&span); 2]
        );
        before
    }
    let server = serve!(move || {
        App::new()
            .route("/", web::get().to(handler))
            .wrap(TracingMiddleware::new(&tracing))
    });
    let body = server.get("/").body;

    let spans = tracer.wait_for(3, crate::support::PATIENCE);
    let request = &spans[2];
    assert_eq!(request.context().trace_id().to_string(), body);
    assert_eq!(
        tracer.tree(request.context().trace_id()),
        "GET /\n  before\n  after\n"
    );
    assert_eq!(text(request, "after"), "true");
}

struct TagsInExtractor;

impl FromRequest for TagsInExtractor {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        Span::current().set_tag("seen.extractor", true);
        ready(Ok(Self))
    }
}

struct TagsInResponder;

impl Responder for TagsInResponder {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        Span::current().set_tag("seen.responder", true);
        let chunks = futures_util::stream::poll_fn(|_| {
            Span::current().set_tag("seen.stream", true);
            std::task::Poll::Ready(None::<Result<web::Bytes, actix_web::Error>>)
        });
        HttpResponse::Ok().streaming(chunks)
    }
}

#[test]
fn everything_on_a_requests_way_sees_its_span() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let seen_by_guard = guard::fn_guard(|_| {
            Span::current().set_tag("seen.guard", true);
            true
        });
        let handler = async |_: TagsInExtractor| TagsInResponder;
        App::new()
            .route("/", web::get().guard(seen_by_guard).to(handler))
            .wrap(actix_web::middleware::from_fn(
                async |request, next: actix_web::middleware::Next<_>| {
                    Span::current().set_tag("seen.middleware", true);
                    next.call(request).await
                },
            ))
            .wrap(TracingMiddleware::new(&tracing))
    });
    server.get("/");

    let span = only(&tracer);
    for place in ["guard", "extractor", "responder", "stream", "middleware"] {
        assert_eq!(text(&span, &format!("seen.{place}")), "true", "{place}");
    }
}

#[test]
fn a_spawned_task_sees_the_span_only_if_it_is_carried_there() {
    let (tracer, tracing) = tracing();
    async fn handler() -> &'static str {
        let bare = actix_web::rt::spawn(async { Span::current().is_none() });
        let carried =
            actix_web::rt::spawn(Span::current().scope(async { Span::current().is_recording() }));
        assert!(bare.await.unwrap());
        assert!(carried.await.unwrap());
        "ok"
    }
    let server = serve!(move || {
        App::new()
            .route("/", web::get().to(handler))
            .wrap(TracingMiddleware::new(&tracing))
    });
    assert_eq!(server.get("/").body, "ok");
    assert_eq!(text(&only(&tracer), "http.status_code"), "200");
}

#[test]
fn the_extractor_works_in_an_app_that_is_not_traced() {
    let server = serve!(|| {
        let handler = async |span: CurrentSpan| span.set_tag("a", 1).is_none().to_string();
        App::new().route("/", web::get().to(handler))
    });
    assert_eq!(server.get("/").body, "true");
}

#[test]
fn a_skipped_request_passes_its_callers_context_on() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .skip("GET /health")
        .build()
        .unwrap();
    let server = serve!(move || {
        App::new()
            .route("/{any}", web::get().to(inject))
            .wrap(TracingMiddleware::new(&tracing))
    });
    assert_eq!(
        server
            .request("GET", "/health", &[("traceparent", SAMPLED)])
            .header("traceparent"),
        Some(SAMPLED)
    );
    assert_eq!(server.get("/health").header("traceparent"), None);
    server.get("/other");
    assert_eq!(only(&tracer).name(), "GET /{any}");
}

/// Injects the current span into the response, where the test can see it.
async fn inject(span: CurrentSpan) -> HttpResponse {
    span.set_baggage("tenant", "blue");
    yield_now().await;
    let mut response = HttpResponse::Ok().finish();
    Span::current().inject(&mut ActixHeaders(response.headers_mut()));
    response
}

#[test]
fn a_request_that_is_not_sampled_sends_on_its_decision_and_baggage() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        App::new()
            .route("/", web::get().to(inject))
            .wrap(TracingMiddleware::new(&tracing))
    });
    let headers = [
        ("traceparent", UNSAMPLED),
        ("baggage", "user=ann"),
        ("uberctx-team", "red"),
    ];
    let response = server.request("GET", "/", &headers);

    let sent = response.header("traceparent").unwrap();
    assert!(
        sent.starts_with(&UNSAMPLED[..36]) && sent.ends_with("-00"),
        "{sent}"
    );
    assert_ne!(sent, UNSAMPLED);
    let baggage = response.header("baggage").unwrap();
    for item in ["user=ann", "team=red", "tenant=blue"] {
        assert!(baggage.contains(item), "{baggage}");
    }
    assert!(tracer.finished().is_empty());
}

#[test]
fn the_trace_id_is_returned_where_that_is_asked_for() {
    let tracer = InMemoryTracer::new();
    let tracing = HttpTracing::builder(tracer.clone())
        .return_trace_id(opentracing_http::TraceIdHeader::TraceResponse)
        .build()
        .unwrap();
    let server = serve!(move || App::new().wrap(TracingMiddleware::new(&tracing)));
    let response = server.get("/");
    let context = only(&tracer).context();
    let sent = response.header("traceresponse").unwrap();
    assert_eq!(
        sent,
        format!("00-{}-{}-03", context.trace_id(), context.span_id())
    );
}

/// Awaits often, and each time looks whether its own span is current.
async fn look_often(
    request: HttpRequest,
    span: CurrentSpan,
    barrier: web::Data<Barrier>,
) -> String {
    let mut mixed_up = 0;
    let mine = trace_id(&span);
    for round in 0..20 {
        if round == 0 {
            barrier.wait().await;
        }
        yield_now().await;
        mixed_up += usize::from(trace_id(&Span::current()) != mine);
    }
    Span::current().set_tag("number", request.match_info().query("number").to_owned());
    mixed_up.to_string()
}

#[test]
fn concurrent_requests_never_see_each_others_spans() {
    const REQUESTS: usize = 500;
    let (tracer, tracing) = tracing();
    // Requests of both workers wait for each other, so that all of them are in flight at once.
    let barrier = web::Data::from(Arc::new(Barrier::new(REQUESTS)));
    let server = serve!(move || {
        App::new()
            .app_data(barrier.clone())
            .route("/{number}", web::get().to(look_often))
            .wrap(TracingMiddleware::new(&tracing))
    });
    let traceparent = |number: usize| format!("00-{:032x}-00f067aa0ba902b7-01", number + 1);
    let streams: Vec<_> = (0..REQUESTS)
        .map(|number| {
            server.send(
                "GET",
                &format!("/{number}"),
                &[("traceparent", &traceparent(number))],
            )
        })
        .collect();
    for stream in streams {
        assert_eq!(Response::read(stream).unwrap().body, "0");
    }
    let spans = tracer.wait_for(REQUESTS, crate::support::PATIENCE);
    for span in &spans {
        let number: u128 = text(span, "number").parse().unwrap();
        assert_eq!(
            span.context().trace_id().to_string(),
            format!("{:032x}", number + 1)
        );
    }
    assert_eq!(spans.len(), REQUESTS);
    tracer.assert_nothing_unfinished();
}

#[actix_web::test]
async fn interleaved_requests_of_one_thread_never_see_each_others_spans() {
    let (tracer, tracing) = tracing();
    let barrier = web::Data::from(Arc::new(Barrier::new(500)));
    let app = App::new()
        .app_data(barrier)
        .route("/{number}", web::get().to(look_often))
        .wrap(TracingMiddleware::new(&tracing));
    let app = actix_web::test::init_service(app).await;
    let mixed_up = AtomicUsize::new(0);
    join_all((0..500).map(async |number| {
        let request = actix_web::test::TestRequest::with_uri(&format!("/{number}")).to_request();
        let body = actix_web::test::call_and_read_body(&app, request).await;
        mixed_up.fetch_add(usize::from(body != "0"), Ordering::Relaxed);
    }))
    .await;
    assert_eq!(mixed_up.into_inner(), 0);
    assert_eq!(tracer.finished().len(), 500);
    assert!(Span::current().is_none());
}
