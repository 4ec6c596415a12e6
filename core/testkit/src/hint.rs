//! What a running case relies on, so that its failure names the capability to declare.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

thread_local! {
    /// What the case that runs on this thread has asked for, each once, in the order of asking.
    static ASKED: RefCell<Vec<Asked>> = const { RefCell::new(Vec::new()) };

    /// What finds out whether the application that the case has started is right by itself.
    static CHECK: Cell<Option<Check>> = const { Cell::new(None) };
}

/// A capability that a case has asked for, as it is written in Rust.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Something declared as available, and the declaration that it is not.
    Has {
        capability: String,
        otherwise: String,
    },
    /// Something declared as lacking.
    Lacks { capability: String },
}

impl Asked {
    /// A feature, which is there unless the list `lacks` names it.
    pub(crate) fn feature(feature: &dyn fmt::Debug, has: bool) -> Self {
        let capability = format!("Feature::{feature:?}");
        let otherwise = format!("lacks: &[({capability}, \"reason\")]");
        Self::declared(capability, otherwise, has)
    }

    /// Something that is there unless it is declared otherwise.
    fn declared(capability: String, otherwise: String, has: bool) -> Self {
        match has {
            true => Self::Has {
                capability,
                otherwise,
            },
            false => Self::Lacks { capability },
        }
    }

    /// A field with this value, which can have each of these.
    pub(crate) fn field<T: fmt::Debug + PartialEq>(name: &str, value: &T, all: &[T]) -> Self {
        let path = std::any::type_name::<T>();
        let kind = path.rsplit("::").next().unwrap_or(path);
        let others = all.iter().filter(|other| **other != *value);
        let others = others.map(|other| format!("{name}: {kind}::{other:?}"));
        Self::Has {
            capability: format!("{name}: {kind}::{value:?}"),
            otherwise: others.collect::<Vec<_>>().join("` or `"),
        }
    }

    /// A route of a service, which may be the reason why there is none.
    pub(crate) fn route(field: &str, has: bool) -> Self {
        let otherwise = format!("{field}: Err(\"reason\")");
        Self::declared(format!("ROUTES.{field}"), otherwise, has)
    }

    /// Something that a format of headers carries, or does not.
    pub(crate) fn carries(field: &str, has: bool) -> Self {
        let otherwise = format!("{field}: false");
        Self::declared(format!("Carries::{field}"), otherwise, has)
    }

    /// Notes that the running case depends on it.
    pub(crate) fn note(self) {
        ASKED.with_borrow_mut(|asked| {
            if !asked.contains(&self) {
                asked.push(self);
            }
        });
    }
}

impl Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Has {
                capability,
                otherwise,
            } => write!(f, "relies on `{capability}`, or else declare `{otherwise}`"),
            Self::Lacks { capability } => {
                write!(
                    f,
                    "asserts what happens without `{capability}`, as declared"
                )
            }
        }
    }
}

/// Returns what is wrong with an application.
pub(crate) type Check = fn() -> Arc<[String]>;

/// Has an application checked if the running case fails: what is wrong with it is no fault of the adapter's.
pub(crate) fn check_on_failure(check: Check) {
    CHECK.set(Some(check));
}

/// Undoes it.
pub(crate) fn check_nothing_on_failure() {
    CHECK.take();
}

/// Runs a case. If it panics, one line that begins with `hint: ` is printed and added to the panic's message: it names the
/// capabilities that the case relies on, and how to declare that they are lacking; or, if the application under test is
/// wrong without any tracing, what is wrong with it.
///
/// The tests that the contracts' macros make call their cases like this.
///
/// # Panics
///
/// If the case does.
///
/// ```
/// use opentracing_testkit::{propagation, run};
///
/// run(|| propagation::cases::round_trips_a_root_context(&propagation::w3c()));
/// ```
pub fn run(case: impl FnOnce()) {
    // What an earlier case has left on this thread.
    ASKED.take();
    CHECK.take();
    let Err(panic) = catch_unwind(AssertUnwindSafe(case)) else {
        return;
    };
    let asked = ASKED.take();
    let problems = CHECK.take().map(|check| check());
    let hint = match problems.as_deref() {
        None | Some([]) => hint(&asked),
        Some(problems) => Some(format!(
            "hint: the application is wrong, also when nothing is traced: {}",
            problems.join("; ")
        )),
    };
    match (hint, message(&*panic)) {
        (Some(hint), Some(message)) => {
            eprintln!("{hint}");
            resume_unwind(Box::new(format!("{message}\n{hint}")))
        }
        _ => resume_unwind(panic),
    }
}

/// The line that names all that was asked for, the last first: it is the most likely cause.
fn hint(asked: &[Asked]) -> Option<String> {
    let parts: Vec<_> = asked.iter().rev().map(ToString::to_string).collect();
    (!parts.is_empty()).then(|| format!("hint: this case {}", parts.join("; it ")))
}

pub(crate) fn message(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Capabilities, Feature, HangUp};

    fn failure(case: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(|| run(case))).expect_err("the case fails");
        message(&*panic).expect("a text").to_owned()
    }

    #[test]
    fn failing_case_names_the_feature_and_how_its_lack_is_declared() {
        let failure = failure(|| {
            assert!(Capabilities::ALL.has(Feature::Trailers));
            panic!("no trailer");
        });
        assert_eq!(
            failure,
            "no trailer\nhint: this case relies on `Feature::Trailers`, or else declare \
             `lacks: &[(Feature::Trailers, \"reason\")]`"
        );
    }

    #[test]
    fn failing_case_names_the_last_capability_first_and_each_once() {
        let failure = failure(|| {
            let capabilities = Capabilities {
                lacks: &[(Feature::Peer, "There is none.")],
                ..Capabilities::ALL
            };
            assert!(!capabilities.has(Feature::Peer) && !capabilities.has(Feature::Peer));
            assert_eq!(capabilities.hang_up(), HangUp::Cancels);
            panic!("it runs on");
        });
        assert_eq!(
            failure,
            "it runs on\nhint: this case relies on `hang_up: HangUp::Cancels`, or else declare \
             `hang_up: HangUp::RunsOn`; it asserts what happens without `Feature::Peer`, as declared"
        );
    }

    #[test]
    fn failing_case_that_asks_for_nothing_keeps_its_panic() {
        assert!(Capabilities::ALL.has(Feature::Peer));
        assert_eq!(failure(|| panic!("as it is")), "as it is");
    }
}
