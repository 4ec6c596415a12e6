//! Which cases of the tracer contract hold through a real Jaeger.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use xtask_jaeger::Addresses;

use crate::filter::Filter;
use crate::real::contract::told;
use crate::real::{Loss, TRANSPORTS, Transport};

/// A case of the tracer contract over one transport, with its result.
#[derive(Debug)]
pub(crate) struct Through {
    pub(crate) transport: &'static Transport,
    pub(crate) case: &'static str,
    pub(crate) outcome: Outcome,
}

/// The result of a case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Holds,
    /// Jaeger itself loses what the case checks, for this reason.
    Lost(&'static str),
    /// It does not hold, for this reason, although it should.
    Fails(String),
}

impl Through {
    pub(crate) fn failure(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Fails(message) => Some(message),
            Outcome::Holds | Outcome::Lost(_) => None,
        }
    }
}

impl fmt::Display for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(self.transport, self.case))
    }
}

/// Returns the name of a case, for filters and output.
fn name(transport: &Transport, case: &str) -> String {
    format!("{} tracer {case}", transport.name)
}

/// Returns the cases that the filter selects, by transport; without transports that have none.
pub(crate) fn chosen(filter: &Filter) -> Vec<(&'static Transport, Vec<&'static str>)> {
    let of = |transport: &'static Transport| {
        let names = (transport.cases)().into_iter().map(|(case, _)| case);
        let taken: Vec<_> = names
            .filter(|case| filter.takes(&name(transport, case)))
            .collect();
        (!taken.is_empty()).then_some((transport, taken))
    };
    TRANSPORTS.iter().filter_map(of).collect()
}

/// Runs the cases of a transport in a separate process.
pub(crate) fn run(
    transport: &'static Transport,
    cases: &[&'static str],
    jaeger: &Addresses,
    logs: &Path,
) -> Result<Vec<Through>, String> {
    let problem = |error| format!("the cases of {}: {error}", transport.name);
    let log = logs.join(format!("{}-tracer.log", transport.name));
    let output = Command::new(env::current_exe().map_err(problem)?)
        .arg("--tracer-cases")
        .arg(transport.name)
        .args(cases)
        .envs(jaeger.variables())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stderr(File::create(&log).map_err(problem)?)
        .output()
        .map_err(problem)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let told: BTreeMap<_, _> = printed.lines().filter_map(told).collect();
    let through = cases.iter().map(|case| Through {
        transport,
        case,
        outcome: outcome(transport, case, told.get(case).copied()),
    });
    Ok(through.collect())
}

/// Returns the result of a case from the process' output; a case without output was not run.
fn outcome(transport: &Transport, case: &str, told: Option<Option<&str>>) -> Outcome {
    let message = match told {
        None => return Outcome::Fails("not run".to_owned()),
        Some(None) => return Outcome::Holds,
        Some(Some(message)) => message,
    };
    let is_it = |loss: &&Loss| loss.case == case && message.contains(loss.message);
    match transport.lost.iter().find(is_it) {
        Some(loss) => Outcome::Lost(loss.reason),
        None => Outcome::Fails(message.replace("\\n", " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TRANSPORT: Transport = Transport {
        name: "pigeon",
        about: "",
        variables: |_| Vec::new(),
        process_tags: &[],
        cases: Vec::new,
        lost: &[Loss {
            case: "feathers_arrive",
            message: "none came",
            reason: "It moults.",
        }],
    };

    #[test]
    fn a_case_that_was_not_run_fails() {
        let not_run = Outcome::Fails("not run".to_owned());
        assert_eq!(outcome(&TRANSPORT, "it_flies", None), not_run);
        assert_eq!(outcome(&TRANSPORT, "feathers_arrive", None), not_run);
    }

    #[test]
    fn a_case_that_fails_as_listed_is_lost_by_jaeger_and_any_other_fails() {
        let outcome_of = |line: &'static str| {
            let (case, message) = told(line).unwrap();
            outcome(&TRANSPORT, case, Some(message))
        };
        let lost = Outcome::Lost("It moults.");
        assert_eq!(outcome_of("case\tfeathers_arrive\tnone came: 0"), lost);
        let otherwise = Outcome::Fails("all were blue".to_owned());
        let told = "case\tfeathers_arrive\tall were blue";
        assert_eq!(outcome_of(told), otherwise);
        let other = Outcome::Fails("none came".to_owned());
        assert_eq!(outcome_of("case\tit_flies\tnone came"), other);
        assert_eq!(outcome_of("case\tfeathers_arrive"), Outcome::Holds);
    }

    #[test]
    fn losses_are_of_cases_that_there_are() {
        for transport in TRANSPORTS {
            let cases = (transport.cases)();
            for loss in transport.lost {
                assert!(cases.iter().any(|(case, _)| *case == loss.case), "{loss:?}");
            }
        }
    }
}
