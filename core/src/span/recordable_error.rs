//! The errors that a span can record.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

/// An error that [`Span::record_error`](crate::Span::record_error) accepts: any type that implements [`Error`], `dyn Error`, and
/// boxed errors.
///
/// The compiler infers `Kind`, which differs between the two implementations. It is needed because `Box<dyn Error>` does not implement
/// [`Error`] but could in the future, so that a trait without `Kind` could not be implemented for both.
///
/// ```
/// use std::error::Error;
///
/// use opentracing_http::Span;
/// use opentracing_http::error::RecordableError;
///
/// /// Records an error of any kind, and returns it.
/// fn recorded<Kind, E: RecordableError<Kind>>(error: E) -> E {
///     Span::current().record_error(&error);
///     error
/// }
///
/// let plain = recorded(std::io::Error::other("disk full"));
/// let boxed: Box<dyn Error + Send + Sync> = recorded("no such order".into());
/// # let _ = (plain, boxed);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an error that a span can record",
    label = "does not implement `std::error::Error`",
    note = "for a pointer to an error, such as `anyhow::Error` or `Rc<dyn Error>`, write `&*error`; for other types log what is known: `span.log(((\"event\", \"error\"), (\"message\", text)))`"
)]
pub trait RecordableError<Kind> {
    /// Writes the error's message. See [`RecordableError`] for an example.
    #[doc(hidden)]
    fn message(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// Returns the error's source. See [`RecordableError`] for an example.
    #[doc(hidden)]
    fn cause(&self) -> Option<&(dyn Error + 'static)>;
}

/// The kind of the types that implement [`Error`].
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

/// The message of an error, for [`Display`](fmt::Display).
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
