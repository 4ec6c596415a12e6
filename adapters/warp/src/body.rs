//! The response of a traced filter, followed to its end as far as warp lets it.

use http_body::Body as _;
use http_body_util::BodyExt as _;
use opentracing_http::server::RequestSpan;
use warp::Reply as _;
use warp::reply::Response;

/// Notes the response's head and follows its body.
///
/// A body can be put back into a response of warp's only as a stream, which would lose the size. So a body whose size is known
/// stays as it is, and its request ends here.
pub(crate) fn follow(response: Response, span: RequestSpan) -> Response {
    let (parts, body) = opentracing_tower::follow(response, span).into_parts();
    let body = match body.into_bare() {
        Ok(body) => body,
        Err(traced) => match traced.size_hint().exact() {
            Some(size) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX);
                traced.into_unfollowed(size).unwrap_or_default()
            }
            None => warp::reply::stream(traced.into_data_stream())
                .into_response()
                .into_body(),
        },
    };
    Response::from_parts(parts, body)
}
