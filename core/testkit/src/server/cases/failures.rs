//! Failures by the policy's rule, and messages of panics.

use std::sync::{Arc, Mutex};

use opentracing_http::{Outcome, Route, SemanticConvention};

use crate::app::{Gate, turn};
use crate::server::cases::outcomes::logged;
use crate::server::cases::{assert_tags, outcome, text, with_status};
use crate::server::{Feature, Kit, Server};

/// Which statuses are failures is decided by the policy's rule, from method, route and status. Tags of both conventions, the error
/// log and the finish callback go by it.
pub fn failures_go_by_the_rule_of_the_policy<S: Server>() {
    let template = S::CAPABILITIES.template("/play");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let called = Gate::default();
    let kit = {
        let (seen, called) = (seen.clone(), called.clone());
        Kit::<S>::setup()
            .policy(|policy| {
                policy
                    .convention(SemanticConvention::Both)
                    .failure_when(move |method, route, status| {
                        let expected = template.as_deref().map_or(Route::Unknown, Route::Template);
                        (method, route) == ("GET", expected) && status == 404
                    })
                    .on_finish(move |end| {
                        seen.lock()
                            .expect("no panic")
                            .push((end.status, end.is_failure));
                        called.arrive();
                    })
            })
            .play(with_status)
            .start()
    };
    for (requests, (method, status, fails)) in [
        ("GET", 404, true),
        ("POST", 404, false),
        ("GET", 503, false),
        ("GET", 200, false),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(
            kit.send(method, &format!("/play?{status}"), &[]).status,
            status
        );
        called.wait_for_arrivals(requests + 1);
        let span = kit.span();
        let last = seen.lock().expect("no panic").last().copied();
        assert_eq!(last, Some((Some(status), fails)), "{method} {status}");
        assert_eq!(outcome(&span), (Outcome::Completed, Some(status)));
        assert_eq!(
            (span.is_error(), span.logs().len()),
            (fails, usize::from(fails))
        );
        let kind = fails.then(|| status.to_string());
        assert_eq!(text(&span, "error.type"), kind);
        match fails {
            true => {
                assert_tags(&span, &[("error", true)]);
                assert_eq!(logged(&span, "error.kind"), kind);
            }
            false => assert_eq!(span.tag("error"), None),
        }
    }
}

/// The message of a handler's panic stands in the error log, if the policy asks for it. The client sees the same either way.
pub fn panic_message_is_logged_if_asked_for<S: Server>() {
    for asked in [false, true] {
        let kit = Kit::<S>::setup()
            .policy(|policy| match asked {
                true => policy.record_panic_messages(),
                false => policy,
            })
            .play(|query| {
                let query = query.to_owned();
                async move {
                    turn().await;
                    panic!("asked for by {query}")
                }
            })
            .start();
        let mut connection = kit.request("GET", "/play?me", &[]);
        let response = connection.response("GET");
        let panic = S::CAPABILITIES.panic();
        assert_eq!(response.map(|response| response.status), panic.answer());
        let span = kit.span();
        assert_eq!(outcome(&span), (Outcome::Panicked, panic.status()));
        assert_eq!(logged(&span, "error.kind").as_deref(), Some("panicked"));
        let known = asked && S::CAPABILITIES.has(Feature::PanicMessage);
        let message = logged(&span, "message");
        assert_eq!(message.as_deref(), known.then_some("asked for by me"));
    }
}
