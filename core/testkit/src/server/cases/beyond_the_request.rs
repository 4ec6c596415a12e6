//! What runs beside a request, and after it.

use std::sync::{Arc, Mutex};

use opentracing_http::{Span, Value};

use crate::app::{Gate, Reply, injected as inject, turn};
use crate::server::cases::outcomes::assert_whole;
use crate::server::cases::{assert_current, trace, traceparent};
use crate::server::{Feature, Kit, Server};

/// A task that a handler spawns has no current span of itself.
pub fn spawned_task_does_not_inherit_the_span<S: Server>() {
    let kit = Kit::<S>::playing(|_| spawn::<S>(|task| task));
    assert_eq!(kit.get("/play").text(), "none\n");
    let _ = kit.span();
}

/// A task that is spawned within the span's scope has it as its current span, at every poll.
pub fn span_is_carried_into_a_spawned_task<S: Server>() {
    let kit = Kit::<S>::playing(|_| spawn::<S>(|task| Box::pin(Span::current().scope(task))));
    let response = kit.get("/play");
    assert_current(&response, &kit.span());
}

/// Spawns a task that returns what it injects after some turns, and waits for it.
async fn spawn<S: Server>(
    carry: impl FnOnce(crate::server::Task) -> crate::server::Task + Send,
) -> Reply {
    let (told, gate) = (Arc::new(Mutex::new(String::new())), Gate::default());
    let task = {
        let (told, gate) = (told.clone(), gate.clone());
        async move {
            for _ in 0..3 {
                turn().await;
            }
            *told.lock().expect("no panic") = inject();
            gate.open();
        }
    };
    S::spawn(carry(Box::pin(task)));
    gate.wait().await;
    let told = told.lock().expect("no panic").clone();
    Reply::text(told)
}

/// Tells what is current when it is dropped.
struct OnDrop(Arc<Mutex<String>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.lock().expect("no panic").push_str(&inject());
    }
}

/// The request's span is current while a handler is dropped: one that is done, and one whose client has hung up.
pub fn span_is_current_while_the_handler_is_dropped<S: Server>() {
    let (told, gate) = (Arc::new(Mutex::new(String::new())), Gate::default());
    let kit = {
        let (told, gate) = (told.clone(), gate.clone());
        Kit::<S>::playing(move |query| {
            let (on_drop, gate) = (OnDrop(told.clone()), gate.clone());
            let waits = query == "wait";
            async move {
                if waits {
                    gate.wait().await;
                }
                drop(on_drop);
                Reply::text("")
            }
        })
    };
    let told = || std::mem::take(&mut *told.lock().expect("no panic"));
    kit.get_ok("/play");
    let done = traceparent(&kit.span());
    assert!(told().contains(&done));
    let connection = kit.request("GET", "/play?wait", &[]);
    gate.wait_for_arrivals(1);
    connection.hang_up();
    let hung_up = kit.span_of_hang_up("hang_up", S::CAPABILITIES.hang_up(), &gate);
    let hung_up = traceparent(&hung_up);
    let told = told();
    assert!(
        told.contains(&hung_up),
        "current while the handler was dropped: {told}, and not {hung_up}"
    );
}

/// The request's span is current while its body is dropped, also in the middle.
pub fn span_is_current_while_the_body_is_dropped<S: Server>() {
    if !S::CAPABILITIES.has(Feature::Streams) {
        return assert_whole::<S>();
    }
    let (told, gate) = (Arc::new(Mutex::new(String::new())), Gate::default());
    let kit = {
        let (told, gate) = (told.clone(), gate.clone());
        Kit::<S>::playing(move |_| {
            let (on_drop, gate) = (Arc::new(OnDrop(told.clone())), gate.clone());
            async move {
                Reply::stream(move |number| {
                    let (_on_drop, gate) = (on_drop.clone(), gate.clone());
                    async move {
                        if number > 0 {
                            gate.wait().await;
                            turn().await;
                        }
                        Some(Ok(b"chunk".to_vec()))
                    }
                })
            }
        })
    };
    let mut connection = kit.request("GET", "/play", &[]);
    assert!(connection.head().is_some() && connection.chunk().is_some());
    gate.wait_for_arrivals(1);
    connection.hang_up();
    gate.open();
    let expected = traceparent(&kit.span());
    let told = told.lock().expect("no panic").clone();
    assert!(
        told.contains(&expected),
        "current while the body was dropped: {told}, and not {expected}"
    );
}

/// Work that outlives its request goes on below it: its children are the request's, and what it calls is in the same trace.
pub fn spawned_work_outlives_its_request<S: Server>() {
    let (over, done) = (Gate::default(), Gate::default());
    let sent = Arc::new(Mutex::new(String::new()));
    let kit = {
        let (over, done, sent) = (over.clone(), done.clone(), sent.clone());
        Kit::<S>::playing(move |_| {
            let (over, done, sent) = (over.clone(), done.clone(), sent.clone());
            async move {
                let work = Span::current().scope(async move {
                    over.wait().await;
                    Span::current().child("late work").finish();
                    *sent.lock().expect("no panic") = inject();
                    done.arrive();
                });
                S::spawn(Box::pin(work));
                Reply::text("accepted").with_status(202)
            }
        })
    };
    assert_eq!(kit.get("/play").status, 202);
    let request = kit.span();
    over.open();
    done.wait_for_arrivals(1);
    let work = kit.span();
    assert_eq!(work.name(), "late work");
    assert_eq!(work.parent_id(), Some(request.context().span_id()));
    assert_eq!(trace(&work), trace(&request));
    assert!(work.start() >= request.end());
    let sent = sent.lock().expect("no panic").clone();
    assert!(sent.contains(&traceparent(&request)), "{sent}");
}

/// A handle that is used after its span's end changes nothing of the span, and its context goes on working.
pub fn handle_used_after_the_end_changes_nothing<S: Server>() {
    let kept = Arc::new(Mutex::new(Span::none()));
    let kit = {
        let kept = kept.clone();
        let setup = Kit::<S>::setup().late_changes(3).play(move |_| {
            let span = Span::current();
            span.set_tag("in time", true);
            *kept.lock().expect("no panic") = span;
            async { Reply::text("") }
        });
        setup.start()
    };
    kit.get_ok("/play");
    let request = kit.span();
    let handle = kept.lock().expect("no panic").clone();
    assert!(!handle.is_recording() && Span::current().is_none());
    let name = request.name().to_owned();
    handle.set_tag("too late", true);
    handle.set_name("too late");
    handle.log([opentracing_http::Tag::new("event", "too late")]);
    assert_eq!(request.tag("in time"), Some(Value::from(true)));
    assert_eq!(request.tag("too late"), None);
    assert_eq!((request.name(), request.logs().len()), (name.as_str(), 0));
    handle.child("child").finish();
    let child = kit.span();
    assert_eq!(child.parent_id(), Some(request.context().span_id()));
    assert_eq!(trace(&child), trace(&request));
}
