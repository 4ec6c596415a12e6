//! Lets the core read actix-web's response and write headers into it.

use std::cell::OnceCell;
use std::fmt::Display;
use std::mem;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderMap;
use opentracing_http::Route;
use opentracing_http::propagation::{Carrier, HeaderView};
use opentracing_http::server::{self, FollowedBody, RequestSpan, ResponseView};

use crate::body::TracingBody;
use crate::headers::ActixHeaders;
use crate::routes::Routes;

/// Records the response in the request's span, and returns it with a body that is traced to its end.
pub(crate) fn follow<B: MessageBody>(
    mut response: ServiceResponse<B>,
    span: RequestSpan,
    routes: &Routes,
) -> ServiceResponse<TracingBody<B>> {
    // The headers are taken out, so that they can be changed while the rest is borrowed, and are put back below.
    let headers = ActixHeaders(mem::take(response.headers_mut()));
    let mut view = Response {
        response: &response,
        headers,
        routes,
        template: OnceCell::new(),
    };
    let body_span = span.respond(&mut view);
    *response.headers_mut() = view.headers.0;
    response.map_body(|_, body| TracingBody::new(FollowedBody::new(body, body_span)))
}

struct Response<'r, B> {
    response: &'r ServiceResponse<B>,
    headers: ActixHeaders<HeaderMap>,
    routes: &'r Routes,
    template: OnceCell<Option<String>>,
}

impl<B: MessageBody> ResponseView for Response<'_, B> {
    fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    fn headers(&self) -> &dyn HeaderView {
        &self.headers
    }

    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        Some(&mut self.headers)
    }

    fn body_size(&self) -> server::BodySize {
        match self.response.response().body().size() {
            BodySize::None | BodySize::Sized(0) => server::BodySize::Empty,
            BodySize::Sized(size) => server::BodySize::Exact(size),
            BodySize::Stream => server::BodySize::Unknown,
        }
    }

    fn route(&self) -> Route<'_> {
        let find = || self.routes.template_of(self.response.request());
        let template = self.template.get_or_init(find);
        template
            .as_deref()
            .map_or(Route::Unmatched, Route::Template)
    }

    fn error(&self) -> Option<&dyn Display> {
        Some(self.response.response().error()?)
    }

    fn is_upgrade(&self) -> bool {
        self.response.response().head().upgrade()
    }
}
