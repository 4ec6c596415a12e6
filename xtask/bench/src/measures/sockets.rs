//! Requests per second over sockets, and the server's processor time.
//!
//! Each server is a process of its own, so that its processor time is not mixed with that of the load. All servers of a target
//! run at the same time, and are loaded in turn; the others wait meanwhile.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::load::load;
use super::{Plan, progress};
use crate::Problem;
use crate::apps::Target;
use crate::case::Case;
use crate::clocks::process_time;
use crate::machine::cores;
use crate::receivers::Addresses;
use crate::request::bytes;
use crate::results::{Measure, Results};

/// Options of a server's process.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    target: String,
    #[arg(long)]
    case: String,
    #[arg(long)]
    threads: usize,
    #[command(flatten)]
    addresses: Addresses,
}

/// Serves one case until its standard input ends. Prints the address, and for each line that it reads the processor time so
/// far in nanoseconds (0 where the system does not tell it) and the number of spans lost.
pub(crate) fn serve(arguments: &Arguments) -> Result<(), Problem> {
    let target = Target::named(&arguments.target)
        .ok_or_else(|| Problem(format!("no target {}", arguments.target)))?;
    let case = target.case(&arguments.case)?;
    let mounted = target.mount(case, &arguments.addresses);
    let tracing = mounted.tracing;
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let Ok(_) = line else { break };
            let time = process_time().unwrap_or_default().as_nanos();
            let lost = tracing.as_ref().map_or(0, |tracing| tracing.dropped());
            println!("{time} {lost}");
        }
        std::process::exit(0);
    });
    let ready = Box::new(|address: SocketAddr| println!("{address}"));
    mounted.app.serve(arguments.threads, ready);
    Ok(())
}

/// A server's process. It ends when this is dropped, or when this process ends.
struct Server {
    child: Child,
    address: SocketAddr,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Server {
    fn start(target: Target, case: Case, threads: usize, plan: &Plan) -> Result<Self, Problem> {
        let name = format!("the server {} {}", target.name(), case.name);
        let problem = |error: &dyn std::fmt::Display| Problem(format!("{name}: {error}"));
        let this = env::current_exe().map_err(|error| problem(&error))?;
        let mut child = Command::new(this)
            .args(["serve", "--target", target.name(), "--case", case.name])
            .arg(format!("--threads={threads}"))
            .args(plan.addresses.options())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| problem(&error))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(problem(&"it has no input or output"));
        };
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output
            .read_line(&mut line)
            .map_err(|error| problem(&error))?;
        let address = line.trim().parse().map_err(|error| problem(&error))?;
        Ok(Self {
            child,
            address,
            input,
            output,
        })
    }

    /// Returns its processor time so far, if the system tells it, and the number of spans it has lost.
    fn state(&mut self) -> Result<(Option<Duration>, u64), Problem> {
        let problem = |error: &dyn std::fmt::Display| Problem(format!("a server: {error}"));
        let mut line = String::new();
        self.input
            .write_all(b"\n")
            .and_then(|()| self.output.read_line(&mut line))
            .map_err(|error| problem(&error))?;
        let mut numbers = line.split_whitespace().map(|text| text.parse().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(time), Some(lost)) => Ok(((time > 0).then(|| Duration::from_nanos(time)), lost)),
            _ => Err(problem(&format_args!("unexpected {line:?}"))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Loads the servers of each target in turn, and adds a sample of each turn.
pub(crate) fn measure(plan: &Plan, results: &mut Results) -> Result<(), Problem> {
    let wanted = |target: Target, case: &Case| target.is_served() && case.is_main();
    for (target, cases) in plan.cases(Measure::RequestsOne, wanted) {
        progress(Measure::RequestsOne, target);
        for threads in [1, 2] {
            let servers = cases
                .iter()
                .map(|&case| Server::start(target, case, threads, plan));
            let mut servers: Vec<_> = servers.collect::<Result<_, _>>()?;
            let rounds = rounds(plan, target, &cases, &mut servers, threads, results);
            rounds.map_err(|problem| {
                Problem(format!("{} over sockets: {}", target.name(), problem.0))
            })?;
        }
    }
    Ok(())
}

fn rounds(
    plan: &Plan,
    target: Target,
    cases: &[Case],
    servers: &mut [Server],
    threads: usize,
    results: &mut Results,
) -> Result<(), Problem> {
    let (rounds, time) = match plan.few_samples {
        true => (3, Duration::from_millis(100)),
        false => (11, Duration::from_millis(250)),
    };
    let (requests, processor) = match threads {
        1 => (Measure::RequestsOne, Measure::ProcessorOne),
        _ => (Measure::RequestsTwo, Measure::ProcessorTwo),
    };
    // One more at the start, which warms up and is not counted.
    for round in 0..=rounds {
        for (case, server) in cases.iter().zip(&mut *servers) {
            let (before, _) = server.state()?;
            let (count, took) = load(server.address, &bytes(case.context), cores(), time)
                .map_err(|error| Problem(error.to_string()))?;
            // What the tracer's thread does a little later belongs to these requests, too.
            std::thread::sleep(Duration::from_millis(20));
            let (after, _) = server.state()?;
            if round == 0 || count == 0 {
                continue;
            }
            let rate = count as f64 / took.as_secs_f64();
            results.add(requests, target.name(), case.name, rate);
            if let (Some(before), Some(after)) = (before, after) {
                let sample = after.saturating_sub(before).as_nanos() as f64 / count as f64;
                results.add(processor, target.name(), case.name, sample);
            }
        }
    }
    for (case, server) in cases.iter().zip(servers) {
        let (_, lost) = server.state()?;
        if lost > 0 {
            results.notes.push(format!(
                "{} {} over sockets with {threads} threads lost {lost} spans, because its reporter was slower than the requests",
                target.name(),
                case.name
            ));
        }
    }
    Ok(())
}
