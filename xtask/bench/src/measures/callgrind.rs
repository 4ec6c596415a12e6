//! Parses callgrind's output.

/// What was counted of one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dump {
    /// The number of the thread, from 1, which is the main thread.
    pub(super) thread: u32,
    pub(super) instructions: u64,
}

/// Reads one file; `None` if it is not a dump of instructions.
///
/// Three lines count, in any order: `thread: 1`, `events: Ir` and, behind the costs of the functions, `totals: 123` (`summary:
/// 123` before them, where a file has that alone).
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
        thread: field("thread")?.parse().ok()?,
        instructions: cost.parse().ok()?,
    })
}

/// Returns the instructions of the main thread, and those of all other threads together.
pub(super) fn threads(dumps: &[Dump]) -> (u64, u64) {
    let sum = |is_main: bool| {
        let dumps = dumps.iter().filter(|dump| (dump.thread == 1) == is_main);
        dumps.map(|dump| dump.instructions).sum()
    };
    (sum(true), sum(false))
}

#[cfg(test)]
mod tests {
    use super::{Dump, parse, threads};

    const TEXT: &str = "# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 4711
cmd:  ./bench instructions
part: 2
thread: 3

desc: I1 cache:
desc: Trigger: Program termination

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
    fn thread_and_totals_are_read() {
        let dump = Dump {
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
    fn other_threads_are_added_up() {
        let dump = |thread, instructions| Dump {
            thread,
            instructions,
        };
        let dumps = [dump(1, 5), dump(2, 7), dump(3, 1)];
        assert_eq!(threads(&dumps), (5, 8));
        assert_eq!(threads(&[]), (0, 0));
    }
}
