//! The tracer contract, with an agent as the backend.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use opentracing_http::report::Omitted;
use opentracing_http::report::ReferenceKind;
use opentracing_http::{SpanId, Tag as OurTag, TraceId, Value as OurValue};
use opentracing_jaeger::JaegerTracer;
use opentracing_testkit::tracer::{
    Backend, Capabilities, Delivery, Feature, PATIENCE, ReceivedLog, ReceivedReference,
    ReceivedSpan, Sink,
};
use opentracing_testkit::tracer_contract;

use crate::agent::Agent;
use crate::thrift_batch::{Span, Tag, Value};

/// Maximum number of waiting spans.
const QUEUE: usize = 1_000;

/// The agent's packets.
struct Receives {
    address: SocketAddr,
    /// `None` while the exporter is stalled.
    agent: Mutex<Option<Agent>>,
    /// What was taken from agents so far, and what the exporter's errors wait for.
    sink: Sink,
}

impl Backend for Receives {
    type Tracer = JaegerTracer;

    const CAPABILITIES: Capabilities = Capabilities {
        resolution: Duration::from_micros(1),
        shortest: Duration::from_micros(1),
        delivery: Delivery::Queued { spans: QUEUE },
        lacks: &[
            (
                Feature::NonFinite,
                "Jaeger cannot show a trace that contains one",
            ),
            (Feature::Baggage, "Jaeger's spans have no field for it"),
            (Feature::Tracestate, "Jaeger's spans have no field for it"),
        ],
    };

    fn start() -> (Self, JaegerTracer) {
        let (agent, sink) = (Agent::start_at((host(), 0)), Sink::new());
        let held_up = sink.clone();
        let tracer = JaegerTracer::builder("suite")
            .agent(agent.address())
            .queue_spans(QUEUE)
            .batch_interval(Duration::from_secs(3600))
            // Slow enough for a reader that gets no processor time for a while.
            .bytes_per_second(1_000_000)
            .on_error(move |_| held_up.pass())
            .build()
            .unwrap();
        let receives = Self {
            address: agent.address(),
            agent: Mutex::new(Some(agent)),
            sink,
        };
        (receives, tracer)
    }

    fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
        let deadline = Instant::now() + PATIENCE;
        let agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(agent) = &*agent {
            // At least once, for what is more than was to come.
            self.take(agent, Duration::ZERO);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.so_far() >= count {
                break;
            }
            self.take(agent, left);
        }
        self.sink.arrived(0)
    }

    /// Closes the agent's socket: the next packet is refused, and the exporter's thread hangs when it reports that.
    fn stall(&self) {
        self.sink.stall();
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agent.take() {
            self.take(&agent, Duration::ZERO);
        }
    }

    fn release(&self) {
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        *agent = Some(Agent::start_at(self.address));
        self.sink.release();
    }
}

impl Receives {
    fn take(&self, agent: &Agent, patience: Duration) {
        for span in agent
            .waiting(patience)
            .iter()
            .flat_map(|batch| &batch.spans)
        {
            self.sink.receive(arrived(span));
        }
    }

    fn so_far(&self) -> usize {
        self.sink.arrived(0).len()
    }
}

/// Returns an address that only this test uses, if the system supports that: its port is closed and opened again, and
/// no other test takes it meanwhile.
fn host() -> IpAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    match cfg!(target_os = "linux") {
        true => Ipv4Addr::new(127, 6, high, low).into(),
        false => Ipv4Addr::LOCALHOST.into(),
    }
}

fn arrived(span: &Span) -> ReceivedSpan {
    let trace_id = TraceId::new(span.trace_id()).unwrap();
    let mut arrived = ReceivedSpan::new(trace_id, span_id(span.span_id).unwrap(), &*span.name);
    arrived.parent_id = span_id(span.parent_span_id);
    let references = span.references.iter().map(|reference| ReceivedReference {
        kind: match reference.kind {
            0 => ReferenceKind::ChildOf,
            1 => ReferenceKind::FollowsFrom,
            other => panic!("reference kind {other}"),
        },
        trace_id: TraceId::new(reference.trace_id()).unwrap(),
        span_id: span_id(reference.span_id).unwrap(),
    });
    arrived.references = references.collect();
    arrived.start = UNIX_EPOCH + micros(span.start);
    arrived.duration = micros(span.duration);
    arrived.tags = tags(&span.tags);
    let logs = span.logs.iter().map(|log| ReceivedLog {
        time: Some(UNIX_EPOCH + micros(log.time)),
        fields: tags(&log.fields),
    });
    arrived.logs = logs.collect();
    // The tag that names what was left out.
    let mark = arrived
        .tags
        .iter()
        .position(|tag| tag.key == "opentracing.omitted");
    if let Some(mark) = mark.map(|place| arrived.tags.remove(place)) {
        arrived.omitted = omitted(mark.value.as_str().unwrap());
    }
    arrived
}

fn span_id(id: i64) -> Option<SpanId> {
    SpanId::new(id.cast_unsigned())
}

fn micros(micros: i64) -> Duration {
    Duration::from_micros(micros.try_into().unwrap())
}

fn tags(tags: &[Tag]) -> Vec<OurTag> {
    let value = |value: &Value| match value {
        Value::Str(text) => OurValue::from(text.clone()),
        Value::F64(number) => OurValue::F64(*number),
        Value::Bool(truth) => OurValue::Bool(*truth),
        Value::I64(number) => OurValue::I64(*number),
        Value::Missing => panic!("a tag without a value"),
    };
    let tags = tags.iter();
    tags.map(|tag| OurTag::new(tag.key.clone(), value(&tag.value)))
        .collect()
}

/// Reads `3 tags, 1 logs`.
fn omitted(text: &str) -> Omitted {
    let mut omitted = Omitted::default();
    for part in text.split(", ") {
        let (count, what) = part.split_once(' ').unwrap();
        let place = match what {
            "tags" => &mut omitted.tags,
            "logs" => &mut omitted.logs,
            "log fields" => &mut omitted.log_fields,
            "references" => &mut omitted.references,
            "ends of values" => &mut omitted.cut_values,
            other => panic!("{other}"),
        };
        *place = count.parse().unwrap();
    }
    omitted
}

tracer_contract!(Receives);
