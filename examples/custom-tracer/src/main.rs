//! One trace through the tracer of this example.

use example_custom_tracer::PrintTracer;
use opentracing_http::HttpTracing;

fn main() {
    let tracing = HttpTracing::new(PrintTracer::new("shop"));

    let checkout = tracing.span("checkout").tag("cart.items", 3).start();
    checkout
        .child("charge")
        .log((("event", "retry"), ("attempt", 2)));
    checkout.finish();
}
