//! The response of a traced filter, followed to its end as far as warp lets it.

use http_body::Body as _;
use http_body_util::BodyExt as _;
use opentracing_http::server::RequestSpan;
use opentracing_tower::TracingBody;
use warp::Reply as _;
use warp::reply::Response;

/// Notes the response's head and follows its body.
///
/// A body can be put back into a response of warp's only as a stream, which would lose the size. So a body whose size is known
/// stays as it is, and its request ends here.
pub(crate) fn follow(response: Response, span: RequestSpan) -> Response {
    let (parts, body) = opentracing_tower::follow(response, span).into_parts();
    let size = body.size_hint().exact();
    let body = match (body.into_followed().into_bare(), size) {
        (Ok(bare), _) => bare,
        (Err(followed), Some(size)) => {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            followed.into_unfollowed(size).unwrap_or_default()
        }
        (Err(followed), None) => {
            let body = TracingBody::new(followed);
            let reply = warp::reply::stream(body.into_data_stream());
            reply.into_response().into_body()
        }
    };
    Response::from_parts(parts, body)
}
