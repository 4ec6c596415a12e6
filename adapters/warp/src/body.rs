//! The response of a traced filter. Streamed bodies are traced to their end.

use http_body::Body as _;
use http_body_util::BodyExt as _;
use opentracing_http::server::RequestSpan;
use opentracing_tower::TracingBody;
use warp::Reply as _;
use warp::reply::Response;

/// Records the response in the request's span, and traces a streamed body to its end.
///
/// warp accepts a wrapped body only as a stream, and a stream has no known size. So a body whose size is known is not wrapped, and
/// its request ends here.
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
