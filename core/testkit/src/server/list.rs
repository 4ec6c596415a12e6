//! The one list of what a server adapter does.

use crate::list::declare_lacks;
use crate::server::Server;

list_of_cases! { $
    /// Every case of the server contract, by group: every test of every adapter, and every row of the matrix page, comes from
    /// here.
    for_each_server_case

    "Trace and context" {
        starts_a_root_span_without_headers
        continues_the_incoming_trace
        reads_w3c_then_jaeger_then_b3
        writes_w3c_and_jaeger
        ignores_a_malformed_trace_header
        reads_baggage_of_a_new_trace
        reads_baggage_of_an_existing_trace
        reads_baggage_when_not_sampled
        merges_the_baggage_of_all_formats
        baggage_set_in_the_handler_goes_on
        call_continues_the_trace_in_the_next_server
    }
    "Not recorded" {
        skipped_request_passes_its_callers_context_on
        skipped_request_without_a_caller_sends_nothing
        skips_by_pattern_and_by_predicate
        records_nothing_below_what_it_skips
        noop_tracer_passes_everything_on
        keeps_an_unsampled_decision
        sampler_that_drops_is_propagated
        tracer_that_drops_is_propagated
        recorded_locally_is_seen_but_not_sent
        baggage_set_on_what_is_not_recorded_goes_on
        application_is_right_untraced
        handler_gets_an_empty_span_when_untraced
        priority_set_in_the_handler_decides
        response_is_the_same_untraced
    }
    "Trust" {
        trust_can_ask_the_request
        debug_overrides_the_sampler_once_allowed
        forwarded_address_is_ignored_by_default
        forwarded_address_counts_from_trusted_hops
        forwarded_address_counts_from_trusted_networks
        forwarded_lists_are_read_over_lines_and_empty_elements
        forwarded_origin_counts_from_trusted_hops
        scheme_of_the_policy_is_that_of_urls
    }
    "The active span" {
        handler_sees_the_active_span
        extractor_gives_the_active_span
        active_span_survives_an_await
        active_span_is_current_while_the_body_is_made
        child_of_the_active_span_is_a_child
        handler_can_rename_its_span
        two_hundred_interleaved_requests_keep_their_spans
        no_span_leaks_into_the_next_request
        span_is_current_while_the_handler_is_dropped
        span_is_current_while_the_body_is_dropped
        spawned_task_does_not_inherit_the_span
        span_is_carried_into_a_spawned_task
        spawned_work_outlives_its_request
        handle_used_after_the_end_changes_nothing
    }
    "Mount points" {
        stacked_twice_makes_one_span
        route_scope_and_app_make_one_span
        unrecorded_request_is_judged_once
        request_made_in_a_handler_is_its_own
        single_routes_can_be_traced_alone
        single_route_is_traced_whatever_it_returns
        mount_point_names_its_spans
        mount_point_sets_when_its_spans_end
    }
    "Scopes" {
        guards_bring_back_what_was_current
        leaked_guard_ends_with_its_request
        guard_left_behind_takes_no_request_over
        scope_hooks_see_every_scope
    }
    "Names and routes" {
        route_names_the_span
        nested_route_is_joined_with_single_slashes
        route_is_known_at_the_end
        not_found_has_a_bounded_name
        wrong_method_has_a_bounded_name
        declined_request_has_one_span
        options_on_the_root_has_path_slash
        unknown_method_is_other
        names_can_be_made_by_a_rule
    }
    "OpenTracing's tags" {
        tags_kind_component_method_url_and_status
        path_excludes_the_query
        path_and_query_are_kept_as_they_came
        absolute_target_is_read_as_its_path
        authority_of_the_target_wins_over_the_host_header
        scheme_of_the_target_is_that_of_the_url
        asterisk_target_has_the_url_of_its_host
        text_that_is_no_host_is_left_out
        credentials_in_the_host_are_left_out
        reports_the_peer_address
    }
    "OpenTelemetry's attributes" {
        required_attributes_are_there
        status_error_and_route_are_there_when_they_apply
        original_of_an_unknown_method_is_kept
        host_is_split_into_address_and_port
        request_without_a_host_has_no_address
        protocol_version_is_short
    }
    "Attributes" {
        no_attribute_is_tagged_by_default
        attributes_are_chosen_by_name
        response_headers_can_be_attributes
        missing_values_set_no_tag
        several_values_of_a_header_are_joined
        header_values_that_are_not_text_are_harmless
        body_sizes_can_be_attributes
        local_address_can_be_an_attribute
        path_parameters_can_be_attributes
    }
    "Outcomes" {
        completed_request_is_no_error
        bad_request_is_no_error
        server_error_is_an_error_with_one_log
        error_decides_its_own_status
        error_instead_of_a_response_is_a_handler_error
        status_that_an_error_handler_sets_is_the_spans
        panic_finishes_the_span_with_an_error
        panic_under_a_catch_layer_is_a_panic
        panic_in_the_body_is_a_panic
        panic_message_is_logged_if_asked_for
        failures_go_by_the_rule_of_the_policy
        hang_up_before_the_head_ends_the_span
        body_that_fails_is_an_error
        hang_up_in_the_body_is_an_abandoned_body
        slow_handler_is_covered_to_the_end
    }
    "Bodies and ends" {
        span_ends_with_the_body_by_default
        span_ends_with_the_head_if_set
        event_stream_of_get_ends_with_its_head
        event_stream_of_post_ends_with_its_body
        event_stream_that_is_left_is_an_abandoned_body
        end_of_an_event_stream_can_be_set
        change_after_the_end_is_counted_and_reported_once
        streamed_body_finishes_once
        content_length_over_a_stream_is_complete
        head_request_is_complete_without_its_body
        responses_that_have_no_body_are_complete
        trailers_are_passed_on
        upgrade_ends_with_its_head
        unread_request_body_is_harmless
        slow_writer_is_served
        slow_reader_is_covered_to_the_end
    }
    "Connections" {
        keep_alive_connection_has_a_span_for_each_request
        pipelined_requests_have_a_span_each
        hang_up_between_requests_ends_nothing
        half_a_head_is_no_request
        http_1_0_is_served
    }
    "HTTP/2" {
        http2_request_continues_its_trace
        http2_pseudo_headers_are_attributes
        http2_authority_wins_over_the_host_header
        http2_scheme_is_that_of_the_url
        http2_streams_keep_their_own_spans
        http2_reset_before_the_head_ends_the_span
        http2_reset_in_the_body_is_an_abandoned_body
        http2_trailers_end_the_span
        http2_response_is_the_same_untraced
    }
    "Callbacks and middlewares" {
        start_callback_sees_the_request
        finish_callback_is_called_for_every_request
        finished_span_has_the_facts_of_the_request
        failing_callbacks_do_not_fail_the_request
        trace_id_is_returned_if_set
        middleware_inside_sees_the_span
        status_of_a_middleware_inside_counts
        status_changed_between_mount_points_is_the_spans
        middleware_inside_can_respond
    }
}

/// Makes a test of every case of the server contract, for one [`Server`]; the crate's page has an example.
#[macro_export]
macro_rules! server_contract {
    ($server:ty) => {
        $crate::for_each_server_case!($crate::__tests, server<$server>);
        $crate::__declares!(server<$server>);
    };
}

/// Prints what a server's framework cannot do, a line for each, as the matrix page has it: the feature, a tab, the reason.
///
/// # Panics
///
/// If a reason is missing, or a feature is named twice.
pub fn declare<S: Server>() {
    let lacks = S::CAPABILITIES.lacks.iter();
    declare_lacks(lacks.map(|(feature, reason)| (format!("{feature:?}"), *reason)));
}
