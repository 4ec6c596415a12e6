//! An exporter that starts spans of its own policy does not cause spans without end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// An exporter that starts spans, as one with a traced HTTP client does.
struct Traced {
    policies: Arc<[OnceLock<HttpTracing>; 2]>,
    batches: Arc<AtomicU64>,
    seen: Arc<Mutex<Vec<String>>>,
}

fn work(policies: &[OnceLock<HttpTracing>; 2]) {
    for tracing in policies.iter().filter_map(OnceLock::get) {
        let span = tracing.span("export").start();
        assert!(!span.is_recording());
        span.child("call").finish();
        assert!(
            span.context()
                .is_some_and(|context| !context.flags().is_sampled())
        );
    }
}

impl Exporter for Traced {
    fn export(&mut self, batch: &[FinishedSpan]) -> Result<(), ExportError> {
        work(&self.policies);
        let names = batch.iter().map(|span| span.name().to_owned());
        self.seen.lock().unwrap().extend(names);
        match self.batches.fetch_add(1, Ordering::Relaxed) {
            0 => Err(ExportError::retry("busy").after(Duration::ZERO)),
            _ => Ok(()),
        }
    }

    fn shutdown(&mut self) {
        work(&self.policies);
    }
}

#[test]
fn spans_that_an_exporter_starts_are_not_recorded() {
    let policies: Arc<[OnceLock<HttpTracing>; 2]> = Arc::default();
    let (batches, seen) = (Arc::new(AtomicU64::new(0)), Arc::default());
    let reporter = {
        let on_error = policies.clone();
        Reporter::builder()
            .batch_interval(NEVER)
            .on_error(move |_| work(&on_error))
            .build(Traced {
                policies: policies.clone(),
                batches: batches.clone(),
                seen: Arc::clone(&seen),
            })
            .unwrap()
    };
    // Both policies have spans in the batch.
    let tracings = [0, 1].map(|_| HttpTracing::new(reporter.clone()));
    for (policy, tracing) in policies.iter().zip(&tracings) {
        let _ = policy.set(tracing.clone());
        tracing.span("work").start().finish();
    }
    for _ in 0..5 {
        assert!(reporter.flush(LONG).is_complete());
    }
    assert_eq!(batches.load(Ordering::Relaxed), 2, "one that was retried");
    assert_eq!(*seen.lock().unwrap(), ["work", "work", "work", "work"]);
    assert_eq!((reporter.queued_spans(), reporter.delivered()), (0, 2));
    assert!(reporter.shutdown(LONG).is_complete());
    assert_eq!(reporter.drops().total(), 0);
}
