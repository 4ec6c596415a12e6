//! A service of a user's own under the contract, and what is wrong with it in the case that names the rule.

#![allow(clippy::unwrap_used)]

mod own;

use std::panic::catch_unwind;

use opentracing_testkit::service::{CASES, cases};
use opentracing_testkit::{for_each_service_case, service_contract};

use self::own::{Own, defect};

service_contract!(Own<{ defect::NONE }>);

macro_rules! functions {
    ([$defect:ident] $($group:literal { $($case:ident)* })*) => {
        [$($((stringify!($case), cases::$case::<Own<$defect>> as fn())),*),*]
    };
}

/// The cases that fail for a service with this defect.
fn failed<const DEFECT: u8>() -> Vec<&'static str> {
    let functions = for_each_service_case!(functions, DEFECT);
    let names: Vec<_> = CASES.iter().flat_map(|(_, names)| *names).collect();
    assert!(names.into_iter().eq(functions.iter().map(|(name, _)| name)));
    let failed = functions
        .into_iter()
        .filter(|(_, case)| catch_unwind(case).is_err());
    failed.map(|(name, _)| name).collect()
}

macro_rules! defects {
    ($($test:ident: $defect:ident fails [$($case:ident)*])*) => {$(
        #[test]
        fn $test() {
            assert_eq!(failed::<{ defect::$defect }>(), [$(stringify!($case)),*]);
        }
    )*};
}

defects! {
    each_request_has_a_trace_without_a_caller: ONE_TRACE fails [
        service_starts_a_trace_without_a_caller
        service_survives_malformed_headers
        service_keeps_requests_of_a_connection_apart
    ]
    an_unsampled_trace_is_not_exported: EXPORTS_UNSAMPLED fails [
        service_keeps_an_unsampled_decision
    ]
    b3_is_read: NO_B3 fails [
        service_continues_its_callers_trace
        service_keeps_an_unsampled_decision
    ]
    malformed_headers_are_no_bad_request: REFUSES_MALFORMED fails [
        service_survives_malformed_headers
    ]
    a_call_comes_from_the_request: CALLS_FROM_THE_CALLER fails [
        service_calls_others_within_the_trace
        service_serves_requests_at_once
    ]
    a_call_takes_the_baggage_along: LOSES_BAGGAGE fails [
        service_calls_others_within_the_trace
    ]
    paths_are_no_names: NAMES_AFTER_PATHS fails [
        service_names_spans_after_routes
        service_names_not_found_with_a_bounded_name
    ]
    what_is_skipped_has_no_span: SKIPS_NOTHING fails [
        service_does_not_trace_what_it_skips
    ]
    error_has_a_tag_and_a_log: HIDES_ERRORS fails [
        service_records_an_error
    ]
    not_found_is_no_error: NOT_FOUND_IS_AN_ERROR fails [
        service_names_not_found_with_a_bounded_name
    ]
    span_lasts_until_the_response: ENDS_BEFORE_THE_ANSWER fails [
        service_covers_a_slow_response_to_its_end
        service_covers_a_stream_to_its_end
    ]
    an_abandoned_request_has_a_span: FORGETS_THE_ABANDONED fails [
        service_records_an_abandoned_request
    ]
    a_connection_is_no_trace: ONE_CALLER_PER_CONNECTION fails [
        service_keeps_requests_of_a_connection_apart
    ]
    each_of_many_has_its_own_span: CALLS_FROM_THE_FIRST fails [
        service_serves_requests_at_once
    ]
    the_last_spans_are_delivered: LOSES_THE_LAST fails [
        service_serves_requests_at_once
        service_delivers_its_spans_when_it_stops
    ]
}
