//! actix-web, its service called as its own tests do.

use std::any::Any;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::rt::{Runtime, System};
use actix_web::test::{TestRequest, init_service, read_body};
use actix_web::{App as ActixApp, Error, HttpServer, web};
use opentracing_actix_web::TracingMiddleware;
use opentracing_http::HttpTracing;

use super::{App, Worker, hello, park, parked};
use crate::case::{Case, Mount};
use crate::request::{Context, PARKED, TARGET, headers};

pub(super) fn app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    let context = case.context;
    match (case.mount, tracing.cloned()) {
        (Mount::Traced(_), Some(tracing)) => Box::new(Actix {
            make: move || routes().wrap(TracingMiddleware::new(&tracing)),
            context,
        }),
        (Mount::Nothing, _) => Box::new(Actix {
            make: || routes().wrap_fn(|request, service| service.call(request)),
            context,
        }),
        _ => Box::new(Actix {
            make: routes,
            context,
        }),
    }
}

fn routes() -> ActixApp<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse,
        Error = Error,
        InitError = (),
    >,
> {
    ActixApp::new()
        .route("/users/{id}", web::get().to(hello))
        .route("/parked/{id}", web::get().to(parked))
}

/// Makes the application once for each thread, as its server does.
struct Actix<M> {
    make: M,
    context: Context,
}

impl<M, F, B> App for Actix<M>
where
    M: Fn() -> ActixApp<F> + Clone + Send + Sync + 'static,
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
    fn worker(&self) -> Box<dyn Worker> {
        let runtime = Runtime::new().expect("a runtime");
        let service = runtime.block_on(init_service((self.make)()));
        Box::new(ActixWorker {
            runtime,
            service: Rc::new(service),
            finish: TestRequest::to_request,
            requests: Vec::new(),
            context: self.context,
        })
    }

    fn serve(&self, threads: usize, ready: Box<dyn FnOnce(SocketAddr) + Send>) {
        let make = self.make.clone();
        System::new().block_on(async move {
            let server = HttpServer::new(make)
                .workers(threads)
                .disable_signals()
                .bind(("127.0.0.1", 0))
                .expect("a free port");
            let address = server.addrs().first().copied().expect("an address");
            let server = server.run();
            ready(address);
            let _ = server.await;
        });
    }
}

struct ActixWorker<S, R> {
    runtime: Runtime,
    service: Rc<S>,
    /// actix-web does not export the type of the request that it returns.
    finish: fn(TestRequest) -> R,
    requests: Vec<R>,
    context: Context,
}

impl<S, R> ActixWorker<S, R> {
    fn request(&self, target: &str) -> R {
        let mut request = TestRequest::with_uri(target).method(Method::GET);
        for header in headers(self.context) {
            request = request.insert_header(header);
        }
        (self.finish)(request)
    }
}

impl<S, R, B> Worker for ActixWorker<S, R>
where
    S: Service<R, Response = ServiceResponse<B>, Error = Error> + 'static,
    R: 'static,
    B: MessageBody + 'static,
{
    fn prepare(&mut self, requests: u32) {
        for _ in 0..requests {
            let request = self.request(TARGET);
            self.requests.push(request);
        }
    }

    fn run(&mut self) {
        self.runtime.block_on(async {
            for request in self.requests.drain(..) {
                let response = self.service.call(request).await.expect("a response");
                read_body(response).await;
            }
        });
    }

    #[cfg(test)]
    fn response(&mut self) -> (u16, Vec<u8>) {
        self.runtime.block_on(async {
            let request = self.request(TARGET);
            let response = self.service.call(request).await.expect("a response");
            let status = response.status().as_u16();
            (status, read_body(response).await.to_vec())
        })
    }

    fn park(&mut self, requests: usize) -> Box<dyn Any> {
        let calls = (0..requests).map(|_| self.service.call(self.request(PARKED)));
        Box::new(park(calls))
    }
}
