//! The one list of the service contract.

use crate::list::declare_lacks;
use crate::service::Service;

list_of_cases! { $
    /// The one list of what a service does, in groups: every test of every service comes from here.
    for_each_service_case

    "Trace" {
        service_starts_a_trace_without_a_caller
        service_continues_its_callers_trace
        service_keeps_an_unsampled_decision
        service_survives_malformed_headers
        service_calls_others_within_the_trace
    }
    "Names" {
        service_names_spans_after_routes
        service_names_not_found_with_a_bounded_name
        service_does_not_trace_what_it_skips
    }
    "Ends" {
        service_records_an_error
        service_covers_a_slow_response_to_its_end
        service_covers_a_stream_to_its_end
        service_records_an_abandoned_request
    }
    "Many" {
        service_keeps_requests_of_a_connection_apart
        service_serves_requests_at_once
        service_delivers_its_spans_when_it_stops
    }
}

/// Makes a test of every case of the service contract, for one [`Service`]; the crate's page has an example.
#[macro_export]
macro_rules! service_contract {
    ($service:ty) => {
        $crate::for_each_service_case!($crate::__tests, service<$service>);
        $crate::__declares!(service<$service>);
    };
}

/// Prints what a service does not have, a line for each: what, a tab, the reason.
///
/// # Panics
///
/// If a reason is missing.
pub fn declare<S: Service>() {
    declare_lacks(S::ROUTES.lacks());
}
