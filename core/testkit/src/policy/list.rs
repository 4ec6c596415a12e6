//! The one list of the policy contract.

list_of_cases! { $
    /// Every case of the policy contract, by group.
    for_each_policy_case

    "Options" {
        wrong_options_are_errors_with_a_remedy
        patterns_go_by_method_and_segments
        failing_tracer_does_not_fail_the_request
    }
    "Sampling" {
        sampling_rules_go_by_method_and_path
        probability_goes_by_the_trace_id
        rate_limit_bounds_what_is_recorded
        parent_based_sampler_follows_the_caller
        undecided_sampler_leaves_it_to_the_tracer
        samples_everything_without_a_caller
    }
    "Propagation" {
        ids_are_random_in_all_their_parts
        reads_and_writes_the_formats_that_are_chosen
        plus_in_baggage_goes_on_as_no_blank
        contexts_travel_in_messages_of_any_kind
        baggage_of_a_caller_does_not_make_the_next_server_refuse
    }
    "Trust" {
        trusts_every_caller_by_default
        caller_that_is_not_trusted_becomes_a_reference
        nothing_but_ids_is_read_of_a_caller_that_is_not_trusted
        proxy_passes_nothing_on_of_a_caller_that_is_not_trusted
        debug_is_ignored_until_it_is_allowed
        debug_flag_that_is_not_allowed_ends_here
        debug_without_sampled_is_not_sampled_until_debug_is_allowed
        debug_ends_where_the_handler_does_not_sample
        trusted_networks_count_to_the_bit
        forwarded_headers_that_disagree_are_not_believed
        forwarded_origin_has_to_be_reported_alike
    }
    "Conventions and attributes" {
        query_values_are_redacted
        credentials_are_redacted_unless_asked_for
        urls_in_headers_are_redacted
        long_values_are_cut_and_counted
        other_text_of_the_request_is_cut_and_counted
        default_port_is_that_of_the_scheme
        query_is_shown_redacted
        both_conventions_stand_side_by_side
    }
}

/// Makes a test of every case of the policy contract, for one [`Server`](crate::server::Server).
///
/// An adapter has no need of it: the kit runs it against a server of its own.
#[macro_export]
macro_rules! policy_contract {
    ($server:ty) => {
        $crate::for_each_policy_case!($crate::__tests, policy<$server>);
    };
}
