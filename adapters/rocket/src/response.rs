//! The moment when a response is known.

use opentracing_http::server::{BodySize, RequestSpan, ResponseView};
use rocket::http::Status;
use rocket::{Request, Response};

use crate::body::{self, Unread};
use crate::headers::Headers;

/// Whether the size of the body has to be [asked for](rocket::response::Body::size) before [`respond`], which rocket
/// itself would do later.
pub(crate) fn size_is_open(response: &Response<'_>) -> bool {
    let body = response.body();
    body.is_some() && body.preset_size().is_none()
}

/// Tells the request's span its response; what of the body there is to follow is followed.
pub(crate) fn respond<'r>(
    request: &Request<'_>,
    response: &mut Response<'r>,
    span: RequestSpan,
    unread: Unread,
) {
    span.write_response_headers(&mut Headers(&mut *response));
    let upgrade = is_upgrade(request, response);
    let body = response.body();
    let span = span.head(&ResponseView {
        // rocket sets it when the fairings have seen the response.
        status: if upgrade {
            Status::SwitchingProtocols.code
        } else {
            response.status().code
        },
        headers: &Headers(response.headers()),
        body: match body.preset_size() {
            _ if body.is_none() => BodySize::Empty,
            Some(size) => BodySize::Exact(size as u64),
            None => BodySize::Unknown,
        },
        upgrade,
    });
    if let Some(span) = span {
        body::follow(response, span, unread);
    }
}

/// Whether rocket will find a protocol that both sides want.
fn is_upgrade(request: &Request<'_>, response: &mut Response<'_>) -> bool {
    let wanted = request.headers().get("upgrade");
    let mut wanted = wanted
        .flat_map(|protocols| protocols.split(','))
        .map(str::trim);
    wanted.any(|protocol| response.upgrade(protocol).is_some())
}
