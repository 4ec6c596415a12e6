//! Which route a span is named after, and what each place of the middleware covers.

use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::middleware::{Next, NormalizePath, from_fn};
use actix_web::{App, HttpResponse, web};
use opentracing_actix_web::{Attribute, InMemoryTracer, Span, TracingMiddleware};

use crate::support::{PATIENCE, only, text, tracing};

async fn hello() -> &'static str {
    "hello"
}

fn name_after(tracer: &InMemoryTracer) -> String {
    let span = only(tracer);
    let _ = tracer.take();
    span.name().to_owned()
}

#[test]
fn the_template_is_known_through_scopes_and_normalised_paths() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let users = web::scope("/{version}/users").route("/{id}", web::get().to(hello));
        App::new()
            .service(web::scope("/api").service(users))
            .route(r"/number/{n:\d+}", web::get().to(hello))
            .wrap(NormalizePath::trim())
            .wrap(TracingMiddleware::new(&tracing))
    });
    server.get("/api/v1/users/7?x=1");
    assert_eq!(name_after(&tracer), "GET /api/{version}/users/{id}");
    server.get("//api/v1//users/7/");
    assert_eq!(name_after(&tracer), "GET /api/{version}/users/{id}");
    server.get("/number/12");
    assert_eq!(name_after(&tracer), r"GET /number/{n:\d+}");
}

#[test]
fn a_route_is_traced_alone() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        // After `.to()`: the other order panics at start-up.
        let traced = web::get()
            .to(hello)
            .wrap(TracingMiddleware::new(&tracing).attributes([Attribute::URL]));
        App::new()
            .service(
                web::resource("/chosen/{id}")
                    .route(traced)
                    .route(web::post().to(hello)),
            )
            .route("/other", web::get().to(hello))
    });
    assert_eq!(server.get("/other").body, "hello");
    assert_eq!(server.request("POST", "/chosen/1", &[]).body, "hello");
    assert_eq!(server.get("/chosen/1?a=b").body, "hello");
    let span = only(&tracer);
    assert_eq!(span.name(), "GET /chosen/{id}");
    assert!(text(&span, "url").starts_with("http://test.example:80/chosen/1?a="));
}

#[test]
fn a_resource_covers_its_wrong_methods() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        App::new().service(
            web::resource("/thing")
                .wrap(TracingMiddleware::new(&tracing).name("thing"))
                .route(web::get().to(hello)),
        )
    });
    assert_eq!(server.get("/").status, 404);
    assert_eq!(server.request("PUT", "/thing", &[]).status, 405);
    let span = only(&tracer);
    assert_eq!(
        (span.name(), &*text(&span, "http.status_code")),
        ("thing", "405")
    );
    assert_eq!(text(&span, "http.route"), "/thing");
}

#[test]
fn a_scope_covers_what_it_does_not_find() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        App::new().service(
            web::scope("/inside")
                .wrap(TracingMiddleware::new(&tracing))
                .route("/here", web::get().to(hello)),
        )
    });
    assert_eq!(server.get("/outside").status, 404);
    assert_eq!(server.get("/inside/there").status, 404);
    assert_eq!(name_after(&tracer), "GET");
    assert_eq!(server.get("/inside/here").status, 200);
    assert_eq!(name_after(&tracer), "GET /inside/here");
}

#[test]
fn a_middleware_between_two_places_may_run_the_inner_one_in_a_child_span() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let in_a_child = async |request: ServiceRequest, next: Next<BoxBody>| {
            let child = Span::current().child("between");
            child.scope(next.call(request)).await
        };
        let place = || TracingMiddleware::new(&tracing);
        App::new()
            .service(
                web::resource("/{id}")
                    .wrap(place().attributes([Attribute::PATH]))
                    .route(web::get().to(hello)),
            )
            .wrap(from_fn(in_a_child))
            .wrap(place())
    });
    assert_eq!(server.get("/7").body, "hello");
    let spans = tracer.wait_for(2, PATIENCE);
    let tree = tracer.tree(spans[1].context().trace_id());
    assert_eq!(tree, "GET /{id}\n  between\n");
    assert_eq!(text(&spans[1], "path"), "/7");
}

#[test]
fn several_places_of_a_request_that_is_not_sampled_are_one_span() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let handler = async || {
            let mut response = HttpResponse::Ok().finish();
            Span::current().inject(&mut opentracing_actix_web::ActixHeaders(
                response.headers_mut(),
            ));
            response
        };
        let place = || TracingMiddleware::new(&tracing);
        App::new()
            .service(
                web::resource("/")
                    .wrap(place())
                    .route(web::get().to(handler).wrap(place())),
            )
            .wrap(place())
    });
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let response = server.request("GET", "/", &[("traceparent", unsampled)]);
    assert!(response.header("traceparent").unwrap().ends_with("-00"));
    assert!(tracer.finished().is_empty());
}
