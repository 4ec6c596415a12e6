//! What every framework is measured with.

use std::net::UdpSocket;

use opentracing_http::{Attribute, FinishedSpan, HttpTracing, NoopTracer, Tracer};
use opentracing_jaeger::JaegerTracer;

/// The headers of every request, besides the caller's context: seven, as a browser or a client library sends.
pub(crate) const HEADERS: [(&str, &str); 7] = [
    ("host", "shop.example"),
    ("user-agent", "curl/8.5.0"),
    ("accept", "text/html,application/xhtml+xml"),
    ("accept-encoding", "gzip, br"),
    ("accept-language", "en"),
    ("connection", "keep-alive"),
    ("cache-control", "no-cache"),
];

/// A caller that samples.
pub(crate) const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// A caller that does not.
pub(crate) const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// A policy, and the context that the caller sends.
pub(crate) struct Traced {
    pub(crate) name: &'static str,
    pub(crate) tracing: HttpTracing,
    pub(crate) traceparent: &'static str,
}

/// Takes every span, and keeps none.
struct Discard;

impl Tracer for Discard {
    fn report(&self, _: FinishedSpan) {}
}

/// The default tags, and two chosen attributes.
fn policy(tracer: impl Tracer + 'static) -> HttpTracing {
    HttpTracing::builder(tracer)
        .attributes([
            Attribute::USER_AGENT,
            Attribute::header(http::header::ACCEPT),
        ])
        .build()
        .expect("the policy is right")
}

pub(crate) fn discarding() -> HttpTracing {
    policy(Discard)
}

/// From nothing to everything.
pub(crate) fn traced() -> [Traced; 4] {
    // Nobody reads what arrives there; the kernel throws it away, as it does with an agent that is too slow.
    let agent = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let address = agent.local_addr().expect("an address").to_string();
    // It stays bound for as long as the process lives, so that sending costs what it costs.
    std::mem::forget(agent);
    let jaeger = JaegerTracer::builder("bench")
        .agent(address)
        .build()
        .expect("the tracer is right");
    let of = |name, tracing, traceparent| Traced {
        name,
        tracing,
        traceparent,
    };
    [
        of("no-op tracer", policy(NoopTracer), SAMPLED),
        of("unsampled", policy(Discard), UNSAMPLED),
        of("recorded, discarding tracer", policy(Discard), SAMPLED),
        of("recorded, Jaeger", policy(jaeger), SAMPLED),
    ]
}
