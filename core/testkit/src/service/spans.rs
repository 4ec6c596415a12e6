//! What a service has exported in its life.

use std::collections::HashSet;
use std::fmt;

use opentracing_http::SpanId;

use crate::service::caller::Caller;
use crate::tracer::ReceivedSpan;

/// All spans of a service.
pub(crate) struct Spans(Vec<ReceivedSpan>);

impl Spans {
    /// No span was exported twice.
    #[track_caller]
    pub(crate) fn new(spans: Vec<ReceivedSpan>) -> Self {
        let ids: HashSet<_> = spans.iter().map(|span| span.span_id).collect();
        let (count, spans) = (ids.len(), Self(spans));
        assert_eq!(count, spans.0.len(), "a span arrived twice: {spans:?}");
        spans
    }

    pub(crate) fn all(&self) -> &[ReceivedSpan] {
        &self.0
    }

    /// Those of requests, which are so many.
    #[track_caller]
    pub(crate) fn requests(&self, count: usize) -> Vec<&ReceivedSpan> {
        let spans = self.0.iter();
        let requests: Vec<_> = spans.filter(|span| is(span, "server")).collect();
        assert_eq!(requests.len(), count, "requests in {self:?}");
        requests
    }

    /// That of the one request of this caller, below the caller's span.
    #[track_caller]
    pub(crate) fn request_of(&self, caller: Caller) -> &ReceivedSpan {
        let requests = self.0.iter().filter(|span| is(span, "server"));
        let of_caller: Vec<_> = requests
            .filter(|span| span.trace_id == caller.trace_id)
            .collect();
        let [request] = of_caller[..] else {
            panic!("one request of {caller:?} in {self:?}");
        };
        assert_eq!(request.parent_id, Some(caller.span_id), "{request:?}");
        request
    }

    /// Those of the same trace that stand below a span, however deep.
    pub(crate) fn below(&self, above: &ReceivedSpan) -> Vec<&ReceivedSpan> {
        let spans = self.0.iter();
        spans
            .filter(|span| span.span_id != above.span_id && self.is_below(span.span_id, above))
            .collect()
    }

    /// Whether this is the id of that span, or of one below.
    pub(crate) fn is_below(&self, id: SpanId, above: &ReceivedSpan) -> bool {
        let mut id = Some(id);
        // No path upwards is longer than all spans are many.
        for _ in 0..=self.0.len() {
            let mut spans = self.0.iter();
            let Some(span) = spans.find(|span| Some(span.span_id) == id) else {
                return false;
            };
            if span.trace_id != above.trace_id {
                return false;
            }
            if span.span_id == above.span_id {
                return true;
            }
            id = span.parent_id;
        }
        false
    }
}

/// A line for each span, since there can be many.
impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for span in &self.0 {
            let parent = span.parent_id.map(|id| id.to_string());
            let parent = parent.as_deref().unwrap_or("nothing");
            write!(f, "\n{}:{} below {parent}: ", span.trace_id, span.span_id)?;
            write!(f, "{:?}", span.name)?;
            for tag in &span.tags {
                write!(f, " {}={}", tag.key, tag.value)?;
            }
        }
        Ok(())
    }
}

/// Whether a span is of this kind.
pub(crate) fn is(span: &ReceivedSpan, kind: &str) -> bool {
    shown(span, "span.kind").is_some_and(|found| found.eq_ignore_ascii_case(kind))
}

/// A tag as it is shown.
pub(crate) fn shown(span: &ReceivedSpan, key: &str) -> Option<String> {
    span.tag(key).map(ToString::to_string)
}

/// The status of a request's span, by either convention.
pub(crate) fn status(span: &ReceivedSpan) -> Option<String> {
    shown(span, "http.status_code").or_else(|| shown(span, "http.response.status_code"))
}

/// Whether a span is an error, by either convention.
pub(crate) fn is_error(span: &ReceivedSpan) -> bool {
    shown(span, "error").is_some_and(|error| error == "true") || span.tag("error.type").is_some()
}
