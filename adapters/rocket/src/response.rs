//! Lets the core read Rocket's response and write headers into it.

use opentracing_http::Route;
use opentracing_http::propagation::{Carrier, HeaderView};
use opentracing_http::server::{BodySize, RequestSpan, ResponseView};
use rocket::http::Status;
use rocket::{Request, Response};

use crate::body;
use crate::headers::Headers;

/// Records the response in the request's span, and traces its body to its end.
pub(crate) fn respond<'r>(request: &Request<'_>, response: &mut Response<'r>, span: RequestSpan) {
    // Rocket sets the status of an upgrade after the fairings have seen the response.
    let status = match is_upgrade(request, response) {
        true => Status::SwitchingProtocols,
        false => response.status(),
    };
    let body = span.respond(&mut View {
        request,
        response: Headers(response),
        status,
    });
    if let Some(body) = body {
        body::follow(response, body);
    }
}

/// Returns `true` if Rocket will switch to a protocol that both the request and the response name.
fn is_upgrade(request: &Request<'_>, response: &mut Response<'_>) -> bool {
    let wanted = request.headers().get("upgrade");
    let mut wanted = wanted
        .flat_map(|protocols| protocols.split(','))
        .map(str::trim);
    wanted.any(|protocol| response.upgrade(protocol).is_some())
}

/// Returns `true` if the size of the body is known only after a call of [`Body::size`](rocket::response::Body::size).
pub(crate) fn has_unknown_size(response: &Response<'_>) -> bool {
    let body = response.body();
    body.is_some() && body.preset_size().is_none()
}

/// A view of the response.
struct View<'a, 'q, 'r> {
    request: &'a Request<'q>,
    response: Headers<&'a mut Response<'r>>,
    status: Status,
}

impl ResponseView for View<'_, '_, '_> {
    fn status(&self) -> u16 {
        self.status.code
    }

    fn headers(&self) -> &dyn HeaderView {
        &self.response
    }

    fn headers_mut(&mut self) -> Option<&mut dyn Carrier> {
        Some(&mut self.response)
    }

    fn body_size(&self) -> BodySize {
        let body = self.response.0.body();
        match body.preset_size() {
            _ if body.is_none() => BodySize::Empty,
            Some(size) => BodySize::Exact(size as u64),
            None => BodySize::Unknown,
        }
    }

    /// If the last route forwarded the request and no other matched, this is that last route: its status became the response.
    fn route(&self) -> Route<'_> {
        let route = self.request.route();
        route.map_or(Route::Unmatched, |route| Route::Template(route.uri.path()))
    }
}
