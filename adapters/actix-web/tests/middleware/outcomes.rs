//! The ends of requests, and the outcomes of their spans.

use std::io::Write;
use std::net::Shutdown;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorForbidden;
use actix_web::http::StatusCode;
use actix_web::middleware::{Compat, ErrorHandlerResponse, ErrorHandlers, Next, from_fn};
use actix_web::{App, Error, HttpResponse, web};
use opentracing_actix_web::TracingMiddleware;
use opentracing_http::FinishedSpan;
use opentracing_http::Outcome;

use crate::support::{Gate, PATIENCE, Response, only, request, text, tracing};

fn outcome(span: &FinishedSpan) -> Outcome {
    span.http().expect("a request's span").outcome()
}

/// Returns the message of the span's error log.
fn message(span: &FinishedSpan) -> Option<String> {
    let logs = span.logs();
    let fields = logs.iter().flat_map(|log| &log.fields);
    let mut messages = fields.filter(|field| field.key == "message");
    messages.next().map(|field| field.value.to_string())
}

#[test]
fn handlers_error_below_500_is_no_error_of_the_span() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let forbids = async || Err::<&str, Error>(ErrorForbidden("go away"));
        App::new()
            .route("/forbids", web::get().to(forbids))
            .route("/number/{n}", web::get().to(async |_: web::Path<u8>| "ok"))
            .wrap(TracingMiddleware::new(&tracing))
    });
    for (path, status) in [("/forbids", 403), ("/number/x", 404)] {
        assert_eq!(server.get(path).status, status);
        let span = only(&tracer);
        assert_eq!((span.is_error(), message(&span)), (false, None), "{path}");
        let _ = tracer.take();
    }
}

#[test]
fn error_of_an_inner_middleware_has_the_status_that_the_client_gets() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let forbids = async |_: ServiceRequest, _: Next<BoxBody>| {
            Err::<ServiceResponse<BoxBody>, Error>(ErrorForbidden("go away"))
        };
        App::new()
            .service(web::scope("/users").route("/{id}", web::get().to(HttpResponse::Ok)))
            .wrap(from_fn(forbids))
            .wrap(TracingMiddleware::new(&tracing))
    });
    for (path, name) in [("/users/7", "GET /users/{id}"), ("/no/such/path", "GET")] {
        assert_eq!(server.get(path).status, 403);
        let span = only(&tracer);
        assert_eq!(
            (span.name(), &*text(&span, "http.status_code")),
            (name, "403")
        );
        assert_eq!(
            (outcome(&span), span.is_error(), message(&span)),
            (Outcome::HandlerError, false, None)
        );
        let _ = tracer.take();
    }
}

fn becomes_teapot<B>(response: ServiceResponse<B>) -> actix_web::Result<ErrorHandlerResponse<B>> {
    let (request, mut response) = response.into_parts();
    *response.status_mut() = StatusCode::IM_A_TEAPOT;
    let response = ServiceResponse::new(request, response).map_into_left_body();
    Ok(ErrorHandlerResponse::Response(response))
}

#[test]
fn error_handler_outside_of_the_tracing_does_not_change_the_span() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        // A closure accepts only the body type that it was written for.
        let becomes_teapot = |response: ServiceResponse<BoxBody>| becomes_teapot(response);
        App::new()
            .wrap(Compat::new(TracingMiddleware::new(&tracing)))
            .wrap(ErrorHandlers::new().handler(StatusCode::NOT_FOUND, becomes_teapot))
    });
    assert_eq!(server.get("/").status, 418);
    assert_eq!(text(&only(&tracer), "http.status_code"), "404");
}

#[test]
fn panic_in_the_call_of_a_service_has_the_outcome_panicked() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let panics = actix_web::dev::fn_service(|_: ServiceRequest| -> std::future::Ready<_> {
            assert!(
                opentracing_actix_web::Span::current().is_none(),
                "on purpose"
            );
            std::future::ready(Err::<ServiceResponse<BoxBody>, Error>(ErrorForbidden("")))
        });
        App::new()
            .service(web::scope("/call").service(web::service("/{id}").finish(panics)))
            .route("/fine", web::get().to(async || "fine"))
            .wrap(TracingMiddleware::new(&tracing))
    });
    assert_eq!(Response::read(server.send("GET", "/call/7", &[])), None);
    let span = only(&tracer);
    assert_eq!((outcome(&span), span.is_error()), (Outcome::Panicked, true));
    assert_eq!(span.name(), "GET /call/{id}");
    let _ = tracer.take();
    assert_eq!(server.get("/fine").body, "fine");
    assert_eq!(outcome(&only(&tracer)), Outcome::Completed);
}

#[test]
fn a_reset_connection_cancels_the_request() {
    let (tracer, tracing) = tracing();
    let (gate, arrivals) = Gate::new();
    let server = serve!(move || {
        App::new()
            .app_data(gate.clone())
            .route("/quick", web::get().to(async || "quick"))
            .route(
                "/hang",
                web::get().to(async |gate: web::Data<Gate>| {
                    gate.pass().await;
                    "done"
                }),
            )
            .wrap(TracingMiddleware::new(&tracing))
    });
    // A socket that is closed with unread bytes, here those of the first response, resets its connection.
    let mut stream = server.connect();
    stream
        .write_all(b"GET /quick HTTP/1.1\r\nhost: a\r\n\r\n")
        .unwrap();
    stream.peek(&mut [0]).unwrap();
    stream
        .write_all(request("GET", "/hang", &[]).as_bytes())
        .unwrap();
    arrivals.recv_timeout(PATIENCE).unwrap();
    drop(stream);

    let spans = tracer.wait_for(2, PATIENCE);
    let span = &spans[1];
    assert_eq!((outcome(span), span.is_error()), (Outcome::Cancelled, true));
    assert_eq!(
        (span.name(), span.http().unwrap().status()),
        ("GET /hang", None)
    );
    tracer.assert_nothing_unfinished();
}

#[test]
fn handler_runs_to_its_end_after_the_client_has_closed_its_side() {
    let (tracer, tracing) = tracing();
    let (gate, arrivals) = Gate::new();
    let release = gate.clone();
    let server = serve!(move || {
        App::new()
            .app_data(gate.clone())
            .route(
                "/",
                web::get().to(async |gate: web::Data<Gate>| {
                    gate.pass().await;
                    "done"
                }),
            )
            .wrap(TracingMiddleware::new(&tracing))
    });
    let stream = server.send("GET", "/", &[]);
    arrivals.recv_timeout(PATIENCE).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    release.let_one_pass();
    drop(stream);
    let span = only(&tracer);
    assert_eq!(
        (outcome(&span), &*text(&span, "http.status_code")),
        (Outcome::Completed, "200")
    );
}

#[test]
fn graceful_shutdown_leaves_no_unfinished_span() {
    let (tracer, tracing) = tracing();
    let (gate, arrivals) = Gate::new();
    let release = gate.clone();
    let server = serve!(move || {
        App::new()
            .app_data(gate.clone())
            .route(
                "/",
                web::get().to(async |gate: web::Data<Gate>| {
                    gate.pass().await;
                    "done"
                }),
            )
            .wrap(TracingMiddleware::new(&tracing))
    });
    let stream = server.send("GET", "/", &[]);
    arrivals.recv_timeout(PATIENCE).unwrap();
    server.stop_gracefully();
    release.let_one_pass();
    server.join();

    assert_eq!(tracer.finished().len(), 1);
    tracer.assert_nothing_unfinished();
    assert_eq!(outcome(&only(&tracer)), Outcome::Completed);
    assert_eq!(Response::read(stream).unwrap().body, "done");
}

#[test]
fn forced_shutdown_cancels_running_requests() {
    let (tracer, tracing) = tracing();
    let (gate, arrivals) = Gate::new();
    let server = serve!(move || {
        App::new()
            .app_data(gate.clone())
            .route(
                "/",
                web::get().to(async |gate: web::Data<Gate>| {
                    gate.pass().await;
                    "done"
                }),
            )
            .wrap(TracingMiddleware::new(&tracing))
    });
    let stream = server.send("GET", "/", &[]);
    arrivals.recv_timeout(PATIENCE).unwrap();
    drop(server);
    assert_eq!(outcome(&only(&tracer)), Outcome::Cancelled);
    assert_eq!(Response::read(stream), None);
}
