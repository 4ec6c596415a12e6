//! The tools of a cell's check.

use std::cell::RefCell;
use std::net::SocketAddr;

use xtask_collector::{Reference, ReferenceKind, Span, TraceId};

use crate::downstream::Downstream;
use crate::expect::{Check, Failure, Trace, equal, holds};
use crate::fleet::{Fleet, Format};
use crate::framework::Framework;
use crate::http::{Answer, Http, Leaver};
use crate::service::Service;
use crate::upstream::{Headers, Upstream};

/// One run of one cell.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) downstream: &'a Downstream,
    pub(crate) http: &'a Http,
    /// The traces of this run, the most relevant first.
    traces: RefCell<Vec<TraceId>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(fleet: &'a Fleet, downstream: &'a Downstream, http: &'a Http) -> Self {
        Self {
            fleet,
            downstream,
            http,
            traces: RefCell::default(),
        }
    }

    pub(crate) fn into_traces(self) -> Vec<TraceId> {
        self.traces.into_inner()
    }

    /// Shows a trace with the cell.
    pub(crate) fn shows(&self, trace_id: TraceId) {
        self.traces.borrow_mut().push(trace_id);
    }

    /// A caller whose trace belongs to this cell.
    pub(crate) fn upstream(&self) -> Upstream {
        let upstream = Upstream::new(true);
        self.shows(upstream.trace_id);
        upstream
    }

    pub(crate) fn service(&self, framework: Framework) -> &Service {
        self.fleet.of(framework)
    }

    /// The address of a service, without a scheme.
    pub(crate) fn address(&self, framework: Framework) -> SocketAddr {
        self.service(framework).address
    }

    /// The path by which a service calls on.
    pub(crate) fn call_to(&self, callee: Framework, path: &str) -> String {
        crate::http::with_query("/call", &[("to", &self.service(callee).url(path))])
    }

    /// Calls a service as this caller, in the headers that the services themselves write.
    pub(crate) fn get(
        &self,
        framework: Framework,
        path: &str,
        upstream: Upstream,
    ) -> Check<Answer> {
        // The services of every fleet read every format.
        self.get_with(framework, path, &upstream.headers(self.fleet.kind.format))
    }

    /// Calls a service with these headers.
    pub(crate) fn get_with(
        &self,
        framework: Framework,
        path: &str,
        headers: &Headers,
    ) -> Check<Answer> {
        let url = self.service(framework).url(path);
        self.http
            .get(&url, headers)
            .map_err(|error| Failure(format!("{framework} should answer GET {path}: {error}")))
    }

    /// Calls a service that closes the connection instead of an answer.
    pub(crate) fn get_nothing(
        &self,
        framework: Framework,
        path: &str,
        upstream: Upstream,
    ) -> Check {
        let headers = upstream.headers(Format::W3c);
        let answer =
            Leaver::send(self.address(framework), path, &headers).and_then(Leaver::wait_for_close);
        let answer =
            answer.map_err(|error| Failure(format!("{framework}'s connection: {error}")))?;
        equal(
            format!("{framework}'s answer to GET {path}"),
            answer.as_str(),
            "",
        )
    }

    /// Waits for the spans of this caller's trace.
    pub(crate) fn trace(&self, upstream: Upstream, count: usize) -> Check<Trace> {
        self.trace_of(upstream.trace_id, count)
    }

    /// Waits for the spans of a trace, and expects of each what all spans of the services have.
    pub(crate) fn trace_of(&self, trace_id: TraceId, count: usize) -> Check<Trace> {
        let trace = Trace::arrive(&self.fleet.arrivals, trace_id, count)?;
        for span in &trace.spans {
            self.is_whole(span)?;
        }
        Ok(trace)
    }

    /// Expects the flags, the references and the process's tags of a span, where they arrive.
    fn is_whole(&self, span: &Span) -> Check {
        let what = |what: &str| format!("the {what} of {} ({})", span.name, span.service);
        if let Some(flags) = span.flags {
            equal(what("flags"), flags, 1)?;
        }
        let tracer = self.fleet.kind.tracer;
        if tracer.has_references() {
            let parent = (span.parent_id != 0).then_some(Reference {
                kind: ReferenceKind::ChildOf,
                trace_id: span.trace_id,
                span_id: span.parent_id,
            });
            equal(what("references"), &*span.references, parent.as_slice())?;
        }
        for (key, beginning) in tracer.process_tags() {
            let found = span.process_tags.iter().find(|tag| tag.key == *key);
            let found = found.map(|tag| tag.value.to_string()).unwrap_or_default();
            holds(!found.is_empty() && found.starts_with(beginning), || {
                let tags = &span.process_tags;
                format!(
                    "{} should have {key} {beginning:?}…: {tags:?}",
                    what("process")
                )
            })?;
        }
        Ok(())
    }

    /// Expects that nothing was reported of this caller's trace.
    ///
    /// Each service reports in order: when the spans of a later request are there, none of an earlier one can still come.
    pub(crate) fn reported_nothing(&self, upstream: Upstream, services: &[Framework]) -> Check {
        for framework in services {
            let later = Upstream::new(true);
            self.get(*framework, "/", later)?;
            self.trace(later, 1)?;
        }
        let reported = self.fleet.arrivals.trace(upstream.trace_id)?;
        let names: Vec<_> = reported.iter().map(|span| span.name.as_str()).collect();
        equal("what is reported", names, Vec::new())
    }
}
