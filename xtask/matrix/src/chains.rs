//! The scenarios for chains of all four frameworks.

use crate::cell::Scenario;
use crate::expect::{Check, Failure, equal, lies_within, tag};
use crate::framework::Framework;
use crate::http::with_query;
use crate::run::Run;

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario {
    name: "chain",
    about: "Each service calls the next: one trace of seven spans; every server span is the child of the call before it.",
    check: chain,
    stops: false,
}];

fn chain(run: &Run<'_>, path: &[Framework]) -> Check {
    let upstream = run.upstream();
    let (first, rest) = path
        .split_first()
        .ok_or_else(|| Failure("a chain has a first".to_owned()))?;
    let rest: Vec<_> = rest
        .iter()
        .map(|framework| run.service(*framework).url(""))
        .collect();
    let answer = run.get(
        *first,
        &with_query("/chain", &[("to", &rest.join(","))]),
        upstream,
    )?;
    equal("the status", answer.status, 200)?;

    let trace = run.trace(upstream, path.len() * 2 - 1)?;
    let mut parent_id = upstream.span_id;
    for (hop, framework) in path.iter().enumerate() {
        let server = trace.child(parent_id, &format!("the server span of {framework}"))?;
        let is_last = hop + 1 == path.len();
        equal("the service", server.service.as_str(), &framework.package())?;
        equal(
            "the name",
            server.name.as_str(),
            if is_last { "GET /" } else { "GET /chain" },
        )?;
        tag(server, "span.kind", "server")?;
        tag(server, "component", framework.name())?;
        tag(server, "http.status_code", 200)?;
        if !is_last {
            let call = trace.child(server.id, &format!("the call of {framework}"))?;
            equal(
                "the call's service",
                call.service.as_str(),
                &framework.package(),
            )?;
            tag(call, "span.kind", "client")?;
            lies_within(call, server)?;
            parent_id = call.id;
        }
    }
    Ok(())
}
