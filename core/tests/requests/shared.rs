//! A request's span that is stored beside the request, and joined through its handle.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use opentracing_http::server::SharedRequestSpan;

use super::*;

fn shared(harness: &Harness) -> SharedRequestSpan {
    SharedRequestSpan::new(harness.begin(&get("/", &[])))
}

#[test]
fn a_shared_span_is_current_between_enter_and_leave_on_any_thread() {
    let harness = defaults();
    let shared = shared(&harness);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let entered = shared.enter();
                Span::current().set_tag("entered", true);
                shared.leave(entered);
                assert!(Span::current().is_none());
            });
        }
    });
    assert!(shared.is_open());
    assert!(respond(shared.take().unwrap(), 200, BodySize::Empty).is_none());
    assert!(!shared.is_open() && shared.take().is_none());
    let span = harness.only();
    assert_eq!(tag(&span, "entered").as_deref(), Some("true"));
    assert_eq!(outcome(&span), Outcome::Completed);
}

#[test]
fn a_shared_span_that_is_dropped_cancels_and_by_a_panic_panics() {
    let harness = defaults();
    drop(shared(&harness));
    assert_eq!(outcome(&harness.only()), Outcome::Cancelled);

    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _kept = shared(&harness);
        panic!("as asked for");
    }));
    assert!(caught.is_err());
    assert_eq!(outcome(&harness.only()), Outcome::Panicked);
}

#[test]
fn a_panic_that_leaves_a_shared_scope_is_noted_while_the_request_is_open() {
    /// Leaves the scope while a panic unwinds.
    struct Leave<'s>(
        &'s SharedRequestSpan,
        Option<opentracing_http::server::RequestScope>,
    );
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            self.0.leave(self.1.take().unwrap());
        }
    }
    let harness = defaults();
    for taken in [false, true] {
        let shared = shared(&harness);
        let request = taken.then(|| shared.take().unwrap());
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let _leave = Leave(&shared, Some(shared.enter()));
            panic!("as asked for");
        }));
        assert!(caught.is_err());
        drop((request, shared));
        let expected = match taken {
            true => Outcome::Cancelled,
            false => Outcome::Panicked,
        };
        assert_eq!(outcome(&harness.only()), expected);
    }
}

#[test]
fn what_runs_with_a_shared_span_may_use_it() {
    let harness = defaults();
    let shared = shared(&harness);
    let with = shared.with(|request| {
        // The span was taken meanwhile.
        assert!(!shared.is_open());
        request.set_route(Route::Template("/{id}"));
    });
    assert!(with.is_some() && shared.is_open());
    drop(shared);
    assert_eq!(harness.only().name(), "GET /{id}");
}

#[test]
fn a_request_joined_by_its_handle_runs_in_scope_and_ends_nothing() {
    let harness = defaults();
    let inner =
        harness.mount(|mount_point| mount_point.attributes([Attribute::PATH]).name("inner"));
    let outer = shared(&harness);
    let mut joined = inner.join(outer.span(), &get("/", &[]));
    let mut request = get("/", &[]);
    assert!(!joined.leave_mark(request.extensions_mut()));
    joined.scope(|| Span::current().set_tag("inside", true));
    assert!(respond(joined, 500, BodySize::Unknown).is_none());
    assert!(harness.tracer.finished().is_empty());

    // A panic in the scope becomes the request's outcome.
    let mut joined = inner.join(outer.span(), &get("/", &[]));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        joined.scope(|| panic!("as asked for"));
    }));
    assert!(caught.is_err());
    drop(joined);
    drop(outer);
    let span = harness.only();
    assert_eq!((span.name(), outcome(&span)), ("inner", Outcome::Panicked));
    assert_eq!(tag(&span, "inside").as_deref(), Some("true"));
    assert_eq!(tag(&span, "path").as_deref(), Some("/"));
    assert_eq!(span.http().unwrap().status(), None);
}
