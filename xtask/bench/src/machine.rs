//! A general description of the machine, without its name.

use std::env::consts::{ARCH, OS};
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::results::Machine;

impl Machine {
    pub(crate) fn this() -> Self {
        let compiler = Command::new("rustc").arg("--version").output();
        let compiler = compiler
            .ok()
            .and_then(|output| String::from_utf8(output.stdout).ok());
        // "rustc 1.95.0 (59807616e 2026-04-14)"
        let compiler = compiler.unwrap_or_default();
        let compiler: Vec<_> = compiler.split_whitespace().take(2).collect();
        Self {
            date: today(),
            system: format!("{OS} on {ARCH}"),
            cores: cores(),
            compiler: compiler.join(" "),
            counter: None,
        }
    }
}

/// Returns how many threads can run at the same time.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    date(since.map_or(0, |since| since.as_secs() / 86_400))
}

/// Returns the date that lies so many days after 1970-01-01.
fn date(days: u64) -> String {
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let (mut year, mut days) = (1970, days);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn date_counts_leap_years() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(365), "1971-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(11_017), "2000-03-01");
        assert_eq!(date(20_819), "2027-01-01");
    }
}
