//! The tracer contract with a real Jaeger as the backend. It runs in a separate process, because the cases print.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use opentracing_http::report::Omitted;
use opentracing_http::report::ReferenceKind;
use opentracing_http::report::otel::OMITTED;
use opentracing_http::{SpanId, Tag, TraceId, Tracer, Value};
use opentracing_testkit::for_each_tracer_case;
use opentracing_testkit::tracer::{
    self, Backend, Capabilities, PATIENCE, ReceivedLog, ReceivedReference, ReceivedSpan,
};
use xtask_collector as collector;
use xtask_jaeger::{Addresses, Query, Received};

use crate::parallel;
use crate::real::TRANSPORTS;

/// Number of cases that run at the same time.
const AT_ONCE: usize = 8;

/// Time between two queries to Jaeger.
const PAUSE: Duration = Duration::from_millis(10);

/// Number of the latest traces in which a case's spans are searched: more than any case creates.
const LATEST: usize = 50_000;

/// The start of a line about a case.
const CASE: &str = "case";

/// The cases that stall the backend, which is not possible with a real Jaeger: they need a collector in the test's own
/// process.
pub(crate) const HELD_UP: [&str; 4] = [
    "flush_with_a_stuck_exporter_returns_in_time",
    "full_queue_drops_and_counts",
    "is_usable_behind_ref_box_and_arc",
    "survives_a_full_queue",
];

/// A case: its name, and a function that panics if it does not hold.
pub(crate) type TracerCase = (&'static str, fn());

/// A tracer that sends to a real Jaeger.
pub(super) trait Sender: Sized + 'static {
    /// The tracer.
    type Tracer: Tracer + 'static;

    /// What Jaeger returns of the spans that it sends.
    const CAPABILITIES: Capabilities;

    /// The name of its services, of letters and digits.
    const NAME: &str;

    /// The start of Jaeger's warnings about spans of the cases; `None` if there must be none.
    const WARNING: Option<&str>;

    /// Creates a tracer of a service that sends to this Jaeger, and only when it is flushed.
    fn tracer(service: &str, jaeger: &Addresses) -> Self::Tracer;

    /// Reverts changes to a span on the way to Jaeger and back, beyond those that [`Received`] reverts, and reads what
    /// the policy's limits left out.
    fn restore(received: &Received, span: &mut ReceivedSpan);
}

/// Returns all cases for a sender, except those that stall the backend.
pub(super) fn cases<S: Sender>() -> Vec<TracerCase> {
    macro_rules! collected {
        ([$backend:ty] $($group:literal { $($case:ident)* })*) => {
            vec![$($((stringify!($case), tracer::cases::$case::<$backend> as fn()),)*)*]
        };
    }
    let mut cases: Vec<TracerCase> = for_each_tracer_case!(collected, JaegerService<S>);
    cases.retain(|(name, _)| !HELD_UP.contains(name));
    cases
}

/// A service in the Jaeger of the environment's variables.
#[derive(Debug)]
struct JaegerService<S> {
    service: String,
    query: Query,
    sender: PhantomData<S>,
}

impl<S: Sender> Backend for JaegerService<S> {
    type Tracer = S::Tracer;

    const CAPABILITIES: Capabilities = S::CAPABILITIES;

    fn start() -> (Self, S::Tracer) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let jaeger = Addresses::from_variables()
            .unwrap_or_else(|| panic!("the variables do not name a Jaeger"));
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let service = format!("{}-{number}", S::NAME);
        let tracer = S::tracer(&service, &jaeger);
        let real_jaeger = Self {
            service,
            query: Query::new(jaeger.query),
            sender: PhantomData,
        };
        (real_jaeger, tracer)
    }

    fn arrived(&self, count: usize) -> Vec<ReceivedSpan> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let latest = self.query.latest(&self.service, LATEST);
            let mut spans = latest.unwrap_or_else(|problem| panic!("{problem}"));
            // Cases choose ids, so spans of others may be in the same trace.
            spans.retain(|span| span.service == self.service);
            if spans.len() >= count || Instant::now() >= deadline {
                return spans.iter().map(arrived::<S>).collect();
            }
            thread::sleep(PAUSE);
        }
    }
}

fn arrived<S: Sender>(span: &Received) -> ReceivedSpan {
    let (trace_id, span_id) = (trace_id(span.trace_id), self::span_id(span.id));
    let mut arrived = ReceivedSpan::new(trace_id, span_id, &*span.name);
    arrived.parent_id = SpanId::new(span.parent_id);
    let references = span.references.iter().map(|reference| ReceivedReference {
        kind: match reference.kind {
            collector::ReferenceKind::ChildOf => ReferenceKind::ChildOf,
            collector::ReferenceKind::FollowsFrom => ReferenceKind::FollowsFrom,
        },
        trace_id: self::trace_id(reference.trace_id),
        span_id: self::span_id(reference.span_id),
    });
    arrived.references = references.collect();
    arrived.start = UNIX_EPOCH + span.start;
    arrived.duration = span.end.saturating_sub(span.start);
    arrived.tags = tags(&span.tags);
    let logs = span.logs.iter().map(|(time, fields)| ReceivedLog {
        time: Some(UNIX_EPOCH + *time),
        fields: tags(fields),
    });
    arrived.logs = logs.collect();
    arrived.tracestate.clone_from(&span.tracestate);
    let is_known = |warning: &str| S::WARNING.is_some_and(|known| warning.starts_with(known));
    let unknown = span.warnings.iter().find(|warning| !is_known(warning));
    assert_eq!(unknown, None, "Jaeger warns");
    S::restore(span, &mut arrived);
    arrived
}

/// Removes the tag about omissions, and returns its content.
pub(super) fn take_omitted(span: &mut ReceivedSpan) {
    let mut tags = span.tags.iter();
    if let Some(place) = tags.position(|tag| tag.key == OMITTED) {
        span.omitted = omitted(&span.tags.remove(place).value.to_string());
    }
}

/// Parses a text such as `3 tags, 1 logs`.
fn omitted(text: &str) -> Omitted {
    let mut omitted = Omitted::default();
    for part in text.split(", ") {
        let (count, what) = part.split_once(' ').unwrap_or_default();
        let place = match what {
            "tags" => &mut omitted.tags,
            "logs" => &mut omitted.logs,
            "log fields" => &mut omitted.log_fields,
            "references" => &mut omitted.references,
            "ends of values" => &mut omitted.cut_values,
            other => panic!("{other:?} is an unknown omission"),
        };
        *place = count
            .parse()
            .unwrap_or_else(|_| panic!("{part:?} is not an omission"));
    }
    omitted
}

fn trace_id(id: collector::TraceId) -> TraceId {
    TraceId::new(id.0).unwrap_or_else(|| panic!("a trace id is 0"))
}

fn span_id(id: u64) -> SpanId {
    SpanId::new(id).unwrap_or_else(|| panic!("a span id is 0"))
}

fn tags(tags: &[collector::Tag]) -> Vec<Tag> {
    let value = |value: &collector::Value| match value {
        collector::Value::Text(text) => Value::from(text.clone()),
        collector::Value::Double(number) => Value::F64(*number),
        collector::Value::Bool(truth) => Value::Bool(*truth),
        collector::Value::Long(number) => Value::I64(*number),
        collector::Value::Binary(_) => panic!("no case has a tag of bytes"),
        collector::Value::List(list) => panic!("no case has a tag that is a list: {list:?}"),
    };
    let tags = tags.iter();
    tags.map(|tag| Tag::new(tag.key.clone(), value(&tag.value)))
        .collect()
}

/// Runs cases: the first argument is the transport, the others are the cases. Prints a line for each.
pub(crate) fn serve(arguments: &[String]) -> Result<(), String> {
    let (name, wanted) = arguments.split_first().ok_or("no transport is named")?;
    let transport = TRANSPORTS
        .iter()
        .find(|transport| transport.name == name)
        .ok_or_else(|| format!("there is no transport {name}"))?;
    let mut cases = (transport.cases)();
    cases.retain(|(case, _)| wanted.iter().any(|wanted| wanted == case));
    parallel::each(cases, AT_ONCE, |(case, run)| {
        match catch_unwind(|| opentracing_testkit::run(run)) {
            Ok(()) => println!("{CASE}\t{case}"),
            Err(panic) => println!("{CASE}\t{case}\t{}", message(&*panic).escape_debug()),
        }
    });
    Ok(())
}

/// Parses such a line: the case, and why it does not hold. Returns `None` if it is another line.
pub(super) fn told(line: &str) -> Option<(&str, Option<&str>)> {
    let (case, message) = match line
        .strip_prefix(CASE)?
        .strip_prefix('\t')?
        .split_once('\t')
    {
        Some((case, message)) => (case, Some(message)),
        None => (line.strip_prefix(CASE)?.strip_prefix('\t')?, None),
    };
    Some((case, message))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked without a message")
}
