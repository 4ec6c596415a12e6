//! Changes through handles whose span has ended.

use crate::delivery::{Change, LateChange};
use crate::span::cell::SpanCell;
use crate::span::finished::FinishedSpan;
use crate::span::handle::Span;

impl Span {
    /// Counts a change, if the span is recorded and has ended; otherwise does nothing. Called when a change has had no effect, so
    /// that changes of open spans cost nothing more.
    ///
    /// Only the methods of handles call this. What adapters know of a request can come after its end, in a body whose span ended
    /// with the head, and is not a mistake of the application.
    #[cold]
    pub(super) fn note_late(&self, change: Change<'_>) {
        let is_late = |cell: &&SpanCell| cell.is_recorded() && !cell.is_open();
        if let Some(cell) = self.cell().filter(is_late) {
            let policy = cell.policy();
            policy.late_changes.note(&policy.diagnostics, || {
                LateChange::new(change, FinishedSpan::new(self.clone()).name())
            });
        }
    }
}
