//! The one list of what a propagator does.

list_of_cases! { $
    /// Every case of the propagation contract, by group: every test of every format comes from here.
    for_each_propagation_case

    "What is found in headers" {
        extracts_nothing_from_empty_headers
        extracts_ids_made_elsewhere
        keeps_what_comes_without_ids
        ignores_malformed_headers
        counts_a_refusal_under_its_name
        text_pairs_and_header_maps_agree
        header_names_come_in_any_case
        header_names_are_taken_whole
        declares_every_header_that_it_owns
        headers_come_in_any_order
        blanks_round_a_value_change_nothing
        two_conflicting_ids_are_none
        reading_twice_changes_nothing
    }
    "What nobody should send" {
        one_wrong_byte_never_gives_half_a_context
        a_value_cut_short_never_gives_half_a_context
        bytes_that_are_not_text_are_harmless
        oversized_input_is_bounded
    }
    "What comes back" {
        round_trips_a_root_context
        round_trips_a_child_context
        round_trips_a_128_bit_trace_id
        round_trips_an_unsampled_context
        round_trips_a_debug_context
        round_trips_a_deferred_decision
        round_trips_the_random_flag
        round_trips_tracestate
        round_trips_baggage
        round_trips_baggage_properties
        reads_what_it_writes
    }
    "What becomes of a carrier" {
        writes_its_table
        every_carrier_gets_the_same
        what_is_written_fits_every_header_map
        baggage_that_is_written_is_bounded
        inject_overwrites_what_was_there
        inject_removes_what_a_proxy_copied
        inject_leaves_the_headers_of_others
        inject_without_a_context_writes_no_ids
        inject_of_nothing_leaves_nothing
    }
}

/// Makes a test of every case of the propagation contract, for an expression that makes a
/// [`Format`](crate::propagation::Format); the crate's page has an example.
#[macro_export]
macro_rules! propagation_contract {
    ($format:expr) => {
        $crate::for_each_propagation_case!($crate::__tests, propagation($format));
    };
}
