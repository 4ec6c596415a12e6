//! Spans and headers alone.

use std::any::Any;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentracing_http::propagation::{Outgoing, Propagation};
use opentracing_http::{HttpTracing, SpanContext};

use super::{App, Worker};
use crate::case::{BARE, Backend, Case, Formats, Mount, Policy};
use crate::request::headers;

const CONTEXT: &[(&str, &str)] = &[(
    "traceparent",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
)];

const fn case(name: &'static str, backend: Backend) -> Case {
    Case {
        name,
        bare: BARE,
        mount: Mount::Traced(Policy {
            backend,
            formats: Formats::All,
            attributes: false,
            skip: false,
        }),
        context: CONTEXT,
    }
}

const READ: &str = "read the headers";
const WRITE: &str = "write the headers";
const ENTER: &str = "enter and leave a span";

/// The cases, each named after what is done so many times.
pub(super) const CASES: [Case; 6] = [
    Case {
        name: BARE,
        bare: BARE,
        mount: Mount::Bare,
        context: CONTEXT,
    },
    case(READ, Backend::Noop),
    case(WRITE, Backend::Noop),
    case(ENTER, Backend::Discarding),
    case("unsampled span, 8 tags", Backend::Noop),
    case("recorded span, 8 tags", Backend::Discarding),
];

pub(super) fn app(case: Case, tracing: Option<&HttpTracing>) -> Box<dyn App> {
    let headers: HeaderMap = headers(case.context)
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect();
    let propagation = Propagation::default();
    let parent = propagation.extract(&headers).context().expect("a context");
    let once: Once = match (case.name, tracing.cloned()) {
        (READ, _) => Arc::new(move || {
            black_box(propagation.extract(black_box(&headers)));
        }),
        (WRITE, _) => Arc::new(move || {
            let mut bytes = 0;
            let mut carrier = |name: &str, value: &str| bytes += name.len() + value.len();
            propagation.inject(&Outgoing::new(black_box(&parent)), &mut carrier);
            black_box(bytes);
        }),
        (ENTER, Some(tracing)) => {
            let span = tracing.span("work").child_of(parent).start();
            Arc::new(move || span.in_scope(|| black_box(())))
        }
        (_, Some(tracing)) => Arc::new(move || work(&tracing, &parent)),
        (_, None) => Arc::new(|| black_box(())),
    };
    Box::new(Parts(once))
}

fn work(tracing: &HttpTracing, parent: &SpanContext) {
    let span = tracing.span("work").child_of(parent.clone()).start();
    span.set_tags([("a", "text"), ("b", "text"), ("c", "text"), ("d", "text")]);
    span.set_tags([("e", 1), ("f", 2), ("g", 3), ("h", 4)]);
    span.finish();
}

pub(super) type Once = Arc<dyn Fn() + Send + Sync>;

pub(super) struct Parts(pub(super) Once);

impl App for Parts {
    fn worker(&self) -> Box<dyn Worker> {
        Box::new(PartsWorker {
            once: self.0.clone(),
            times: 0,
        })
    }

    fn serve(&self, _: usize, _: Box<dyn FnOnce(SocketAddr) + Send>) {
        unreachable!("`Target::is_served` leaves the parts out")
    }
}

struct PartsWorker {
    once: Once,
    times: u32,
}

impl Worker for PartsWorker {
    fn prepare(&mut self, requests: u32) {
        self.times += requests;
    }

    fn run(&mut self) {
        for _ in 0..std::mem::take(&mut self.times) {
            (self.once)();
        }
    }

    #[cfg(test)]
    fn response(&mut self) -> (u16, Vec<u8>) {
        self.prepare(1);
        self.run();
        (200, Vec::new())
    }

    fn park(&mut self, _: usize) -> Box<dyn Any> {
        Box::new(())
    }
}
