//! What Flask-OpenTracing promises, and where this is asserted.

/// A promise of Flask-OpenTracing's README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// What is promised.
    pub promise: &'static str,
    /// In which way Flask-OpenTracing does not keep it; empty if it does.
    pub broken: &'static str,
    /// The cases that assert it, of the contracts of [servers](super::CASES) and of the [policy](crate::policy::CASES).
    pub cases: &'static [&'static str],
}

macro_rules! promises {
    ($($promise:literal $(but $broken:literal)? => [$($case:ident)*])*) => {
        /// Every promise of Flask-OpenTracing's README, with the cases that assert it.
        pub const FLASK_PROMISES: &[Promise] = &[$(Promise {
            promise: $promise,
            broken: concat!($($broken)?),
            cases: &[$(stringify!($case)),*],
        }),*];
    };
}

promises! {
    "`FlaskTracer(tracer, True, app)` traces every request, whatever its route"
        => [tags_kind_component_method_url_and_status]
    "`@tracer.trace()` traces the decorated route, and no other"
        => [single_routes_can_be_traced_alone]
    "A decorated view can return what any view can"
        but "a view that returned a string was answered with 500, and its span stayed active for the next request"
        => [single_route_is_traced_whatever_it_returns]
    "Any number of attributes of the request, by their names as text, become tags of all requests"
        but "attributes of the response could not be had"
        => [
            attributes_are_chosen_by_name
            response_headers_can_be_attributes
            path_parameters_can_be_attributes
        ]
    "`@tracer.trace(\"url\", …)` chooses the attributes of one route"
        but "the list was ignored where all requests were traced"
        => [stacked_twice_makes_one_span route_scope_and_app_make_one_span]
    "`get_span(request)` and `get_span()` return the request's span in its handler"
        => [extractor_gives_the_active_span handler_sees_the_active_span]
    "`get_span()` returns a span if it exists and is not finished"
        => [handle_used_after_the_end_changes_nothing]
    "The span in the handler takes tags, logs events and has children"
        => [child_of_the_active_span_is_a_child]
    "A call with the current span injected continues the trace"
        => [call_continues_the_trace_in_the_next_server]
    "`start_span_cb` is called with the span and the request, and a failure in it fails no request"
        => [start_callback_sees_the_request failing_callbacks_do_not_fail_the_request]
    "A view that raises an exception has an error tag and a log"
        but "both were lost where all requests were traced: the span was closed before the exception was seen"
        => [error_decides_its_own_status]
    "Every span has a name"
        but "that of a request that matches no route was `None`"
        => [not_found_has_a_bounded_name]
    "A context of the caller's that is corrupted starts a new trace"
        => [ignores_a_malformed_trace_header]
    "A failure of the tracer's fails no request"
        but "all but two kinds of exceptions were answered with 500"
        => [failing_tracer_does_not_fail_the_request]
    "The tracer is swapped with one line"
        => [noop_tracer_passes_everything_on continues_the_incoming_trace]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{policy, server};

    #[test]
    fn every_promise_names_cases_of_the_list() {
        assert_eq!(FLASK_PROMISES.len(), 15);
        let cases = server::CASES
            .iter()
            .chain(policy::CASES)
            .flat_map(|(_, cases)| *cases);
        for promise in FLASK_PROMISES {
            assert!(!promise.cases.is_empty(), "{promise:?}");
            for case in promise.cases {
                let is_there = cases.clone().any(|other| other == case);
                assert!(is_there, "{case} of {promise:?}");
            }
        }
    }
}
