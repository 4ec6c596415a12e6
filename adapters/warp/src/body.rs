//! The response of a traced filter, followed to its end as far as warp lets it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use http_body::Body;
use opentracing_http::server::RequestSpan;
use warp::Reply;
use warp::reply::Response;

/// Notes the response's head and follows its body.
///
/// Only a stream can be put back into a warp response. A body of a known size stays as it is, because a stream would lose
/// the size; its request ends here.
pub(crate) fn follow(response: Response, request: RequestSpan) -> Response {
    let exact = response.body().is_end_stream() || response.body().size_hint().exact().is_some();
    let (parts, body) = opentracing_tower::follow(response, request).into_parts();
    let body = match body.into_bare() {
        Ok(body) => body,
        Err(traced) if exact => traced.into_unfollowed().unwrap_or_default(),
        Err(traced) => warp::reply::stream(Data { body: traced })
            .into_response()
            .into_body(),
    };
    Response::from_parts(parts, body)
}

/// The data of a body as a stream. warp's bodies have no trailers.
struct Data<B> {
    body: B,
}

impl<B: Body + Unpin> Stream for Data<B> {
    type Item = Result<B::Data, B::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(Ok(data)),
                    Err(_) => continue,
                },
                Some(Err(error)) => Some(Err(error)),
                None => None,
            });
        }
    }
}
