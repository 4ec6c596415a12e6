//! Scopes that handlers enter themselves, and what other context systems see of all scopes.

use std::sync::{Arc, Mutex};

use opentracing_http::scope::ScopeHook;
use opentracing_http::{Span, SpanContext, SpanId, TraceFlags, TraceId};

use crate::app::{Reply, injected};
use crate::server::cases::{PARENT, TRACE, TRACEPARENT, UNSAMPLED, assert_current, parent};
use crate::server::{Feature, Kit, Server};

/// The id of the current span.
fn current() -> String {
    let context = Span::current().context();
    context.map_or_else(
        || "none".to_owned(),
        |context| context.span_id().to_string(),
    )
}

/// Guards bring back what was current before them, in whatever order they are dropped.
pub fn guards_bring_back_what_was_current<S: Server>() {
    let kit = Kit::<S>::playing(|_| {
        let request = Span::current();
        let (first, second) = (request.child("first"), request.child("second"));
        let ids = [&request, &first, &second].map(|span| span.context().map(|it| it.span_id()));
        let mut seen = vec![Span::current()];
        let outer = first.enter();
        seen.push(Span::current());
        let inner = second.enter();
        seen.push(Span::current());
        drop(inner);
        seen.push(Span::current());
        let inner = second.enter();
        drop(outer);
        seen.push(Span::current());
        drop(inner);
        seen.push(Span::current());
        let seen: Vec<_> = seen
            .iter()
            .map(|span| span.context().map(|it| it.span_id()))
            .collect();
        let seen = seen
            .iter()
            .map(|id| ids.iter().position(|known| known == id));
        let seen = format!("{:?}", seen.collect::<Option<Vec<_>>>());
        async { Reply::text(seen) }
    });
    assert_eq!(kit.get("/play").text(), "Some([0, 1, 2, 1, 2, 0])");
    let _ = kit.spans(3);
}

/// A guard that leaks ends with the scope that it was entered in: the rest of the request, and the next, do not see it.
pub fn leaked_guard_ends_with_its_request<S: Server>() {
    let kit = Kit::<S>::setup()
        .only_mount_points()
        .play(|query| {
            let leaks = query == "leak";
            async move {
                let before = current();
                if leaks {
                    let child = Span::current().child("child");
                    std::mem::forget(child.enter());
                }
                crate::app::turn().await;
                Reply::text(format!("{} {}", before == current(), current()))
            }
        })
        .start();
    for _ in 0..8 {
        let told = kit.get("/chosen?leak").text();
        let ended = told.starts_with("true ");
        assert!(
            ended || !S::CAPABILITIES.has(Feature::ScopePerPoll),
            "after the next poll the request's span is current again, not {told:?}"
        );
        let _ = kit.spans(2);
        let next = kit.get("/play").text();
        assert_eq!(next, "true none", "the next request sees what leaked");
    }
}

/// A guard that was left on a thread, by a task that held it across an await, takes over no request that begins there.
pub fn guard_left_behind_takes_no_request_over<S: Server>() {
    let left: Arc<Mutex<Option<Span>>> = Arc::default();
    let kit = {
        let (leaves, enters) = (left.clone(), left.clone());
        Kit::<S>::setup()
            // Asked of every request, recorded or not, before it has a scope.
            .policy(|policy| {
                policy.skip_when(move |_| {
                    if let Some(span) = &*enters.lock().expect("no panic") {
                        std::mem::forget(Box::leak(Box::new(span.clone())).enter());
                    }
                    false
                })
            })
            .play(move |query| {
                if query == "leave" {
                    let span = Span::current();
                    span.set_baggage_item("user", "ada");
                    *leaves.lock().expect("no panic") = Some(span);
                }
                async { Reply::text(injected()) }
            })
            .start()
    };
    let first = kit.get_with("/chosen?leave", &[("traceparent", UNSAMPLED)]);
    assert!(first.text().contains("baggage: user=ada"), "{first:?}");
    for _ in 0..8 {
        for headers in [&[("traceparent", TRACEPARENT)][..], &[]] {
            let response = kit.get_with("/chosen", headers);
            let span = kit.span();
            assert_current(&response, &span);
            assert_eq!(parent(&span).as_deref(), headers.first().map(|_| PARENT));
            assert!(!response.text().contains("user="), "{response:?}");
        }
    }
}

/// Hooks see every scope entered and left on its thread, in pairs, and give the parent where no span of ours is current.
pub fn scope_hooks_see_every_scope<S: Server>() {
    #[derive(Clone, Default)]
    struct Hook(Arc<Mutex<Vec<(bool, SpanId, std::thread::ThreadId)>>>);
    impl Hook {
        fn note(&self, enters: bool, span: &Span) {
            let id = span.context().expect("a context").span_id();
            let thread = std::thread::current().id();
            self.0.lock().expect("no panic").push((enters, id, thread));
        }
    }
    impl ScopeHook for Hook {
        fn enter(&self, span: &Span) {
            self.note(true, span);
        }

        fn exit(&self, span: &Span) {
            self.note(false, span);
        }

        fn ambient_parent(&self) -> Option<SpanContext> {
            let ids: (TraceId, SpanId) = (TRACE.parse().ok()?, SpanId::new(7)?);
            Some(SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED))
        }
    }
    let hook = Hook::default();
    let mut kit = {
        let hook = hook.clone();
        Kit::<S>::setup()
            .policy(|policy| policy.scope_hook(hook))
            .play(|_| async {
                let child = Span::current().child("child");
                child.scope(crate::app::turn()).await;
                Reply::text("")
            })
            .start()
    };
    kit.get_ok("/play");
    let spans = kit.spans(2);
    kit.tracing().span("elsewhere").start().finish();
    let elsewhere = kit.span();
    assert_eq!(elsewhere.context().trace_id().to_string(), TRACE);
    assert_eq!(elsewhere.parent_id(), SpanId::new(7));
    kit.stop();
    let seen = hook.0.lock().expect("no panic").clone();
    let mut open: Vec<(SpanId, std::thread::ThreadId)> = Vec::new();
    for (enters, id, thread) in &seen {
        if *enters {
            open.push((*id, *thread));
        } else {
            // On one thread scopes are left in the reverse order of entering.
            let last = open.iter().rposition(|(_, on)| on == thread);
            let last = last.expect("a scope that is left was entered");
            assert_eq!(open.remove(last).0, *id);
        }
    }
    assert!(open.is_empty(), "scopes that were not left: {open:?}");
    for span in &spans {
        let id = span.context().span_id();
        let entered = seen.iter().filter(|(enters, of, _)| *enters && *of == id);
        let entered = entered.count();
        // The child is polled twice; the request's call, polls, drop and body are scopes of theirs.
        let polls = if S::CAPABILITIES.has(Feature::ScopePerPoll) {
            2
        } else {
            1
        };
        assert!(
            entered >= polls,
            "{} was entered {entered} times",
            span.name()
        );
    }
}
