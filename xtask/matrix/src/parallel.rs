//! Distributes work to a few threads.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// Calls a function with each item, `at_once` of them at the same time, and returns the results in the order in which
/// they were done.
pub(crate) fn each<T: Send, R: Send>(
    items: Vec<T>,
    at_once: usize,
    run: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let waiting = Mutex::new(items.into_iter());
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next()
    };
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(item) = next() {
                    let result = run(item);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}
