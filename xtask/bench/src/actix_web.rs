//! actix-web, its service called as its own tests do.

use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::rt::{System, SystemRunner};
use actix_web::test::{TestRequest, init_service, read_body};
use actix_web::{App, Error, web};
use opentracing_actix_web::TracingMiddleware;

use crate::measure::{BARE, Bench};
use crate::variant::{HEADERS, SAMPLED, traced};

pub(crate) fn benches() -> Vec<Bench> {
    let system = Rc::new(System::new());
    let mut benches = vec![
        bench(&system, BARE, app(), SAMPLED),
        bench(
            &system,
            "a middleware that does nothing",
            app().wrap_fn(|request, service| service.call(request)),
            SAMPLED,
        ),
    ];
    benches.extend(traced().map(|traced| {
        let app = app().wrap(TracingMiddleware::new(&traced.tracing));
        bench(&system, traced.name, app, traced.traceparent)
    }));
    benches
}

fn app() -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse,
        Error = Error,
        InitError = (),
    >,
> {
    App::new().route(
        "/users/{id}",
        web::get().to(|| async {
            tokio::task::yield_now().await;
            "hello"
        }),
    )
}

fn bench<F, B>(
    system: &Rc<SystemRunner>,
    name: &str,
    app: App<F>,
    traceparent: &'static str,
) -> Bench
where
    F: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    F::Service: 'static,
    B: MessageBody + 'static,
{
    let service = Rc::new(system.block_on(async { init_service(app).await }));
    let system = system.clone();
    Bench::new(name, move |times| {
        system.block_on(async {
            for _ in 0..times {
                let mut request = TestRequest::with_uri("/users/7?page=2").method(Method::GET);
                for (name, value) in HEADERS {
                    request = request.insert_header((name, value));
                }
                let request = request
                    .insert_header(("traceparent", traceparent))
                    .to_request();
                let response = service.call(request).await.expect("a response");
                read_body(response).await;
            }
        });
    })
}
