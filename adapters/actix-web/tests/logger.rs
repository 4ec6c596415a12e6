//! The line of actix-web's own `Logger`: it has the ids of the request if the tracing is registered after it.

#![allow(clippy::unwrap_used)]

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use actix_web::middleware::Logger;
use actix_web::rt::System;
use actix_web::web::{Bytes, get, resource};
use actix_web::{App, HttpResponse, HttpServer};
use futures_util::stream;
use log::{LevelFilter, Log, Metadata, Record};
use opentracing_actix_web::{HttpTracing, InMemoryTracer, Span, TracingMiddleware};
use opentracing_testkit::client::Connection;

/// A logger that keeps the lines, with the ids that are current.
struct Lines(Mutex<Vec<String>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if record.target().starts_with("access") {
            let line = format!("{}{:#}", record.args(), Span::current().log_ids());
            self.0.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

#[test]
fn line_has_the_ids_if_the_tracing_is_around_the_logger() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(LevelFilter::Info);
    let tracer = InMemoryTracer::new();
    let tracing = TracingMiddleware::new(HttpTracing::new(tracer.clone()));
    let (send, receive) = mpsc::channel();
    let server = thread::spawn(move || {
        System::new().block_on(async {
            let server = HttpServer::new(move || {
                let logger = || Logger::new("%r").log_target("access");
                let streamed = async || {
                    let parts =
                        ["one", "two"].map(|part| Ok::<_, actix_web::Error>(Bytes::from(part)));
                    HttpResponse::Ok().streaming(stream::iter(parts))
                };
                App::new()
                    .service(
                        resource("/within/{body}")
                            .wrap(logger())
                            .wrap(tracing.clone())
                            .get(async || "hello"),
                    )
                    .service(
                        resource("/streamed")
                            .wrap(logger())
                            .wrap(tracing.clone())
                            .route(get().to(streamed)),
                    )
                    .service(
                        resource("/around")
                            .wrap(tracing.clone())
                            .wrap(logger())
                            .get(async || "hello"),
                    )
            });
            let server = server.workers(1).disable_signals();
            let server = server.bind(("127.0.0.1", 0)).unwrap();
            let address = server.addrs()[0];
            let server = server.run();
            send.send((address, server.handle())).unwrap();
            server.await.unwrap();
        });
    });
    let (address, handle) = receive.recv().unwrap();
    for path in ["/within/memory", "/streamed", "/around"] {
        let mut connection = Connection::open(address);
        connection.request("GET", path, &[]);
        connection.response("GET").unwrap();
    }
    drop(handle.stop(true));
    server.join().unwrap();

    let spans = tracer.wait_for(3, Duration::from_secs(30));
    let ids: Vec<_> = spans
        .iter()
        .map(|span| (span.context().trace_id(), span.context().span_id()))
        .map(|(trace_id, span_id)| format!(" trace_id={trace_id} span_id={span_id}"))
        .collect();
    let expected = [
        format!("GET /within/memory HTTP/1.1{}", ids[0]),
        format!("GET /streamed HTTP/1.1{}", ids[1]),
        "GET /around HTTP/1.1".to_owned(),
    ];
    assert_eq!(*LINES.0.lock().unwrap(), expected);
}
