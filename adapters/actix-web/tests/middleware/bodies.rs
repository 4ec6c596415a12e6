//! Response bodies: the end of their spans, and that their bytes do not change.

use std::io::Read;

use actix_web::body::{BodySize, BodyStream, MessageBody, SizedStream};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{App, Error, HttpResponse, web};
use futures_util::stream::{self, Stream, StreamExt};
use opentracing_actix_web::{CurrentSpan, Span, SpanEnd, TracingMiddleware};
use opentracing_http::Outcome;

use crate::support::{Gate, PATIENCE, Response, only, text, tracing};

/// Returns a stream of chunks, with an await before each.
fn chunks(count: usize) -> impl Stream<Item = Result<web::Bytes, Error>> {
    stream::iter(0..count).then(async |number| {
        actix_web::rt::task::yield_now().await;
        Span::current().set_tag("chunks", i64::try_from(number).expect("a small number") + 1);
        Ok(web::Bytes::from(format!("chunk {number}\n")))
    })
}

/// Returns a stream of one chunk, and another one when the gate opens.
fn gated(gate: web::Data<Gate>) -> impl Stream<Item = Result<web::Bytes, Error>> {
    let first = stream::once(async { Ok(web::Bytes::from_static(b"data: first\n\n")) });
    first.chain(stream::once(async move {
        gate.pass().await;
        Ok(web::Bytes::from_static(b"data: second\n\n"))
    }))
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/text", web::route().to(async || "hello"))
        .route(
            "/empty",
            web::route().to(async || HttpResponse::Ok().finish()),
        )
        .route(
            "/status/{code}",
            web::route().to(async |code: web::Path<u16>| {
                HttpResponse::build(StatusCode::from_u16(*code).expect("a status")).body("")
            }),
        )
        .route(
            "/chunks",
            web::route().to(async || HttpResponse::Ok().streaming(chunks(3))),
        )
        .route(
            "/sized",
            web::route().to(async || HttpResponse::Ok().body(SizedStream::new(24, chunks(3)))),
        )
        .route(
            "/declared",
            web::route().to(async || {
                let mut response = HttpResponse::Ok();
                response.no_chunking(24).body(BodyStream::new(chunks(3)))
            }),
        )
        .route(
            "/head",
            web::head().to(async || {
                let mut response = HttpResponse::Ok();
                response
                    .insert_header((CONTENT_LENGTH, 1234))
                    .body(SizedStream::new(1234, chunks(0)))
            }),
        )
        .route(
            "/events",
            web::route().to(async || {
                HttpResponse::Ok()
                    .content_type("text/event-stream")
                    .streaming(chunks(2))
            }),
        )
        .route(
            "/error",
            web::route().to(async || {
                Err::<&str, Error>(actix_web::error::ErrorInternalServerError("broken"))
            }),
        );
}

#[test]
fn no_response_is_changed() {
    let (tracer, tracing) = tracing();
    let bare = serve!(|| App::new().configure(routes));
    let traced = serve!(move || {
        let middleware = || TracingMiddleware::new(&tracing);
        App::new()
            .service(web::scope("").wrap(middleware()).configure(routes))
            .wrap(middleware())
    });
    let requests = [
        ("GET", "/text"),
        ("HEAD", "/text"),
        ("GET", "/empty"),
        ("GET", "/status/204"),
        ("GET", "/status/304"),
        ("HEAD", "/status/200"),
        ("GET", "/chunks"),
        ("HEAD", "/chunks"),
        ("GET", "/sized"),
        ("HEAD", "/sized"),
        ("GET", "/declared"),
        ("HEAD", "/head"),
        ("GET", "/events"),
        ("GET", "/error"),
        ("GET", "/missing"),
        ("OPTIONS", "/text"),
    ];
    let unsampled = (
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
    );
    for (method, path) in requests {
        let expected = bare.request(method, path, &[]);
        assert_eq!(
            traced.request(method, path, &[]),
            expected,
            "{method} {path}"
        );
        assert_eq!(
            traced.request(method, path, &[unsampled]),
            expected,
            "{method} {path}, unsampled"
        );
    }
    let spans = tracer.wait_for(requests.len(), PATIENCE);
    assert_eq!(spans.len(), requests.len());
    for (span, (method, path)) in spans.iter().zip(requests) {
        let http = span.http().unwrap();
        assert_eq!(
            (http.method(), http.path(), http.outcome()),
            (method, path, Outcome::Completed)
        );
    }
    tracer.assert_nothing_unfinished();
}

#[test]
fn mount_point_sets_the_end_of_its_spans() {
    let (tracer, tracing) = tracing();
    let (gate, arrivals) = Gate::new();
    let release = gate.clone();
    let server = serve!(move || {
        let events = async |gate| {
            HttpResponse::Ok()
                .content_type("text/event-stream")
                .streaming(gated(gate))
        };
        let whole_stream = TracingMiddleware::new(tracing.mount_point().ends(SpanEnd::Body));
        App::new()
            .app_data(gate.clone())
            .route("/", web::get().to(events).wrap(whole_stream))
            .wrap(TracingMiddleware::new(&tracing))
    });
    let stream = server.send("GET", "/", &[]);
    arrivals.recv_timeout(PATIENCE).unwrap();
    assert_eq!((tracer.finished().len(), tracer.unfinished()), (0, 1));
    release.let_one_pass();
    Response::read(stream).unwrap();
    only(&tracer);
}

/// Sets a tag of the current span when it is dropped.
struct TagsWhenDropped(&'static str);

impl Drop for TagsWhenDropped {
    fn drop(&mut self) {
        Span::current().set_tag(self.0, true);
    }
}

#[test]
fn span_is_current_while_handler_and_body_are_dropped() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let handler = async |_: CurrentSpan| {
            let _handler = TagsWhenDropped("dropped.handler");
            let body = TagsWhenDropped("dropped.body");
            HttpResponse::Ok().streaming(chunks(usize::MAX).map(move |chunk| {
                let _ = &body;
                chunk
            }))
        };
        App::new()
            .route("/", web::get().to(handler))
            .wrap(TracingMiddleware::new(&tracing))
    });
    let mut stream = server.send("GET", "/", &[]);
    stream.read_exact(&mut [0; 1]).unwrap();
    drop(stream);
    let span = only(&tracer);
    for what in ["dropped.handler", "dropped.body"] {
        assert_eq!(text(&span, what), "true", "{what}");
    }
}

#[actix_web::test]
async fn body_returns_its_bytes_only_if_no_span_waits_for_its_end() {
    let (tracer, tracing) = tracing();
    let app = App::new()
        .route("/", web::get().to(async || "hello"))
        .wrap(TracingMiddleware::new(&tracing));
    let app = actix_web::test::init_service(app).await;
    let call = async |flags: &str| {
        let traceparent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let request =
            actix_web::test::TestRequest::get().insert_header(("traceparent", traceparent));
        let response = actix_web::test::call_service(&app, request.to_request()).await;
        ServiceResponse::into_body(response)
    };
    let body = call("00").await;
    assert_eq!(body.size(), BodySize::Sized(5));
    assert_eq!(body.try_into_bytes().unwrap(), "hello");

    let body = call("01").await;
    assert_eq!((body.size(), tracer.unfinished()), (BodySize::Sized(5), 1));
    let body = body.try_into_bytes().unwrap_err().boxed();
    assert_eq!(actix_web::body::to_bytes(body).await.unwrap(), "hello");
    let span = only(&tracer);
    assert_eq!(span.http().unwrap().body_bytes(), 5);
    let _ = tracer.take();

    drop(call("01").await);
    assert_eq!(
        only(&tracer).http().unwrap().outcome(),
        Outcome::BodyAbandoned
    );
}
