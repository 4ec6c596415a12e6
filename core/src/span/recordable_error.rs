//! What can be recorded as an error.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

/// What [`Span::record_error`](crate::Span::record_error) takes: everything that implements [`Error`], also as `dyn Error`,
/// and boxed errors.
///
/// `Kind` is found by the compiler: `Box<dyn Error>` does not implement [`Error`], and may do so one day, so that two
/// implementations of one trait could contradict each other.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that a span can record",
    label = "does not implement `std::error::Error`",
    note = "for a pointer to an error, such as `anyhow::Error` or `Rc<dyn Error>`, write `&*error`; for other types log what is known: `span.log(((\"event\", \"error\"), (\"message\", text)))`"
)]
pub trait RecordableError<Kind> {
    /// Writes the error's message.
    #[doc(hidden)]
    fn message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Returns what caused the error.
    #[doc(hidden)]
    fn cause(&self) -> Option<&(dyn Error + 'static)>;
}

/// The kind of what implements [`Error`].
#[derive(Debug)]
pub struct Plain;

/// The kind of boxed errors.
#[derive(Debug)]
pub struct Boxed;

#[diagnostic::do_not_recommend]
impl<E: Error + ?Sized> RecordableError<Plain> for E {
    fn message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.source()
    }
}

macro_rules! boxed {
    ($($error:ty)*) => {$(
        impl RecordableError<Boxed> for Box<$error> {
            fn message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }

            fn cause(&self) -> Option<&(dyn Error + 'static)> {
                (**self).source()
            }
        }
    )*};
}

boxed! {
    dyn Error + '_
    dyn Error + Send + '_
    dyn Error + Send + Sync + '_
}

/// The message of an error.
pub(crate) struct Message<'a, Kind, E: ?Sized>(&'a E, PhantomData<Kind>);

impl<'a, Kind, E: RecordableError<Kind> + ?Sized> Message<'a, Kind, E> {
    pub(crate) const fn of(error: &'a E) -> Self {
        Self(error, PhantomData)
    }
}

impl<Kind, E: RecordableError<Kind> + ?Sized> fmt::Display for Message<'_, Kind, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.message(f)
    }
}
