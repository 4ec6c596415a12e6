//! Shortens a span that is too large for a packet.

use rustracing_jaeger::thrift::jaeger;
use thrift_codec::data::Struct;

use crate::packet::measure;

/// Minimum number of bytes that are kept of a value, of the name, and of the list of shortened values.
const PREFIX: usize = 128;
/// Number of references that are kept.
const REFERENCES: usize = 8;
/// Room for the tag that names what was shortened.
const MARK: usize = 512;
/// The size to which every span can be shortened.
pub(crate) const SMALLEST: usize = 2048;

/// Shortens a span of `size` bytes to `limit`, which is at least [`SMALLEST`]. First cuts its largest values, no more
/// than necessary; then removes logs, the last first; then tags, the largest first; then cuts its name. The tag
/// `opentracing.truncated` names what was shortened.
pub(crate) fn shorten(span: &mut jaeger::Span, size: usize, limit: usize) {
    let mut excess = (size + MARK).saturating_sub(limit);
    let cut = cut_values(span, &mut excess);
    let logs = drop_logs(span, &mut excess);
    let tags = drop_tags(span, &mut excess);
    if excess > 0 {
        cut_text(&mut span.operation_name, PREFIX);
        span.references.truncate(REFERENCES);
    }
    let mut mark = format!(
        "values: {}, logs: {logs}, tags: {tags}; cut: {}",
        cut.len(),
        cut.join(", ")
    );
    cut_text(&mut mark, MARK - PREFIX);
    span.tags.push(jaeger::Tag::String {
        key: "opentracing.truncated".to_owned(),
        value: mark,
    });
}

/// Returns the keys of the values that were cut.
fn cut_values(span: &mut jaeger::Span, excess: &mut usize) -> Vec<String> {
    let fields = span.logs.iter_mut().flat_map(|log| &mut log.fields);
    let mut texts: Vec<(&String, &mut String)> = span
        .tags
        .iter_mut()
        .chain(fields)
        .filter_map(|tag| match tag {
            jaeger::Tag::String { key, value } if value.len() > PREFIX => Some((&*key, value)),
            _ => None,
        })
        .collect();
    texts.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    let mut cut = Vec::new();
    for (key, value) in texts {
        if *excess == 0 {
            break;
        }
        let before = value.len();
        cut_text(value, before.saturating_sub(*excess).max(PREFIX));
        *excess = excess.saturating_sub(before - value.len());
        let mut key = key.clone();
        cut_text(&mut key, PREFIX);
        cut.push(key);
    }
    cut
}

/// Returns how many were removed.
fn drop_logs(span: &mut jaeger::Span, excess: &mut usize) -> usize {
    let before = span.logs.len();
    while *excess > 0
        && let Some(log) = span.logs.pop()
    {
        *excess = excess.saturating_sub(measure(&Struct::from(log)));
    }
    before - span.logs.len()
}

/// Returns how many were removed.
fn drop_tags(span: &mut jaeger::Span, excess: &mut usize) -> usize {
    let before = span.tags.len();
    if *excess > 0 {
        span.tags
            .sort_by_cached_key(|tag| measure(&Struct::from(tag.clone())));
    }
    while *excess > 0
        && let Some(tag) = span.tags.pop()
    {
        *excess = excess.saturating_sub(measure(&Struct::from(tag)));
    }
    before - span.tags.len()
}

/// Cuts a text to at most `limit` bytes at a character boundary.
fn cut_text(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(key: &str, length: usize) -> jaeger::Tag {
        jaeger::Tag::String {
            key: key.to_owned(),
            // Two bytes per character, so that a cut can be within one.
            value: "é".repeat(length / 2),
        }
    }

    fn span(tags: Vec<jaeger::Tag>, logs: Vec<Vec<jaeger::Tag>>, name: &str) -> jaeger::Span {
        jaeger::Span {
            trace_id_low: -1,
            trace_id_high: -1,
            span_id: -1,
            parent_span_id: -1,
            operation_name: name.to_owned(),
            references: (0..40)
                .map(|_| jaeger::SpanRef {
                    kind: jaeger::SpanRefKind::FollowsFrom,
                    trace_id_low: i64::MIN,
                    trace_id_high: i64::MIN,
                    span_id: i64::MIN,
                })
                .collect(),
            flags: 3,
            start_time: i64::MAX,
            duration: i64::MAX,
            tags,
            logs: logs
                .into_iter()
                .map(|fields| jaeger::Log {
                    timestamp: 1,
                    fields,
                })
                .collect(),
        }
    }

    fn shortened(mut span: jaeger::Span, limit: usize) -> jaeger::Span {
        let size = measure(&Struct::from(span.clone()));
        shorten(&mut span, size, limit);
        let size = measure(&Struct::from(span.clone()));
        assert!(size <= limit, "{size} > {limit}");
        span
    }

    #[test]
    fn only_the_largest_value_is_cut_and_no_more_than_needed() {
        let span = shortened(
            span(vec![text("small", 5_000), text("big", 70_000)], vec![], "x"),
            64_000,
        );
        assert_eq!(span.tags[0], text("small", 5_000));
        let jaeger::Tag::String { value, .. } = &span.tags[1] else {
            panic!("{:?}", span.tags[1]);
        };
        assert!((50_000..60_000).contains(&value.len()), "{}", value.len());
        let jaeger::Tag::String { key, value } = &span.tags[2] else {
            panic!("{:?}", span.tags[2]);
        };
        assert_eq!(key, "opentracing.truncated");
        assert_eq!(value, "values: 1, logs: 0, tags: 0; cut: big");
    }

    #[test]
    fn everything_fits_in_the_smallest_limit() {
        let many = |count: usize, length| {
            (0..count)
                .map(|n| text(&format!("key{n}"), length))
                .collect::<Vec<_>>()
        };
        shortened(
            span(many(128, 4_096), vec![many(32, 4_096); 128], "x"),
            60_000,
        );
        shortened(
            span(
                many(128, 4_096),
                vec![many(32, 4_096); 128],
                &"n".repeat(9_000),
            ),
            SMALLEST,
        );
        shortened(
            span(
                vec![text(&"k".repeat(90_000), 0)],
                vec![],
                &"n".repeat(90_000),
            ),
            SMALLEST,
        );
        shortened(span(vec![], vec![], &"n".repeat(90_000)), SMALLEST);
    }
}
