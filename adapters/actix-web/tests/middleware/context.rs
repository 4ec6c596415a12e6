//! The current span in each part of a request, and its parent.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::body::BoxBody;
use actix_web::dev::Payload;
use actix_web::rt::task::yield_now;
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, Responder, guard, web};
use futures_util::future::join_all;
use opentracing_actix_web::{CurrentSpan, Span, TracingMiddleware};
use tokio::sync::Barrier;

use crate::support::{PATIENCE, Response, only, text, tracing};

fn trace_id(span: &Span) -> String {
    span.context()
        .map(|context| context.trace_id().to_string())
        .unwrap_or_default()
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
fn span_is_current_in_every_part_of_a_request() {
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
    for part in ["guard", "extractor", "responder", "stream", "middleware"] {
        assert_eq!(text(&span, &format!("seen.{part}")), "true", "{part}");
    }
}

/// Awaits often, and checks each time that its own span is current.
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

#[actix_web::test]
async fn interleaved_requests_of_one_thread_have_their_own_spans() {
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

#[test]
fn guard_that_a_spawned_task_holds_across_an_await_does_not_affect_other_requests() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        async fn leave() -> HttpResponse {
            let span = Span::current();
            // Misuse, which compiles because these tasks stay on their thread.
            actix_web::rt::spawn(async move {
                let _guard = span.enter();
                std::future::pending::<()>().await;
            });
            yield_now().await;
            HttpResponse::Ok().finish()
        }
        App::new()
            .route("/leave", web::get().to(leave))
            .route("/", web::get().to(HttpResponse::Ok))
            .wrap(TracingMiddleware::new(&tracing))
    });
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    // Enough for both workers.
    for _ in 0..8 {
        server.send("GET", "/leave", &[("traceparent", unsampled)]);
    }
    for n in 1..=20 {
        let stream = server.send("GET", "/", &[]);
        assert!(Response::read(stream).is_some());
        let spans = tracer.wait_for(n, PATIENCE);
        assert_eq!(spans.len(), n);
        assert!(spans.iter().all(|span| span.parent_id().is_none()));
    }
}
