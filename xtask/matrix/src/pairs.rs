//! The scenarios for every caller with every callee.

use xtask_collector::Span;

use crate::arrivals::ARRIVAL;
use crate::cell::Scenario;
use crate::expect::{Check, Failure, Trace, equal, holds, lies_within, no_tag, tag, text};
use crate::fleet::Format;
use crate::framework::Framework;
use crate::http::with_query;
use crate::run::Run;
use crate::upstream::{Headers, Upstream};

/// Number of scenarios, from the first, that run with every format.
pub(crate) const WITH_EVERY_FORMAT: usize = 1;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "one trace",
        about: "The caller's span continues the driver's trace, its outgoing call is a child, the callee's span is that \
                call's child: names, parents, tags and services are right.",
        check: one_trace,
        stops: false,
    },
    Scenario {
        name: "root",
        about: "Without headers the caller's span is the root of a new trace.",
        check: root,
        stops: false,
    },
    Scenario {
        name: "error",
        about: "The callee's handler fails with the framework's own error type: both spans have status 503 and are errors, \
                with a log.",
        check: error,
        stops: false,
    },
    Scenario {
        name: "panic",
        about: "The callee's handler panics: its span has that outcome, and the caller's has the status of its response.",
        check: panic,
        stops: false,
    },
    Scenario {
        name: "stream",
        about: "The callee streams its body: its span lasts until the last part, and a span that is started in the stream is its \
                child.",
        check: stream,
        stops: false,
    },
    Scenario {
        name: "unsampled",
        about: "The driver's trace is not sampled: nothing is reported, and the trace is propagated with the flag 0.",
        check: unsampled,
        stops: false,
    },
    Scenario {
        name: "baggage",
        about: "An item that the caller sets and one that the driver sends reach the callee's handler.",
        check: baggage,
        stops: false,
    },
];

/// The three spans of a call through a caller.
struct Hops<'a> {
    caller: &'a Span,
    call: &'a Span,
    callee: &'a Span,
}

impl<'a> Hops<'a> {
    fn of(trace: &'a Trace, parent_id: u64, path: &[Framework]) -> Check<Self> {
        let (from, to) = ends(path)?;
        let caller = trace.child(parent_id, "the caller's server span")?;
        let call = trace.child(caller.id, "the caller's client span")?;
        let callee = trace.child(call.id, "the callee's server span")?;
        equal(
            "the caller's service",
            caller.service.as_str(),
            &from.package(),
        )?;
        equal(
            "the outgoing call's service",
            call.service.as_str(),
            &from.package(),
        )?;
        equal(
            "the callee's service",
            callee.service.as_str(),
            &to.package(),
        )?;
        tag(caller, "span.kind", "server")?;
        tag(caller, "component", from.name())?;
        tag(call, "span.kind", "client")?;
        tag(callee, "span.kind", "server")?;
        tag(callee, "component", to.name())?;
        lies_within(call, caller)?;
        holds(callee.start_micros >= call.start_micros, || {
            "the callee's span should not start before the call".to_owned()
        })?;
        Ok(Self {
            caller,
            call,
            callee,
        })
    }
}

fn one_trace(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let (from, to) = ends(path)?;
    let item = "/shops/north/items/7";
    let answer = run.get(
        from,
        &run.call_to(to, &format!("{item}?secret=1")),
        upstream,
    )?;
    equal("the status", answer.status, 200)?;
    equal("the body", answer.body.as_str(), "item 7 of north")?;

    let trace = run.trace(upstream, 3)?;
    let hops = Hops::of(&trace, upstream.span_id, path)?;
    equal("the caller's name", hops.caller.name.as_str(), "GET /call")?;
    equal("the outgoing call's name", hops.call.name.as_str(), "call")?;
    equal(
        "the callee's name",
        hops.callee.name.as_str(),
        &format!("GET {}", to.item_route()),
    )?;
    tag(hops.callee, "http.route", to.item_route())?;
    for span in [hops.caller, hops.call, hops.callee] {
        tag(span, "http.method", "GET")?;
        tag(span, "http.status_code", 200)?;
        no_tag(span, "error")?;
        no_tag(span, "http.outcome")?;
    }
    tag(hops.caller, "http.url", run.service(from).url("/call"))?;
    tag(hops.call, "http.url", run.service(to).url(item))?;
    tag(hops.callee, "http.url", run.service(to).url(item))?;
    tag(hops.callee, "peer.ipv4", "127.0.0.1")
}

fn root(run: &Run<'_>, path: &[Framework]) -> Check {
    let (from, to) = ends(path)?;
    // The new trace's id is not known: the span is found by an address that is requested only once.
    let item = format!("/shops/{}/items/1", Upstream::new(true).trace_id);
    let url = text(run.service(to).url(&item));
    run.get_with(from, &run.call_to(to, &item), &Headers::new())?;

    let found = run
        .fleet
        .arrivals
        .wait_for_tag(&to.package(), "http.url", &url)?;
    let trace_id =
        found.ok_or_else(|| Failure(format!("the callee's span of {item} is missing")))?;
    run.shows(trace_id);
    let trace = run.trace_of(trace_id, 3)?;
    let hops = Hops::of(&trace, 0, path)?;
    equal("the root's references", hops.caller.references.len(), 0)?;
    holds(trace_id.0 >> 64 != 0, || {
        format!("a trace id should have 128 bits and is {trace_id}")
    })
}

fn error(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let (from, to) = ends(path)?;
    let answer = run.get(from, &run.call_to(to, "/error"), upstream)?;
    equal("the status", answer.status, 503)?;

    let trace = run.trace(upstream, 3)?;
    let hops = Hops::of(&trace, upstream.span_id, path)?;
    equal("the callee's name", hops.callee.name.as_str(), "GET /error")?;
    for span in [hops.caller, hops.callee] {
        tag(span, "http.status_code", 503)?;
        failed(span)?;
    }
    Ok(())
}

fn panic(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let (from, to) = ends(path)?;
    // Without a response the caller responds with 502.
    let status = to.status_of_panic().unwrap_or(502);
    let answer = run.get(from, &run.call_to(to, "/panic"), upstream)?;
    equal("the status", answer.status, status)?;

    let trace = run.trace(upstream, 3)?;
    let hops = Hops::of(&trace, upstream.span_id, path)?;
    equal("the callee's name", hops.callee.name.as_str(), "GET /panic")?;
    tag(hops.callee, "http.outcome", "panicked")?;
    failed(hops.callee)?;
    match to.status_of_panic() {
        Some(status) => tag(hops.callee, "http.status_code", i64::from(status))?,
        None => no_tag(hops.callee, "http.status_code")?,
    }
    tag(hops.caller, "http.status_code", i64::from(status))
}

fn stream(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let (from, to) = ends(path)?;
    let answer = run.get(from, &run.call_to(to, "/stream"), upstream)?;
    equal("the body", answer.body.as_str(), "first\nsecond\nthird\n")?;

    let trace = run.trace(upstream, 4)?;
    let hops = Hops::of(&trace, upstream.span_id, path)?;
    let chunk = trace.child(hops.callee.id, "the span of a chunk")?;
    equal("the chunk's name", chunk.name.as_str(), "chunk")?;
    no_tag(hops.callee, "http.outcome")?;
    lies_within(chunk, hops.callee)
}

fn unsampled(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = Upstream::new(false);
    let (from, to) = ends(path)?;
    let key = upstream.trace_id.to_string();
    let path_of_callee = with_query("/call", &[("to", &run.downstream.url(&key))]);
    let answer = run.get(from, &run.call_to(to, &path_of_callee), upstream)?;
    equal("the body", answer.body.as_str(), "answer")?;

    let headers = run
        .downstream
        .wait_for_call(&key, ARRIVAL)
        .ok_or_else(|| Failure("the callee's own call does not arrive".to_owned()))?;
    for format in [Format::W3c, Format::Jaeger] {
        let sent = Upstream::read(&headers, format);
        let sent =
            sent.ok_or_else(|| Failure(format!("the {format} header should go on: {headers:?}")))?;
        equal(
            format!("the trace id sent on in {format}"),
            sent.trace_id,
            upstream.trace_id,
        )?;
        equal(
            format!("the sampled flag sent on in {format}"),
            sent.sampled,
            false,
        )?;
    }
    run.reported_nothing(upstream, path)
}

fn baggage(run: &Run<'_>, path: &[Framework]) -> Check {
    let (from, to) = ends(path)?;
    let upstream = run.upstream();
    let set = with_query(
        "/baggage",
        &[
            ("set", "colour:deep blue"),
            ("to", &run.service(to).url("/baggage?get=colour")),
        ],
    );
    let answer = run.get(from, &set, upstream)?;
    equal(
        "the item that the caller set",
        answer.body.as_str(),
        "deep blue",
    )?;
    run.trace(upstream, 3)?;

    let upstream = run.upstream();
    let mut headers = upstream.headers(run.fleet.kind.format);
    headers.push((
        "baggage".to_owned(),
        "tenant=caf%C3%A9;note=1, other=1".to_owned(),
    ));
    let answer = run.get_with(from, &run.call_to(to, "/baggage?get=tenant"), &headers)?;
    equal(
        "the item that the driver sent",
        answer.body.as_str(),
        "café",
    )?;
    run.trace(upstream, 3)?;
    Ok(())
}

/// Expects the tag and the log of an error.
pub(crate) fn failed(span: &Span) -> Check {
    tag(span, "error", true)?;
    let logged = span
        .logs
        .iter()
        .any(|log| log.field("event") == Some(&text("error")));
    holds(logged, || {
        format!(
            "{} ({}) should have a log with the event error",
            span.name, span.service
        )
    })
}

fn ends(path: &[Framework]) -> Check<(Framework, Framework)> {
    match path {
        [from, to] => Ok((*from, *to)),
        _ => Err(Failure("a pair has two ends".to_owned())),
    }
}
