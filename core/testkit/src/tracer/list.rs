//! The one list of the tracer contract.

use crate::list::declare_lacks;
use crate::tracer::{Backend, Delivery};

list_of_cases! { $
    /// The one list of what a tracer does, in groups: every test of every tracer comes from here.
    for_each_tracer_case

    "Identity" {
        ids_arrive
        a_root_has_no_parent
        child_of_keeps_the_trace_id
        a_callers_trace_goes_on
        follows_from_is_recorded
        references_of_several_traces_arrive
        a_child_may_outlive_its_parent
        the_current_span_is_the_parent
        each_span_arrives_once
    }
    "Content" {
        tags_keep_their_types
        floats_without_a_finite_value_arrive
        texts_arrive_unchanged
        last_tag_wins
        last_of_tags_set_at_once_wins
        kind_is_a_tag
        rename_before_finish_wins
        logs_keep_order_and_time
        log_fields_arrive
        an_error_is_tagged_and_logged
        baggage_arrives
        baggage_reaches_children
        what_comes_after_the_end_changes_nothing
        a_request_arrives
        a_failed_request_arrives
    }
    "Limits" {
        tags_over_the_limit_are_counted
        logs_over_the_limit_are_counted
        log_fields_over_the_limit_are_counted
        references_over_the_limit_are_counted
        long_texts_are_cut_between_characters
        long_errors_are_cut
        default_limits_bound_a_span
    }
    "Time" {
        start_and_duration_arrive
        given_times_arrive
        finish_time_is_not_before_start
        a_clock_set_back_changes_no_duration
        a_child_starts_within_its_parent
        a_start_in_the_past_lasts_until_now
    }
    "Sampling" {
        unsampled_never_arrives
        a_callers_decision_is_followed
        a_sampler_has_the_first_word
        what_the_sampler_adds_arrives
        record_only_never_arrives
        sampling_priority_is_obeyed
        skipped_never_arrives
        noop_span_accepts_everything
    }
    "Delivery" {
        drop_finishes_the_span
        flush_delivers
        dropping_everything_delivers
        flush_with_a_stuck_exporter_returns_in_time
        full_queue_drops_and_counts
        survives_a_full_queue
        use_from_many_threads
        is_send_and_sync
        is_usable_behind_ref_box_and_arc
        works_in_a_fan_out
        a_panicking_neighbour_harms_nobody
    }
}

/// Makes a test of every case of the tracer contract, for one [`Backend`](crate::tracer::Backend); the crate's page has an
/// example.
#[macro_export]
macro_rules! tracer_contract {
    ($backend:ty) => {
        $crate::for_each_tracer_case!($crate::__tests, tracer<$backend>);
    };
}

/// Prints what a tracer can and cannot carry, with tabs between: `carries` with the name and the value of a figure, `lacks`
/// with the feature and the reason. The matrix page and the page that compares tracers are made of it.
///
/// # Panics
///
/// If a reason is missing, a feature is named twice, or the queue is shorter than
/// [`SHORTEST_QUEUE`](crate::tracer::Delivery::SHORTEST_QUEUE).
pub fn declare<B: Backend>() {
    let capabilities = B::CAPABILITIES;
    capabilities.check();
    println!("carries\tresolution\t{:?}", capabilities.resolution);
    println!("carries\tshortest\t{:?}", capabilities.shortest);
    println!(
        "carries\tdelivery\t{}",
        match capabilities.delivery {
            Delivery::AtOnce => "at once",
            Delivery::Queued { .. } => "in batches, from a queue",
        }
    );
    let lacks = capabilities.lacks.iter();
    declare_lacks(lacks.map(|(feature, reason)| (format!("{feature:?}"), *reason)));
}
