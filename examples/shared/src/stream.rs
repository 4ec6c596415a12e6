//! A response body in several parts.

use std::time::Duration;

use async_stream::stream;
use futures_core::Stream;
use opentracing_http::Span;
use tokio::time::sleep;

/// Returns three lines with pauses between them. The request's span is also current in the stream, so the second line,
/// which takes some work, is a child span.
pub fn chunks() -> impl Stream<Item = &'static str> + Send + 'static {
    let pause = Duration::from_millis(5);
    stream! {
        yield "first\n";
        sleep(pause).await;
        let chunk = Span::current().child("chunk");
        sleep(pause).await;
        chunk.finish();
        log::info!("streaming the second line");
        yield "second\n";
        sleep(pause).await;
        yield "third\n";
    }
}
