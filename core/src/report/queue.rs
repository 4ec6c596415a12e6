use std::collections::VecDeque;

/// Limits in items and bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) items: usize,
    pub(super) bytes: usize,
}

/// A first-in, first-out queue that is limited in items and bytes.
pub(super) struct Queue<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    bounds: Bounds,
}

impl<T> Queue<T> {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            bounds,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns `true` if it contains at least this much.
    pub(super) fn holds(&self, batch: Bounds) -> bool {
        self.items.len() >= batch.items || self.bytes >= batch.bytes
    }

    /// Adds an item with this size, or returns it if there is no room. `late` is the number of bytes by which the
    /// contained items have grown since they were added.
    pub(super) fn push(&mut self, item: T, size: usize, late: usize) -> Result<(), T> {
        let room = self
            .bounds
            .bytes
            .saturating_sub(self.bytes.saturating_add(late));
        if self.items.len() >= self.bounds.items || size > room {
            return Err(item);
        }
        self.items.push_back((item, size));
        self.bytes += size;
        Ok(())
    }

    /// Moves the oldest items into the empty `batch`: as many as the limits allow, and at least one.
    pub(super) fn take(&mut self, bounds: Bounds, batch: &mut Vec<T>) {
        let mut left = bounds.bytes;
        while let Some((_, size)) = self.items.front()
            && (batch.is_empty() || (batch.len() < bounds.items && *size <= left))
            && let Some((item, size)) = self.items.pop_front()
        {
            left = left.saturating_sub(size);
            self.bytes -= size;
            batch.push(item);
        }
    }

    /// Removes and returns all items.
    pub(super) fn clear(&mut self) -> VecDeque<(T, usize)> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOMY: Bounds = Bounds {
        items: 100,
        bytes: 1000,
    };

    fn filled(sizes: &[usize]) -> Queue<usize> {
        let mut queue = Queue::new(ROOMY);
        for (index, size) in sizes.iter().enumerate() {
            queue.push(index, *size, 0).unwrap();
        }
        queue
    }

    fn take(queue: &mut Queue<usize>, items: usize, bytes: usize) -> Vec<usize> {
        let mut batch = Vec::new();
        queue.take(Bounds { items, bytes }, &mut batch);
        batch
    }

    #[test]
    fn is_bounded_in_items() {
        let mut queue = Queue::new(Bounds {
            items: 2,
            bytes: 1000,
        });
        assert_eq!(
            [
                queue.push(0, 1, 0),
                queue.push(1, 1, 0),
                queue.push(2, 1, 0)
            ],
            [Ok(()), Ok(()), Err(2)]
        );
        assert_eq!((queue.len(), queue.bytes()), (2, 2));
    }

    #[test]
    fn is_bounded_in_bytes() {
        let mut queue = Queue::new(Bounds {
            items: 100,
            bytes: 10,
        });
        assert_eq!(
            [
                queue.push(0, 11, 0),
                queue.push(1, 6, 0),
                queue.push(2, 5, 0)
            ],
            [Err(0), Ok(()), Err(2)]
        );
        assert_eq!([queue.push(3, 4, 0), queue.push(4, 1, 0)], [Ok(()), Err(4)]);
        assert_eq!(queue.push(5, usize::MAX, 0), Err(5));
        assert_eq!(queue.bytes(), 10);
    }

    #[test]
    fn growth_of_items_takes_room() {
        let mut queue = Queue::new(Bounds {
            items: 100,
            bytes: 10,
        });
        assert_eq!([queue.push(0, 6, 0), queue.push(1, 2, 3)], [Ok(()), Err(1)]);
        assert_eq!(
            [queue.push(2, 2, 2), queue.push(3, 1, 99)],
            [Ok(()), Err(3)]
        );
    }

    #[test]
    fn room_comes_back_as_items_are_taken() {
        let mut queue = Queue::new(Bounds {
            items: 2,
            bytes: 10,
        });
        queue.push(0, 6, 0).unwrap();
        queue.push(1, 4, 0).unwrap();
        assert_eq!(take(&mut queue, 1, 100), [0]);
        assert_eq!(queue.bytes(), 4);
        queue.push(2, 6, 0).unwrap();
        assert_eq!(take(&mut queue, 9, 100), [1, 2]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn a_batch_keeps_to_both_bounds_and_has_at_least_one() {
        let mut queue = filled(&[3, 3, 3, 50, 1, 1]);
        assert_eq!(take(&mut queue, 10, 7), [0, 1]);
        assert_eq!(take(&mut queue, 10, 7), [2]);
        assert_eq!(take(&mut queue, 10, 7), [3]);
        assert_eq!(take(&mut queue, 1, 7), [4]);
        assert_eq!(take(&mut queue, 1, 7), [5]);
        assert_eq!(take(&mut queue, 1, 7), []);
    }

    #[test]
    fn holds_detects_a_full_batch() {
        let queue = filled(&[3, 3]);
        assert!(queue.holds(Bounds {
            items: 2,
            bytes: 100
        }));
        assert!(queue.holds(Bounds {
            items: 10,
            bytes: 6
        }));
        assert!(!queue.holds(Bounds { items: 3, bytes: 7 }));
    }

    #[test]
    fn gives_everything_out_at_once() {
        let mut queue = filled(&[3, 3]);
        assert_eq!(queue.clear(), [(0, 3), (1, 3)]);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }
}
