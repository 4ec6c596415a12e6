//! When a span was.

use std::time::{Duration, SystemTime};

use opentracing_http::Clock;

use crate::tracer::kit::{Kit, named};
use crate::tracer::{Backend, ReceivedSpan};

/// Asserts that the span arrived with these times, up to what the tracer cuts off.
#[track_caller]
fn assert_lasted<B: Backend>(span: &ReceivedSpan, start: SystemTime, duration: Duration) {
    let start = B::CAPABILITIES.time(start);
    assert_eq!(
        span.start, start,
        "the start of the span {} arrives (left) up to the resolution (right)",
        span.name
    );
    let duration = duration.max(B::CAPABILITIES.shortest);
    // Both ends may have been cut.
    let difference = span.duration.abs_diff(duration);
    assert!(
        difference < B::CAPABILITIES.resolution,
        "{} lasted {:?}, not {duration:?}",
        span.name,
        span.duration,
    );
}

/// A span arrives with the time of its start, and lasts until it is finished or dropped.
pub fn start_and_duration_arrive<B: Backend>() {
    let (kit, clock) = Kit::<B>::timed();
    let start = clock.wall();
    let finished = kit.tracing.span("finished").start();
    clock.advance(Duration::new(1, 2_003_004));
    let dropped = kit.tracing.span("dropped").start();
    finished.finish();
    clock.advance(Duration::from_millis(5));
    drop(dropped);
    let spans = kit.arrived(2);
    let lasted = Duration::new(1, 2_003_004);
    assert_lasted::<B>(named(&spans, "finished"), start, lasted);
    let dropped = named(&spans, "dropped");
    assert_lasted::<B>(dropped, start + lasted, Duration::from_millis(5));
}

/// A span arrives with the start and end that it was given, whatever the clock says.
pub fn given_times_arrive<B: Backend>() {
    let (kit, clock) = Kit::<B>::timed();
    let start = SystemTime::UNIX_EPOCH + Duration::from_micros(1_000_000_000_000_007);
    let span = kit.tracing.span("both").start_time(start).start();
    clock.advance(Duration::from_secs(1));
    span.finish_at(start + Duration::from_micros(5_000_001));
    let began = clock.wall();
    let span = kit.tracing.span("end").start();
    span.finish_at(began + Duration::from_secs(3600));
    let spans = kit.arrived(2);
    let lasted = Duration::from_micros(5_000_001);
    assert_lasted::<B>(named(&spans, "both"), start, lasted);
    assert_lasted::<B>(named(&spans, "end"), began, Duration::from_secs(3600));
}

/// A span that is given an end before its start, or a start that is still to come, lasts no time.
pub fn finish_time_is_not_before_start<B: Backend>() {
    let (kit, clock) = Kit::<B>::timed();
    let now = clock.wall();
    let span = kit.tracing.span("backwards").start_time(now);
    span.start().finish_at(now - Duration::from_secs(5));
    let ahead = now + Duration::from_secs(3600);
    kit.tracing.span("ahead").start_time(ahead).start().finish();
    let spans = kit.arrived(2);
    assert_lasted::<B>(named(&spans, "backwards"), now, Duration::ZERO);
    assert_lasted::<B>(named(&spans, "ahead"), ahead, Duration::ZERO);
}

/// Setting the time of day changes no duration.
pub fn a_clock_set_back_changes_no_duration<B: Backend>() {
    let (kit, clock) = Kit::<B>::timed();
    let start = clock.wall();
    let span = kit.tracing.span("work").start();
    clock.advance(Duration::from_secs(2));
    clock.set_back(Duration::from_secs(86_400));
    span.finish();
    assert_lasted::<B>(&kit.only(), start, Duration::from_secs(2));
}

/// A child's start is counted from its parent's, so that it lies within its parent also where the time of day was set.
pub fn a_child_starts_within_its_parent<B: Backend>() {
    let (kit, clock) = Kit::<B>::timed();
    let start = clock.wall();
    let parent = kit.tracing.span("parent").start();
    clock.advance(Duration::from_secs(1));
    clock.set_back(Duration::from_secs(3600));
    let child = parent.child("child");
    clock.advance(Duration::from_secs(1));
    child.follower("follower").finish();
    child.finish();
    parent.finish();
    let second = Duration::from_secs(1);
    let spans = kit.arrived(3);
    assert_lasted::<B>(named(&spans, "parent"), start, 2 * second);
    assert_lasted::<B>(named(&spans, "child"), start + second, second);
    let follower = named(&spans, "follower");
    assert_lasted::<B>(follower, start + 2 * second, Duration::ZERO);
}

/// A span whose start lies in the past lasts from there until now, and its children start now.
pub fn a_start_in_the_past_lasts_until_now<B: Backend>() {
    let (kit, clock) = Kit::<B>::timed();
    let now = clock.wall();
    let hour = Duration::from_secs(3600);
    let span = kit
        .tracing
        .span("since then")
        .start_time(now - hour)
        .start();
    clock.advance(Duration::from_secs(1));
    span.child("child").finish();
    span.finish();
    let spans = kit.arrived(2);
    let (began, ended) = (now - hour, now + Duration::from_secs(1));
    let lasted = hour + Duration::from_secs(1);
    assert_lasted::<B>(named(&spans, "since then"), began, lasted);
    assert_lasted::<B>(named(&spans, "child"), ended, Duration::ZERO);
}
