//! A pool of cells that are used again for other spans.
//!
//! Each thread keeps a few cells. Cells beyond that go to a stock that all threads share, from which a thread takes cells when it
//! has none. The stock is needed because the last handle of a recorded span is usually dropped by a tracer, often on another
//! thread than the one that starts the next span.
//!
//! A cell comes here, cleared, when its last handle is dropped. It still belongs to its policy, so that the next span of the same
//! policy, the usual case, need not change a reference count that all threads share. When a policy ends, its cells are freed on
//! all threads, so that none of them keeps a tracer alive.

use std::cell::OnceCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::span::cell::SpanCell;
use crate::span::handle::Span;
use crate::span::policy::Policy;

/// The number of cells with a record that a thread keeps, and of those without one.
const OF_A_THREAD: usize = 64;

/// A list of cells that was not used for this long is freed, after twice this time at the latest.
const UNUSED: Duration = Duration::from_secs(10);

/// The number of cells that move between a thread and the stock at a time.
const BATCH: usize = 32;

/// The number of cells with a record that the stock holds by default.
pub(crate) const DEFAULT_STOCK: usize = 2048;

/// The part of the pool that all threads share.
struct Pool {
    /// Cells with a record.
    stock: Mutex<Cells>,
    /// The lists of all threads.
    shelves: Mutex<Vec<Arc<Shelf>>>,
    /// The time when unused cells were last freed.
    trimmed: Mutex<Option<Instant>>,
}

/// The cells of one thread. Other threads use it only when a policy ends, and from time to time to free unused cells.
#[derive(Default)]
struct Shelf {
    /// Cells without a record, for spans that are not recorded.
    light: Mutex<Cells>,
    /// Cells with a record.
    full: Mutex<Cells>,
}

#[derive(Default)]
struct Cells {
    cells: Vec<Arc<SpanCell>>,
    /// Whether a cell was taken since the last [`trim`] that was due.
    is_used: bool,
}

static POOL: Pool = Pool {
    stock: Mutex::new(Cells {
        cells: Vec::new(),
        is_used: false,
    }),
    shelves: Mutex::new(Vec::new()),
    trimmed: Mutex::new(None),
};

thread_local! {
    static SHELF: OnceCell<Registered> = const { OnceCell::new() };
}

/// A thread's cells, registered in the pool. When the thread ends, they are freed and removed from the pool.
struct Registered(Arc<Shelf>);

impl Drop for Registered {
    fn drop(&mut self) {
        let Self(shelf) = self;
        shelf.each_list(&|cells| cells.free(|_| true));
        lock(&POOL.shelves).retain(|other| !Arc::ptr_eq(other, shelf));
    }
}

/// Starts a span and returns its handle. `fill` prepares the cell before there is a handle to it.
///
/// `with_record` is `true` if a cell with a record is preferred. `fill` may add a record in both cases.
pub(super) fn start(
    policy: &Arc<Policy>,
    with_record: bool,
    fill: impl FnOnce(&mut SpanCell),
) -> Span {
    let pooled = match policy.pooled_spans {
        0 => None,
        _ => take(policy, with_record),
    };
    let mut cell = pooled.unwrap_or_else(|| Arc::new(SpanCell::new(policy.clone())));
    // Always `Some`: no other handle points to a cell that is new or comes out of the pool.
    if let Some(cell) = Arc::get_mut(&mut cell) {
        fill(cell);
    }
    Span::of(cell)
}

/// Takes a cell out of this thread's list, or one with a record out of the stock.
fn take(policy: &Arc<Policy>, with_record: bool) -> Option<Arc<SpanCell>> {
    let taken = SHELF.try_with(|shelf| {
        let Registered(shelf) = shelf.get_or_init(Shelf::register);
        let mut cells = lock(shelf.cells(with_record));
        if let Some(cell) = cells.take(policy) {
            return Some(cell);
        }
        drop(cells);
        match with_record {
            true => shelf.refill(policy),
            false => None,
        }
    });
    taken.ok().flatten()
}

/// Puts the cell of a dropped handle into the pool, if that was the last handle.
pub(super) fn give_back(mut cell: Arc<SpanCell>) {
    if Arc::strong_count(&cell) == 1
        && let Some(own) = Arc::get_mut(&mut cell)
        && own.policy().pooled_spans > 0
    {
        own.clear();
        let has_record = own.has_record();
        let mut unwanted = Some(cell);
        let _ = SHELF.try_with(|shelf| {
            let Registered(shelf) = shelf.get_or_init(Shelf::register);
            let mut cells = lock(shelf.cells(has_record));
            if let Some(cell) = unwanted.take_if(|cell| !cell.policy().has_ended()) {
                cells.cells.push(cell);
            }
            if cells.cells.len() > OF_A_THREAD {
                drop(cells);
                shelf.unload(has_record);
            }
        });
    }
}

impl Shelf {
    fn register() -> Registered {
        let shelf = Arc::new(Self::default());
        lock(&POOL.shelves).push(Arc::clone(&shelf));
        Registered(shelf)
    }

    fn each_list(&self, change: &impl Fn(&mut Cells)) {
        change(&mut lock(&self.light));
        change(&mut lock(&self.full));
    }

    fn cells(&self, with_record: bool) -> &Mutex<Cells> {
        match with_record {
            true => &self.full,
            false => &self.light,
        }
    }

    /// Moves cells from the stock to this thread, and returns one of them.
    #[cold]
    fn refill(&self, policy: &Arc<Policy>) -> Option<Arc<SpanCell>> {
        // Both locks are held at once, the stock's first, so that a policy that ends finds each cell in one of the two lists.
        let mut stock = lock(&POOL.stock);
        let cell = stock.take(policy)?;
        let left = stock.cells.len();
        let moved = stock.cells.drain(left.saturating_sub(BATCH - 1)..);
        lock(&self.full).cells.extend(moved);
        Some(cell)
    }

    /// Moves the cells beyond [`BATCH`] to the stock, as far as it has room, and frees the rest.
    #[cold]
    fn unload(&self, with_record: bool) {
        let mut freed = Vec::new();
        let mut stock = lock(&POOL.stock);
        let mut cells = lock(self.cells(with_record));
        let kept = cells.cells.len().saturating_sub(BATCH);
        for cell in cells.cells.drain(kept..) {
            let policy = cell.policy();
            let has_room = with_record && stock.cells.len() < policy.pooled_spans;
            if has_room && !policy.has_ended() {
                stock.cells.push(cell);
            } else {
                freed.push(cell);
            }
        }
        drop(stock);
        drop(freed);
    }
}

/// Cells are freed, and change their policy, only while their list is locked. A policy that ends locks each list in turn, while its
/// last handle still exists. So a cell in a list never holds the last reference to its policy, and when the policy has ended, no list
/// has a cell of it.
impl Cells {
    /// Takes a cell out, and assigns it to this policy.
    fn take(&mut self, policy: &Arc<Policy>) -> Option<Arc<SpanCell>> {
        self.is_used = true;
        let mut cell = self.cells.pop()?;
        let former = Arc::get_mut(&mut cell).and_then(|cell| cell.adopt(policy));
        drop(former);
        Some(cell)
    }

    /// Frees the cells for which `is_freed` returns `true`.
    fn free(&mut self, is_freed: impl Fn(&SpanCell) -> bool) {
        self.cells.retain(|cell| !is_freed(cell));
        self.cells.shrink_to(OF_A_THREAD);
    }

    /// Frees all cells, if none was taken since the last call.
    fn free_unused(&mut self) {
        if !std::mem::take(&mut self.is_used) {
            self.cells = Vec::new();
        }
    }
}

/// Frees the cells of a policy that has ended, on all threads. Cells in use are freed when their last handle is dropped.
pub(crate) fn end(policy: &Policy) {
    policy.set_ended();
    each_list(|cells| cells.free(|cell| std::ptr::eq(&**cell.policy(), policy)));
}

/// Frees the lists of cells that were not used since the last time. Does nothing if that was less than [`UNUSED`] ago. The threads of
/// reporters call this from time to time.
pub(crate) fn trim(now: Instant) {
    let mut trimmed = lock(&POOL.trimmed);
    let is_due = |last| now.saturating_duration_since(last) >= UNUSED;
    if trimmed.is_none_or(is_due) {
        *trimmed = Some(now);
        drop(trimmed);
        each_list(Cells::free_unused);
    }
}

fn each_list(change: impl Fn(&mut Cells)) {
    change(&mut lock(&POOL.stock));
    let shelves = lock(&POOL.shelves).clone();
    shelves.iter().for_each(|shelf| shelf.each_list(&change));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::tracer::Tracer;
    use crate::tag::SpanKind;
    use crate::tracer::NoopTracer;

    fn on_this_thread() -> [usize; 2] {
        SHELF.with(|shelf| {
            let Registered(shelf) = shelf.get_or_init(Shelf::register);
            [&shelf.light, &shelf.full].map(|cells| lock(cells).cells.len())
        })
    }

    // One test, because the stock is one for all threads.
    #[test]
    fn cells_move_between_threads_and_are_freed_when_they_are_not_used() {
        what_a_thread_has_too_much_of_goes_to_the_others();
        what_no_span_was_started_with_since_the_last_time_is_freed();
    }

    fn what_no_span_was_started_with_since_the_last_time_is_freed() {
        let policy = Arc::new(Policy::new(Arc::new(NoopTracer) as Arc<dyn Tracer>));
        let some = |with_record: bool| {
            let spans: Vec<_> = (0..10)
                .map(|_| {
                    start(&policy, with_record, |cell| {
                        if with_record {
                            cell.record().kind = SpanKind::Client;
                        }
                    })
                })
                .collect();
            drop(spans);
        };
        some(false);
        some(true);
        assert_eq!(on_this_thread(), [10, 10]);
        // In use since they were there.
        let mut now = Instant::now() + UNUSED;
        trim(now);
        assert_eq!(on_this_thread(), [10, 10]);
        some(true);
        trim(now + UNUSED / 2);
        assert_eq!(on_this_thread(), [10, 10]);
        now += UNUSED;
        trim(now);
        assert_eq!(on_this_thread(), [0, 10]);
        trim(now + UNUSED);
        assert_eq!(on_this_thread(), [0, 0]);
        some(true);
        assert_eq!(on_this_thread(), [0, 10]);
        end(&policy);
        assert_eq!(on_this_thread(), [0, 0]);
        some(true);
        assert_eq!(on_this_thread(), [0, 0]);
    }

    fn what_a_thread_has_too_much_of_goes_to_the_others() {
        let policy = Arc::new(Policy::new(Arc::new(NoopTracer) as Arc<dyn Tracer>));
        let spans: Vec<_> = (0..OF_A_THREAD + 1)
            .map(|_| start(&policy, true, |cell| cell.record().kind = SpanKind::Client))
            .collect();
        drop(spans);
        assert_eq!(on_this_thread(), [0, OF_A_THREAD + 1 - BATCH]);
        let moved = || {
            let ours = |cell: &&Arc<SpanCell>| Arc::ptr_eq(cell.policy(), &policy);
            lock(&POOL.stock).cells.iter().filter(ours).count()
        };
        assert_eq!(moved(), BATCH);
        let policy_there = Arc::clone(&policy);
        let there = std::thread::spawn(move || {
            let span = start(&policy_there, true, |_| ());
            let there = on_this_thread();
            drop(span);
            there
        });
        assert_eq!(there.join().ok(), Some([0, BATCH - 1]));
        end(&policy);
        assert_eq!(moved(), 0);
        assert_eq!(Arc::strong_count(&policy), 1);
    }
}
