#![doc = include_str!("../README.md")]

pub mod app;
pub mod client;
pub mod server;

/// The one list of what a server adapter does: every test of every adapter, and every row of the matrix, comes from here.
///
/// `then!` is called with the arguments in brackets, then the names of the cases, each a function of
/// [`server::cases`].
#[macro_export]
macro_rules! for_each_server_case {
    ($($then:ident)::+, $($arguments:tt)*) => {
        $($then)::+! { [$($arguments)*]
            starts_a_root_span_without_headers
            continues_the_incoming_trace
            reads_every_format
            ignores_a_malformed_trace_header
            keeps_an_unsampled_decision
            baggage_reaches_the_handler_and_goes_on
            passes_on_what_it_skips
            records_nothing_below_what_it_skips
            reports_nothing_with_a_noop_tracer
            handler_sees_the_active_span
            active_span_survives_an_await
            handler_gets_an_empty_span_when_untraced
            child_of_the_active_span_is_a_child
            concurrent_requests_keep_their_own_spans
            stacked_twice_makes_one_span
            tags_server_kind_component_and_request
            route_names_the_span
            nested_route_is_joined_with_single_slashes
            not_found_has_a_bounded_name
            reports_the_peer_address
            status_tag_matches_a_bad_request
            error_decides_its_own_status
            panic_finishes_the_span_with_an_error
            hang_up_finishes_the_span
            streamed_body_finishes_once
            event_stream_ends_at_its_head
            abandoned_body_is_told_apart
            head_and_empty_responses_complete
            a_failing_callback_does_not_fail_the_request
            response_is_the_same_untraced
        }
    };
}

/// Makes a test of every case of the server contract, for one [`Server`](server::Server); the crate's page has an example.
#[macro_export]
macro_rules! server_contract {
    ($server:ty) => {
        $crate::for_each_server_case!($crate::__server_tests, $server);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __server_tests {
    ([$server:ty] $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::server::cases::$case::<$server>();
            }
        )*
    };
}
