//! A response body in several pieces.

use std::time::Duration;

use async_stream::stream;
use futures_core::Stream;
use opentracing_http::Span;
use tokio::time::sleep;

/// Three lines, some time apart. The request's span is current in the stream as well, so the second line, which takes
/// some work, is a child span.
pub fn chunks() -> impl Stream<Item = &'static str> + Send + 'static {
    let pause = Duration::from_millis(5);
    stream! {
        yield "first\n";
        sleep(pause).await;
        let chunk = Span::current().child("chunk");
        sleep(pause).await;
        chunk.finish();
        yield "second\n";
        sleep(pause).await;
        yield "third\n";
    }
}
