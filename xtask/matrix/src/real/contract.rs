//! The tracer contract with a real Jaeger as the far end. It runs in a process of its own, because the cases print.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use opentracing_http::report::ReferenceKind;
use opentracing_http::report::otel::OMITTED;
use opentracing_http::{Omitted, SpanId, Tag, TraceId, Tracer, Value};
use opentracing_testkit::for_each_tracer_case;
use opentracing_testkit::tracer::{
    self, Backend, Capabilities, PATIENCE, ReceivedLog, ReceivedReference, ReceivedSpan,
};
use xtask_collector as collector;
use xtask_jaeger::{Addresses, Query, Received};

use crate::parallel;
use crate::real::TRANSPORTS;

/// How many cases are run at the same time.
const AT_ONCE: usize = 8;

/// How long to wait until Jaeger is asked again.
const PAUSE: Duration = Duration::from_millis(10);

/// In how many of its latest traces a case's spans are looked for: more than any case makes.
const LATEST: usize = 50_000;

/// What begins a line that is about a case.
const CASE: &str = "case";

/// The cases that hold the far end up, which a real Jaeger does not let anybody do: those are for a collector in the test's
/// own process.
pub(crate) const HELD_UP: [&str; 4] = [
    "flush_with_a_stuck_exporter_returns_in_time",
    "full_queue_drops_and_counts",
    "is_usable_behind_ref_box_and_arc",
    "survives_a_full_queue",
];

/// A case: its name, and what panics if it does not hold.
pub(crate) type TracerCase = (&'static str, fn());

/// What sends to a real Jaeger.
pub(super) trait Sender: Sized + 'static {
    /// The tracer.
    type Tracer: Tracer + 'static;

    /// What comes back from Jaeger of what it sends.
    const CAPABILITIES: Capabilities;

    /// What the services of its cases are called by, of letters and digits.
    const NAME: &str;

    /// What Jaeger's warnings about spans of the cases begin with; `None` if there are to be none.
    const WARNING: Option<&str>;

    /// A tracer of a service that sends to this Jaeger, and not by itself.
    fn tracer(service: &str, jaeger: &Addresses) -> Self::Tracer;

    /// Undoes what the way to Jaeger and back makes of a span, beyond what [`Received`] undoes for all, and reads what the
    /// policy's limits left out.
    fn restore(received: &Received, span: &mut ReceivedSpan);
}

/// All cases for a sender, but those that hold up the far end.
pub(super) fn cases<S: Sender>() -> Vec<TracerCase> {
    macro_rules! collected {
        ([$backend:ty] $($group:literal { $($case:ident)* })*) => {
            vec![$($((stringify!($case), tracer::cases::$case::<$backend> as fn()),)*)*]
        };
    }
    let mut cases: Vec<TracerCase> = for_each_tracer_case!(collected, RealJaeger<S>);
    cases.retain(|(name, _)| !HELD_UP.contains(name));
    cases
}

/// A service of its own in the Jaeger that this process was told of.
#[derive(Debug)]
struct RealJaeger<S> {
    service: String,
    query: Query,
    sender: PhantomData<S>,
}

impl<S: Sender> Backend for RealJaeger<S> {
    type Tracer = S::Tracer;

    const CAPABILITIES: Capabilities = S::CAPABILITIES;

    fn start() -> (Self, S::Tracer) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let jaeger = Addresses::from_variables()
            .unwrap_or_else(|| panic!("nobody has told where a Jaeger listens"));
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
            // Cases choose ids: others' spans may stand in the same trace.
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

/// Takes what the policy's limits left out from the tag that tells of it.
pub(super) fn take_omitted(span: &mut ReceivedSpan) {
    let mut tags = span.tags.iter();
    if let Some(place) = tags.position(|tag| tag.key == OMITTED) {
        span.omitted = omitted(&span.tags.remove(place).value.to_string());
    }
}

/// Reads a text such as `3 tags, 1 logs`.
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
            other => panic!("{other:?} is left out, of which nothing is known"),
        };
        *place = count
            .parse()
            .unwrap_or_else(|_| panic!("{part:?} is left out"));
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

/// What a process does that is asked for cases: the first argument is the transport, the others are the cases. It prints a
/// line for each.
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

/// Reads such a line: the case, and why it does not hold. `None` if it is about something else.
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
