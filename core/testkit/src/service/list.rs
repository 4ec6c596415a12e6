//! The one list of the service contract.

use crate::service::Service;

/// The one list of what a service does, in groups: every test of every service comes from here.
///
/// `$then!` is called with the arguments in brackets, then the groups with the names of their cases, each a function of
/// [`service::cases`](crate::service::cases).
#[macro_export]
macro_rules! for_each_service_case {
    ($($then:ident)::+, $($arguments:tt)*) => {
        $($then)::+! { [$($arguments)*]
            "Trace" {
                service_starts_a_trace_without_a_caller
                service_continues_its_callers_trace
                service_keeps_an_unsampled_decision
                service_survives_malformed_headers
                service_calls_others_within_the_trace
            }
            "Names" {
                service_names_spans_after_routes
                service_tells_not_found_with_a_bounded_name
                service_skips_what_it_says
            }
            "Ends" {
                service_tells_an_error
                service_covers_a_slow_answer_to_its_end
                service_covers_a_stream_to_its_end
                service_tells_an_abandoned_request
            }
            "Many" {
                service_keeps_requests_of_a_connection_apart
                service_serves_requests_at_once
                service_delivers_its_spans_when_it_stops
            }
        }
    };
}

/// Makes a test of every case of the service contract, for one [`Service`]; the crate's page has an example.
#[macro_export]
macro_rules! service_contract {
    ($service:ty) => {
        $crate::for_each_service_case!($crate::__service_tests, $service);

        #[test]
        fn declares_its_capabilities() {
            $crate::service::declare::<$service>();
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __service_tests {
    ([$service:ty] $($group:literal { $($case:ident)* })*) => {
        $($(
            #[test]
            fn $case() {
                $crate::service::cases::$case::<$service>();
            }
        )*)*
    };
}

macro_rules! names {
    ([] $($group:literal { $($case:ident)* })*) => {
        /// The list as data: each group's title, and the names of its cases.
        pub const CASES: &[(&str, &[&str])] = &[$(($group, &[$(stringify!($case)),*])),*];
    };
}

for_each_service_case!(names,);

/// Prints what a service does not have, a line for each: what, a tab, the reason.
///
/// # Panics
///
/// If a reason is missing.
pub fn declare<S: Service>() {
    for (feature, reason) in S::ROUTES.lacks() {
        assert!(!reason.trim().is_empty(), "{feature} needs a reason");
        println!("lacks\t{feature}\t{reason}");
    }
}
