//! The route that a span is named after, and the requests that each mount point covers.

use actix_web::body::BoxBody;
use actix_web::dev::{AppService, HttpServiceFactory, ResourceDef, ServiceRequest, fn_service};
use actix_web::middleware::{Next, NormalizePath, from_fn};
use actix_web::{App, HttpResponse, guard, web};
use opentracing_actix_web::{Attribute, InMemoryTracer, Span, TracingMiddleware};

use crate::support::{PATIENCE, Response, only, text, tracing};

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

/// A service for all paths below `/files`, like that of `actix-files`.
struct Files;

impl HttpServiceFactory for Files {
    fn register(self, config: &mut AppService) {
        let service = fn_service(async |request: ServiceRequest| {
            Ok(request.into_response(HttpResponse::Ok().finish()))
        });
        config.register_service(ResourceDef::root_prefix("/files"), None, service, None);
    }
}

#[test]
fn resource_of_several_patterns_is_named_after_the_one_that_matched() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let middleware = || TracingMiddleware::new(&tracing);
        let several = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().copied().map(str::to_owned).collect();
            web::resource(patterns).route(web::get().to(hello))
        };
        App::new()
            .service(several(&["/multi/{a}", "/either/{b}"]))
            .service(several(&["/list", "/list/{id}", "/list/{id}/{rest}*"]).wrap(middleware()))
            .service(several(&[r"/v{n:\d+}", "/v{word:[a-z]{1,9}}"]))
            .service(several(&["/word/{word:[a-z]{1,9}}/{rest}*"]))
            .service(several(&["/{x}.{y}", "/{x}-{y}"]))
            .service(
                web::scope("/tenant/{id}")
                    .service(several(&["/one/{id}", "/two/{id}/x{id2}"]))
                    .wrap(middleware()),
            )
            .service(Files)
            .wrap(NormalizePath::trim())
            .wrap(middleware())
    });
    for (path, name) in [
        ("/multi/7", "GET /multi/{a}"),
        ("/either/7", "GET /either/{b}"),
        ("/either/multi", "GET /either/{b}"),
        ("/either/a%20%2Fb%C3%A9/?x=/multi/1", "GET /either/{b}"),
        ("//either//7/", "GET /either/{b}"),
        ("/list", "GET /list"),
        ("/list/list", "GET /list/{id}"),
        ("/list/7/8/9", "GET /list/{id}/{rest}"),
        ("/v12", r"GET /v{n:\d+}"),
        ("/vab", "GET /v{word}"),
        ("/word/ab/c/d", "GET /word/{word:[a-z]{1,9}}/{rest}*"),
        ("/a.b.c", "GET /{x}.{y}"),
        ("/a-b", "GET /{x}-{y}"),
        ("/tenant/7/one/7", "GET /tenant/{id}/one/{id}"),
        ("/tenant/7/two/7/x7", "GET /tenant/{id}/two/{id}/x{id2}"),
        ("/files", "GET /files"),
        ("/files/a/b.css", "GET /files"),
    ] {
        assert_eq!(server.get(path).status, 200, "{path}");
        assert_eq!(name_after(&tracer), name, "{path}");
    }
    for path in ["/tenant/7/three", "/tenant/7", "/nowhere/at/all"] {
        assert_eq!(server.get(path).status, 404, "{path}");
        assert_eq!(name_after(&tracer), "GET", "{path}");
    }
}

#[test]
fn pattern_that_does_not_match_the_path_is_no_route() {
    let (tracer, tracing) = tracing();
    let policy = tracing.clone();
    let server = serve!(move || {
        let guarded = web::resource(["/multi/{a}", "/either/{b}"]).guard(guard::Post());
        let guarded_number = web::resource([r"/guarded/{n:\d+}", "/guarded/{word:[a-z]+}"]);
        let panics = web::resource(["/boom/{a}", "/bang/{b}.x/{c}*"])
            .to(async || -> &'static str { panic!("as asked for") });
        let by_expression = web::resource([r"/by/{n:\d+}", "/by/{word:[a-z]+}"])
            .to(async || -> &'static str { panic!("as asked for") });
        App::new()
            .service(guarded.to(hello))
            .service(guarded_number.guard(guard::Post()).to(hello))
            .service(panics)
            .service(by_expression)
            .service(
                web::scope("/tenant/{id:[0-9]{1,9}}").service(
                    web::resource(["/boom/{id}/{rest}*", "/bang/{id}"])
                        .to(async || -> &'static str { panic!("as asked for") }),
                ),
            )
            .service(
                web::resource(r"/number/{n:\d+}")
                    .to(async || -> &'static str { panic!("as asked for") }),
            )
            .wrap(TracingMiddleware::new(&tracing))
    });
    // The guard refuses both requests, so the resource is found by the path alone.
    for (path, name) in [
        ("/multi/7", "GET /multi/{a}"),
        ("/either/7", "GET"),
        ("/guarded/7", r"GET /guarded/{n:\d+}"),
        ("/guarded/seven", "GET"),
    ] {
        assert_eq!(server.get(path).status, 404, "{path}");
        assert_eq!(name_after(&tracer), name, "{path}");
    }
    for (path, name) in [
        ("/boom/7", "GET /boom/{a}"),
        ("/bang/7.x/8", "GET"),
        ("/number/7", r"GET /number/{n:\d+}"),
        ("/by/7", r"GET /by/{n:\d+}"),
        ("/by/seven", "GET"),
        (
            "/tenant/7/boom/8/9",
            "GET /tenant/{id:[0-9]{1,9}}/boom/{id}/{rest}*",
        ),
        ("/tenant/7/bang/8", "GET"),
    ] {
        let stream = server.send("GET", path, &[]);
        assert_eq!(Response::read(stream), None, "{path}");
        assert_eq!(name_after(&tracer), name, "{path}");
    }
    assert_eq!(policy.caught_panics(), 0);
}

#[test]
fn a_route_is_traced_alone() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        // `.wrap()` comes after `.to()`; in the other order actix-web panics at start-up.
        let traced = web::get().to(hello).wrap(TracingMiddleware::new(
            tracing.mount_point().attributes([Attribute::URL]),
        ));
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
fn mount_point_of_a_resource_covers_wrong_methods() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        App::new().service(
            web::resource("/thing")
                .wrap(TracingMiddleware::new(tracing.mount_point().name("thing")))
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
fn mount_point_of_a_scope_covers_unknown_paths_in_it() {
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
fn middleware_between_two_mount_points_may_run_the_inner_one_in_a_child_span() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let in_a_child = async |request: ServiceRequest, next: Next<BoxBody>| {
            let child = Span::current().child("between");
            child.scope(next.call(request)).await
        };
        let middleware = || TracingMiddleware::new(&tracing);
        App::new()
            .service(
                web::resource("/{id}")
                    .wrap(TracingMiddleware::new(
                        tracing.mount_point().attributes([Attribute::PATH]),
                    ))
                    .route(web::get().to(hello)),
            )
            .wrap(from_fn(in_a_child))
            .wrap(middleware())
    });
    assert_eq!(server.get("/7").body, "hello");
    let spans = tracer.wait_for(2, PATIENCE);
    let tree = tracer.tree(spans[1].context().trace_id());
    assert_eq!(tree, "GET /{id}\n  between\n");
    assert_eq!(text(&spans[1], "path"), "/7");
}

#[test]
fn several_mount_points_of_a_request_that_is_not_sampled_propagate_not_sampled() {
    let (tracer, tracing) = tracing();
    let server = serve!(move || {
        let handler = async || {
            let mut response = HttpResponse::Ok().finish();
            Span::current().inject(&mut opentracing_actix_web::ActixHeaders(
                response.headers_mut(),
            ));
            response
        };
        let middleware = || TracingMiddleware::new(&tracing);
        App::new()
            .service(
                web::resource("/")
                    .wrap(middleware())
                    .route(web::get().to(handler).wrap(middleware())),
            )
            .wrap(middleware())
    });
    let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let response = server.request("GET", "/", &[("traceparent", unsampled)]);
    assert!(response.header("traceparent").unwrap().ends_with("-00"));
    assert!(tracer.finished().is_empty());
}
