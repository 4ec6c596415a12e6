//! Variants that take turns.

use std::time::{Duration, Instant};

/// One variant: runs its work so many times.
pub(crate) struct Bench {
    name: String,
    run: Box<dyn FnMut(u32)>,
}

impl Bench {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut(u32) + 'static) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
        }
    }
}

/// The name of the variant that the others are held against.
pub(crate) const BARE: &str = "bare";

/// Long against the clock's resolution, short against the machine's moods.
const BATCH: Duration = Duration::from_millis(5);

/// Lets the variants take turns, and prints the median time of each, and how it stands to the first, if that is the bare
/// framework.
pub(crate) fn compare(group: &str, mut benches: Vec<Bench>, rounds: usize) {
    println!("\n{group}");
    let batches: Vec<u32> = benches.iter_mut().map(batch_size).collect();
    let mut times = vec![Vec::with_capacity(rounds); benches.len()];
    for _ in 0..rounds {
        for ((bench, batch), times) in benches.iter_mut().zip(&batches).zip(&mut times) {
            let start = Instant::now();
            (bench.run)(*batch);
            times.push(start.elapsed().as_nanos() as f64 / f64::from(*batch));
        }
    }
    let medians: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
    let bare = benches.first().is_some_and(|bench| bench.name == BARE);
    let first = medians.first().filter(|_| bare);
    for (bench, median) in benches.iter().zip(&medians) {
        let Some(first) = first else {
            println!("  {:<34} {median:>9.0} ns", bench.name);
            continue;
        };
        println!(
            "  {:<34} {median:>9.0} ns  {:>+9.0} ns  × {:.2}",
            bench.name,
            median - first,
            median / first
        );
    }
}

/// How often to run it for one batch; warms it up on the way.
fn batch_size(bench: &mut Bench) -> u32 {
    let mut batch = 1;
    loop {
        let start = Instant::now();
        (bench.run)(batch);
        if start.elapsed() >= BATCH || batch >= 1 << 24 {
            return batch;
        }
        batch *= 2;
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
