//! What tracing costs a request, side by side in one run: `cargo xtask bench`.
//!
//! Each framework's application is called in its own process without sockets, so that what is added stands out. The
//! variants take turns, so that a machine that slows down slows all of them; the figures to read are the differences and
//! the ratios, not the times.

mod actix_web;
mod axum;
mod core;
mod measure;
mod rocket;
mod variant;
mod warp;

use clap::Parser;

use crate::measure::Bench;

/// Measures what tracing costs a request, in every framework.
#[derive(Parser)]
struct Arguments {
    /// Only groups whose name contains this text: core, axum, actix-web, warp, rocket.
    #[arg(long, default_value = "")]
    filter: String,
    /// How often the variants take turns; more rounds, steadier figures.
    #[arg(long, default_value_t = 40)]
    rounds: usize,
}

/// Makes a group's variants, when its turn has come.
type Benches = fn() -> Vec<Bench>;

fn main() {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        eprintln!("built without optimisation: these figures say nothing; use `cargo xtask bench`");
    }
    let groups: [(&str, Benches); 7] = [
        ("core", core::benches),
        ("axum", axum::benches),
        ("actix-web", actix_web::benches),
        ("warp, tower layer", warp::layer_benches),
        ("warp, traced filter", warp::filter_benches),
        ("rocket, fairing", rocket::fairing_benches),
        ("rocket, fairing and traced routes", rocket::route_benches),
    ];
    for (name, benches) in groups {
        if name.contains(&arguments.filter) {
            measure::compare(name, benches(), arguments.rounds);
        }
    }
}
