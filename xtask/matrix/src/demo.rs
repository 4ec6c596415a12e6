//! A real Jaeger and the four examples, with a little traffic, until they are stopped.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use xtask_collector::{Agent, SpanStore};
use xtask_jaeger::{Jaeger, Query};

use crate::cell::Shape;
use crate::compile;
use crate::fleet::{Fleet, FleetKind, Format, Receivers, Tracer};
use crate::framework::Framework;
use crate::http::{Http, with_query};
use crate::real::TRANSPORTS;
use crate::terminal;

/// Time between two requests.
const PAUSE: Duration = Duration::from_millis(500);

/// The requests to one service between two chains.
const PATHS: [&str; 6] = [
    "/shops/north/items/7",
    "/child",
    "/log",
    "/stream",
    "/slow?ms=120",
    "/error",
];

/// Runs until the process ends, or until a service cannot be reached.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let program = xtask_jaeger::find(root)?;
    let programs = compile::examples(root)?;
    let folder = root.join("target/jaeger");
    println!("starting {} …", program.display());
    let jaeger = Jaeger::start(&program, &folder)?;

    let transport = TRANSPORTS.first().ok_or("nothing reaches a real Jaeger")?;
    let kind = FleetKind {
        tracer: Tracer::Real(transport),
        format: Format::Default,
    };
    // Only tracers that are not used here need its address.
    let store = Arc::new(SpanStore::default());
    let agent = Agent::start(store.clone()).map_err(|error| format!("the collector: {error}"))?;
    let ends = Receivers {
        agent: agent.address(),
        store,
        jaeger: Some(*jaeger.addresses()),
    };
    let logs = folder.join("logs");
    fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    let fleet = Fleet::start(kind, &programs, &ends, &logs)?;

    println!("\n{}\n", jaeger.directions());
    terminal::addresses(&fleet);
    let query = Query::new(jaeger.addresses().query);
    println!("\nthe latest traces of each:");
    for framework in Framework::ALL {
        println!("  {}", query.page(&framework.package(), 20));
    }
    println!(
        "\nthe services call each other twice a second; Ctrl-C stops them all\nwhat they send: {}",
        transport.about
    );
    traffic(&fleet)
}

/// Calls the services in turn: a chain of all four, then a single one.
fn traffic(fleet: &Fleet) -> Result<(), String> {
    let http = Http::new();
    let chains = Shape::Chain.paths().into_iter().map(|path| {
        let to: Vec<_> = path
            .iter()
            .skip(1)
            .map(|framework| fleet.of(*framework).url(""))
            .collect();
        (
            path.first().copied(),
            with_query("/chain", &[("to", &to.join(","))]),
        )
    });
    let single = Framework::ALL
        .into_iter()
        .cycle()
        .zip(PATHS.into_iter().cycle());
    let single = single.map(|(framework, path)| (Some(framework), path.to_owned()));
    let requests = chains
        .collect::<Vec<_>>()
        .into_iter()
        .cycle()
        .zip(single)
        .flat_map(|(chain, single)| [chain, single]);
    for (framework, path) in requests {
        let url = framework.map(|framework| fleet.of(framework).url(&path));
        let url = url.unwrap_or_default();
        http.get(&url, &Vec::new())
            .map_err(|error| format!("GET {url}: {error}"))?;
        thread::sleep(PAUSE);
    }
    Ok(())
}
