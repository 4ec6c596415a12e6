//! The scenarios for each framework alone: the driver is both its caller and its callee.

use xtask_collector::{Span, Value};

use crate::arrivals::ARRIVAL;
use crate::cell::Scenario;
use crate::expect::{Check, Failure, equal, holds, lies_within, no_tag, tag, text};
use crate::fleet::Format;
use crate::framework::{Framework, Leaving};
use crate::http::{Leaver, with_query};
use crate::pairs::failed;
use crate::run::Run;
use crate::upstream::{CONTEXT_HEADERS, Headers, Upstream, header_names};

/// Number of scenarios, from the first, that run with every format.
pub(crate) const WITH_EVERY_FORMAT: usize = 1;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "writes",
        about: "An outgoing call has the headers of the chosen formats and no others, with the ids of its client span.",
        check: writes,
        stops: false,
    },
    Scenario {
        name: "reads w3c",
        about: "A traceparent header is the parent.",
        check: |run, path| reads(run, path, Format::W3c),
        stops: false,
    },
    Scenario {
        name: "reads jaeger",
        about: "An uber-trace-id header is the parent.",
        check: |run, path| reads(run, path, Format::Jaeger),
        stops: false,
    },
    Scenario {
        name: "reads b3",
        about: "A b3 header is the parent.",
        check: |run, path| reads(run, path, Format::B3),
        stops: false,
    },
    Scenario {
        name: "reads b3multi",
        about: "The X-B3 headers are the parent.",
        check: |run, path| reads(run, path, Format::B3Multi),
        stops: false,
    },
    Scenario {
        name: "malformed",
        about: "A malformed traceparent header is ignored, and the response is the same.",
        check: malformed,
        stops: false,
    },
    Scenario {
        name: "hang-up",
        about: "The client hangs up while the handler waits: the span ends once, when the framework ends the request.",
        check: |run, path| leaving(run, path, Left::HangsUp),
        stops: false,
    },
    Scenario {
        name: "reset",
        about: "The client resets the connection while the handler waits: the span ends once.",
        check: |run, path| leaving(run, path, Left::Resets),
        stops: false,
    },
    Scenario {
        name: "panic",
        about: "The client of a handler that panics gets the same response as without tracing.",
        check: panic,
        stops: false,
    },
    Scenario {
        name: "not found",
        about: "A request without a matching route is named after its method, and is not an error.",
        check: not_found,
        stops: false,
    },
    Scenario {
        name: "skipped",
        about: "A route that the policy skips works and is not reported.",
        check: skipped,
        stops: false,
    },
    Scenario {
        name: "child",
        about: "A span that is started in the handler is the request's child, with its tag.",
        check: child,
        stops: false,
    },
    Scenario {
        name: "log",
        about: "The handler's log arrives with its fields.",
        check: log,
        stops: false,
    },
    Scenario {
        name: "chosen",
        about: "The route with chosen attributes has them as tags; other routes do not.",
        check: chosen,
        stops: false,
    },
    Scenario {
        name: "stop",
        about: "A service that is stopped delivers the spans of its last request and ends with status 0.",
        check: stop,
        stops: true,
    },
];

fn writes(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let framework = only(path)?;
    let key = upstream.trace_id.to_string();
    run.get(
        framework,
        &with_query("/call", &[("to", &run.downstream.url(&key))]),
        upstream,
    )?;
    let headers = called(run, &key)?;

    let format = run.fleet.kind.format;
    let found: Vec<_> = CONTEXT_HEADERS
        .into_iter()
        .filter(|name| headers.iter().any(|(header, _)| header == name))
        .collect();
    equal(
        "the headers of the outgoing call",
        found.as_slice(),
        header_names(format),
    )?;
    let trace = run.trace(upstream, 2)?;
    let server = trace.child(upstream.span_id, "the server span")?;
    let call = trace.child(server.id, "the client span")?;
    let formats = match format {
        Format::Default => vec![Format::W3c, Format::Jaeger],
        other => vec![other],
    };
    for format in formats {
        let sent = Upstream {
            span_id: call.id,
            ..upstream
        };
        equal(
            format!("the context sent in {format}"),
            Upstream::read(&headers, format),
            Some(sent),
        )?;
    }
    Ok(())
}

fn reads(run: &Run<'_>, path: &[Framework], format: Format) -> Check {
    let upstream = run.upstream();
    let answer = run.get_with(only(path)?, "/", &upstream.headers(format))?;
    equal("the status", answer.status, 200)?;
    let trace = run.trace(upstream, 1)?;
    let span = trace.child(upstream.span_id, "the server span")?;
    equal("the name", span.name.as_str(), "GET /")
}

fn malformed(run: &Run<'_>, path: &[Framework]) -> Check {
    let framework = only(path)?;
    let upstream = Upstream::new(true);
    // A lenient number parser accepts a `+`.
    let header = format!(
        "00-{}-+{:015x}-01",
        upstream.trace_id,
        upstream.span_id >> 8
    );
    let item = format!("/shops/{}/items/1", upstream.trace_id);
    let answer = run.get_with(framework, &item, &vec![("traceparent".to_owned(), header)])?;
    equal("the status", answer.status, 200)?;

    let url = text(run.service(framework).url(&item));
    let found = run
        .fleet
        .arrivals
        .wait_for_tag(&framework.package(), "http.url", &url)?;
    let trace_id = found.ok_or_else(|| Failure("the request's span is missing".to_owned()))?;
    run.shows(trace_id);
    let trace = run.trace_of(trace_id, 1)?;
    trace.child(0, "the request's span")?;
    holds(trace_id != upstream.trace_id, || {
        "the malformed header's trace id was used".to_owned()
    })
}

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Left {
    HangsUp,
    Resets,
}

fn leaving(run: &Run<'_>, path: &[Framework], how: Left) -> Check {
    let upstream = run.upstream();
    let framework = only(path)?;
    // The handler calls the driver, which delays its response: so the driver knows that the handler waits.
    let key = upstream.trace_id.to_string();
    let (url, hold) = run.downstream.hold(&key);
    let request = with_query("/call", &[("to", &url)]);
    let broken = |error| Failure(format!("the client's connection: {error}"));
    let client = Leaver::send(
        run.address(framework),
        &request,
        &upstream.headers(Format::W3c),
    )
    .map_err(broken)?;
    called(run, &key)?;

    let expected = match how {
        Left::HangsUp => framework.on_hang_up(),
        Left::Resets => framework.on_reset(),
    };
    let client = match how {
        Left::HangsUp => {
            client.hang_up().map_err(broken)?;
            Some(client)
        }
        Left::Resets => {
            client.reset().map_err(broken)?;
            None
        }
    };
    match expected {
        // The spans arrive while the response is still delayed: the handler was dropped.
        Leaving::Cancels => {
            let trace = run.trace(upstream, 2)?;
            let server = trace.child(upstream.span_id, "the server span")?;
            drop(hold);
            tag(server, "http.outcome", "cancelled")?;
            no_tag(server, "http.status_code")?;
            failed(server)
        }
        Leaving::RunsOn { outcomes, closes } => {
            if closes {
                let answer = client
                    .map(Leaver::wait_for_close)
                    .transpose()
                    .map_err(broken)?;
                equal(
                    "what the client reads",
                    answer.unwrap_or_default().as_str(),
                    "",
                )?;
                drop(hold);
            } else {
                drop(hold);
                if let Some(client) = client {
                    // Until the server closes the connection, after its response.
                    let answer = client.wait_for_close().map_err(broken)?;
                    holds(answer.ends_with("answer"), || {
                        format!("the client should read the response: {answer:?}")
                    })?;
                }
            }
            let trace = run.trace(upstream, 2)?;
            let server = trace.child(upstream.span_id, "the server span")?;
            tag(server, "http.status_code", 200)?;
            let outcome = server.tag("http.outcome").map(ToString::to_string);
            holds(outcomes.contains(&outcome.as_deref()), || {
                format!("the outcome should be one of {outcomes:?} and is {outcome:?}")
            })
        }
    }
}

fn panic(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let framework = only(path)?;
    match framework.status_of_panic() {
        Some(status) => equal(
            "the status",
            run.get(framework, "/panic", upstream)?.status,
            status,
        )?,
        None => run.get_nothing(framework, "/panic", upstream)?,
    }
    let trace = run.trace(upstream, 1)?;
    tag(
        trace.child(upstream.span_id, "the server span")?,
        "http.outcome",
        "panicked",
    )
}

fn not_found(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let answer = run.get(only(path)?, "/no/such/route/17", upstream)?;
    equal("the status", answer.status, 404)?;
    let trace = run.trace(upstream, 1)?;
    let span = trace.child(upstream.span_id, "the server span")?;
    equal("the name", span.name.as_str(), "GET")?;
    tag(span, "http.status_code", 404)?;
    no_tag(span, "http.route")?;
    no_tag(span, "error")
}

fn skipped(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = Upstream::new(true);
    let answer = run.get(only(path)?, "/health", upstream)?;
    equal("the status", answer.status, 200)?;
    run.reported_nothing(upstream, path)
}

fn child(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let answer = run.get(only(path)?, "/child", upstream)?;
    equal("the body", answer.body.as_str(), "42")?;
    let trace = run.trace(upstream, 2)?;
    let server = trace.child(upstream.span_id, "the server span")?;
    let child = trace.child(server.id, "the handler's child")?;
    equal("the child's name", child.name.as_str(), "compute")?;
    tag(child, "answer", 42)?;
    lies_within(child, server)
}

fn log(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    run.get(only(path)?, "/log", upstream)?;
    let trace = run.trace(upstream, 1)?;
    let span = trace.child(upstream.span_id, "the server span")?;
    let [log] = span.logs.as_slice() else {
        return Err(Failure(format!("there should be one log: {:?}", span.logs)));
    };
    equal("the event", log.field("event"), Some(&text("priced")))?;
    equal("the second field", log.field("cart.items"), Some(&3.into()))?;
    let within = Some(log.micros) >= span.start_micros && Some(log.micros) <= span.end_micros();
    holds(within, || "the log should lie within its span".to_owned())
}

fn chosen(run: &Run<'_>, path: &[Framework]) -> Check {
    let framework = only(path)?;
    let ask = |path: &str| -> Check<(Upstream, Span)> {
        let upstream = run.upstream();
        let mut headers = upstream.headers(Format::W3c);
        headers.push(("x-request-id".to_owned(), "r-17".to_owned()));
        run.get_with(framework, path, &headers)?;
        let trace = run.trace(upstream, 1)?;
        Ok((
            upstream,
            trace.child(upstream.span_id, "the server span")?.clone(),
        ))
    };
    // A header may have several values: a format with lists sends a list.
    let values = [text("r-17"), Value::List(vec![text("r-17")])];
    let is_request_id = |span: &Span| span.tags.iter().any(|tag| values.contains(&tag.value));
    let (_, chosen) = ask("/chosen")?;
    holds(is_request_id(&chosen), || {
        format!("the request id should be a tag: {:?}", chosen.tags)
    })?;
    let (_, other) = ask("/")?;
    holds(!is_request_id(&other), || {
        "another route should not have the request id as a tag".to_owned()
    })
}

fn stop(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let framework = only(path)?;
    run.get(framework, "/child", upstream)?;
    run.service(framework).stop().map_err(Failure)?;
    run.trace(upstream, 2)?;
    Ok(())
}

/// Waits for the call of the driver's own service.
fn called(run: &Run<'_>, key: &str) -> Check<Headers> {
    run.downstream
        .wait_for_call(key, ARRIVAL)
        .ok_or_else(|| Failure("the outgoing call does not arrive".to_owned()))
}

fn only(path: &[Framework]) -> Check<Framework> {
    match path {
        [framework] => Ok(*framework),
        _ => Err(Failure("this is about one framework".to_owned())),
    }
}
