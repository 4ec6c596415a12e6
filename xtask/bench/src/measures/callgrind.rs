//! Reads what callgrind writes.

/// One dump of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dump {
    /// The number of the dump, from 1.
    pub(super) part: u32,
    /// The number of the thread, from 1, which is the main thread.
    pub(super) thread: u32,
    /// Instructions of this thread since the dump before.
    pub(super) instructions: u64,
}

/// Reads one file; `None` if it is not a dump of instructions.
///
/// Of the file's header four lines count, in any order: `part: 2`, `thread: 1`, `events: Ir` and, behind the costs of the
/// functions, `totals: 123` (`summary: 123` in the header, where a file has it).
pub(super) fn parse(text: &str) -> Option<Dump> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.strip_prefix(':').map(str::trim)
    };
    let events = field("events")?;
    let position = events.split_whitespace().position(|event| event == "Ir")?;
    let costs = field("totals").or_else(|| field("summary"))?;
    // Costs of zero at the end of a line are left out.
    let cost = costs.split_whitespace().nth(position).unwrap_or("0");
    Some(Dump {
        part: field("part")?.parse().ok()?,
        thread: field("thread")?.parse().ok()?,
        instructions: cost.parse().ok()?,
    })
}

/// Returns the instructions of the main thread in one part.
pub(super) fn main_thread(dumps: &[Dump], part: u32) -> Option<u64> {
    let mut dumps = dumps.iter();
    let dump = dumps.find(|dump| dump.part == part && dump.thread == 1)?;
    Some(dump.instructions)
}

/// Returns the instructions of all other threads together.
pub(super) fn other_threads(dumps: &[Dump]) -> u64 {
    let others = dumps.iter().filter(|dump| dump.thread != 1);
    others.map(|dump| dump.instructions).sum()
}

#[cfg(test)]
mod tests {
    use super::{Dump, main_thread, other_threads, parse};

    const TEXT: &str = "# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 4711
cmd:  ./bench instructions
part: 2
thread: 3

desc: I1 cache:
desc: Trigger: --dump-before=*mark*

positions: line
events: Ir
summary: 777

ob=(1) /usr/bin/x
fl=(1) ???
fn=(1) main
0 10
+3 20

totals: 12345
";

    #[test]
    fn part_thread_and_totals_are_read() {
        let dump = Dump {
            part: 2,
            thread: 3,
            instructions: 12345,
        };
        assert_eq!(parse(TEXT), Some(dump));
    }

    #[test]
    fn summary_counts_where_totals_are_missing() {
        let text = TEXT.replace("totals: 12345", "");
        assert_eq!(parse(&text).map(|dump| dump.instructions), Some(777));
    }

    #[test]
    fn column_of_instructions_is_found_by_name() {
        let text = TEXT.replace("events: Ir", "events: Dr Ir Dw");
        let text = text.replace("totals: 12345", "totals: 1 22 333");
        assert_eq!(parse(&text).map(|dump| dump.instructions), Some(22));
        let text = text.replace("totals: 1 22 333", "totals: 1");
        assert_eq!(parse(&text).map(|dump| dump.instructions), Some(0));
    }

    #[test]
    fn text_without_instructions_is_no_dump() {
        assert_eq!(parse(""), None);
        assert_eq!(parse(&TEXT.replace("events: Ir", "events: Dr")), None);
        assert_eq!(parse(&TEXT.replace("12345", "many")), None);
    }

    #[test]
    fn main_thread_has_parts_and_other_threads_are_added_up() {
        let dump = |part, thread, instructions| Dump {
            part,
            thread,
            instructions,
        };
        let dumps = [dump(2, 1, 5), dump(3, 2, 7), dump(3, 3, 1), dump(3, 1, 9)];
        assert_eq!(main_thread(&dumps, 2), Some(5));
        assert_eq!(main_thread(&dumps, 4), None);
        assert_eq!(other_threads(&dumps), 8);
    }
}
