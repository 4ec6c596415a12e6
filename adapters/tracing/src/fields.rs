//! The fields of `tracing`'s spans and events, as tags and as logs.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use opentracing_http::values::{TagWriter, Tags};
use opentracing_http::{LogFields, Span, SpanKind, TagValue, Value};
use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Level, Metadata};

/// The fields by which `tracing-opentelemetry` sets what is not an attribute.
const NAME: &str = "otel.name";
const KIND: &str = "otel.kind";
const STATUS_CODE: &str = "otel.status_code";
const STATUS_DESCRIPTION: &str = "otel.status_description";
/// The name that the previous one has in older versions.
const STATUS_MESSAGE: &str = "otel.status_message";

/// The tag that marks a failed span, and the field of an error's text.
pub(crate) const ERROR: &str = "error";

/// The field for the text of an event.
const MESSAGE: &str = "message";

/// The maximum number of bytes of a span's kind or status code.
const WORD_BYTES: usize = 64;

/// The maximum number of bytes of a name. The policy's limit for names is usually lower.
const NAME_BYTES: usize = 64 * 1024;

/// Calls a closure with each field's name and its value.
struct Each<F>(F);

impl<F: FnMut(&Field, FieldValue<'_>)> Visit for Each<F> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        (self.0)(field, FieldValue::Tag(&value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        (self.0)(field, FieldValue::Tag(&value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        (self.0)(field, FieldValue::Tag(&value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        (self.0)(field, FieldValue::Tag(&value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        (self.0)(field, FieldValue::Tag(&value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        (self.0)(field, FieldValue::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        (self.0)(field, FieldValue::Str(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        (self.0)(field, FieldValue::Error(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        (self.0)(field, FieldValue::Debug(value));
    }
}

/// The value of a field.
#[derive(Clone, Copy)]
enum FieldValue<'a> {
    /// A number.
    Tag(&'a dyn TagValue),
    Bool(bool),
    Str(&'a str),
    Error(&'a (dyn Error + 'static)),
    /// Anything else; also text that was written with `%` or `?`.
    Debug(&'a dyn fmt::Debug),
}

impl TagValue for FieldValue<'_> {
    fn to_value(&self, max_bytes: usize) -> Option<Value> {
        match *self {
            Self::Tag(value) => value.to_value(max_bytes),
            Self::Bool(value) => value.to_value(max_bytes),
            Self::Str(value) => value.to_value(max_bytes),
            Self::Error(value) => format_args!("{value}").to_value(max_bytes),
            Self::Debug(value) => format_args!("{value:?}").to_value(max_bytes),
        }
    }
}

impl FieldValue<'_> {
    /// Returns the text, up to this many bytes. The conversion is foreign code.
    fn text(self, max_bytes: usize) -> Option<String> {
        let value = catch_unwind(AssertUnwindSafe(|| self.to_value(max_bytes)));
        Some(value.ok()??.to_string())
    }
}

/// The text of a value as an error.
struct TextError<'a>(FieldValue<'a>);

impl fmt::Display for TextError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            FieldValue::Str(text) => f.write_str(text),
            FieldValue::Debug(value) => value.fmt(f),
            FieldValue::Error(value) => fmt::Display::fmt(value, f),
            FieldValue::Bool(value) => value.fmt(f),
            FieldValue::Tag(value) => value
                .to_value(WORD_BYTES)
                .map_or(Ok(()), |value| value.fmt(f)),
        }
    }
}

impl fmt::Debug for TextError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for TextError<'_> {}

/// A span's fields: what is passed to [`Attributes`](tracing_core::span::Attributes) or
/// [`Record`](tracing_core::span::Record).
pub(crate) trait Fields {
    fn visit(&self, visitor: &mut dyn Visit);
}

impl Fields for tracing_core::span::Attributes<'_> {
    fn visit(&self, visitor: &mut dyn Visit) {
        self.record(visitor);
    }
}

impl Fields for tracing_core::span::Record<'_> {
    fn visit(&self, visitor: &mut dyn Visit) {
        self.record(visitor);
    }
}

/// Returns `true` if the field is not a tag.
fn is_special(name: &str) -> bool {
    name == ERROR || (name.starts_with("otel.") && is_of_otel(name))
}

fn is_of_otel(name: &str) -> bool {
    matches!(
        name,
        NAME | KIND | STATUS_CODE | STATUS_DESCRIPTION | STATUS_MESSAGE
    )
}

/// Calls `tag` with the fields that are tags.
pub(crate) fn each_tag(fields: &dyn Fields, tag: &mut dyn FnMut(&'static str, &dyn TagValue)) {
    fields.visit(&mut Each(|field: &Field, value: FieldValue<'_>| {
        if !is_special(field.name()) {
            tag(field.name(), &value);
        }
    }));
}

/// The fields of a span that are tags.
struct TagFields<'a>(&'a dyn Fields);

impl Tags for TagFields<'_> {
    fn write(self, tags: &mut TagWriter<'_>) {
        each_tag(self.0, &mut |key, value| tags.add(key, value));
    }
}

/// Sets all fields on a span that has started.
pub(crate) fn set_fields(span: &Span, fields: &dyn Fields, metadata: &Metadata<'_>) {
    span.set_tags(TagFields(fields));
    set_special(span, fields, metadata);
}

/// Sets the fields that are not tags on a span that has started.
pub(crate) fn set_special(span: &Span, fields: &dyn Fields, metadata: &Metadata<'_>) {
    if metadata
        .fields()
        .iter()
        .any(|field| is_special(field.name()))
    {
        fields.visit(&mut Each(|field: &Field, value: FieldValue<'_>| {
            match field.name() {
                ERROR => record_failure(span, value),
                STATUS_DESCRIPTION | STATUS_MESSAGE => span.record_error(&TextError(value)),
                STATUS_CODE => {
                    // With `?`, the code is `Ok` or `Error { description: … }`.
                    let code = value.text(WORD_BYTES).unwrap_or_default();
                    match code.get(..5).unwrap_or(&code) {
                        code if code.eq_ignore_ascii_case("error") => span.set_tag(ERROR, true),
                        code if code.eq_ignore_ascii_case("ok") => span.set_tag(ERROR, false),
                        _ => {}
                    }
                }
                NAME => {
                    if let Some(name) = value.text(NAME_BYTES) {
                        span.set_name(name);
                    }
                }
                _ => {}
            }
        }));
    }
}

/// Sets the field `error` of a span: a truth value is the tag, everything else is the error's text.
fn record_failure(span: &Span, value: FieldValue<'_>) {
    match value {
        FieldValue::Bool(is_error) => span.set_tag(ERROR, is_error),
        FieldValue::Error(error) => span.record_error(error),
        FieldValue::Tag(_) | FieldValue::Str(_) | FieldValue::Debug(_) => {
            span.record_error(&TextError(value));
        }
    }
}

/// Returns the text of a field.
fn text_of(
    fields: &dyn Fields,
    metadata: &Metadata<'_>,
    name: &str,
    max_bytes: usize,
) -> Option<String> {
    metadata.fields().field(name)?;
    let mut text = None;
    fields.visit(&mut Each(|field: &Field, value: FieldValue<'_>| {
        if field.name() == name {
            text = value.text(max_bytes);
        }
    }));
    text
}

/// Returns the name of a span that starts: the field `otel.name`, or the name in the code.
pub(crate) fn name(fields: &dyn Fields, metadata: &Metadata<'static>) -> Cow<'static, str> {
    let name = text_of(fields, metadata, NAME, NAME_BYTES);
    name.map_or(Cow::Borrowed(metadata.name()), Cow::Owned)
}

/// Returns the kind that the field `otel.kind` names. It has to be known before the span starts.
pub(crate) fn kind(fields: &dyn Fields, metadata: &Metadata<'_>) -> Option<SpanKind> {
    let kind = text_of(fields, metadata, KIND, WORD_BYTES)?;
    let kinds = [
        ("internal", SpanKind::Internal),
        ("server", SpanKind::Server),
        ("client", SpanKind::Client),
        ("producer", SpanKind::Producer),
        ("consumer", SpanKind::Consumer),
    ];
    let mut kinds = kinds.into_iter();
    let found = kinds.find(|(name, _)| kind.eq_ignore_ascii_case(name))?;
    Some(found.1)
}

/// An event of `tracing`, as a log.
#[derive(Clone, Copy)]
pub(crate) struct EventLog<'a> {
    event: &'a Event<'a>,
    /// Whether it came from the `log` crate; see [`is_of_log`].
    is_of_log: bool,
}

impl<'a> EventLog<'a> {
    pub(crate) fn of(event: &'a Event<'a>) -> Self {
        Self {
            event,
            is_of_log: is_of_log(event.metadata()),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.event.metadata().fields().field(name).is_some()
    }

    /// Returns `true` for an event of an error: of the level ERROR, or one like those of `#[instrument(err)]`, which have a field
    /// `error`, no message, and the level that was chosen there.
    pub(crate) fn is_error(&self) -> bool {
        *self.event.metadata().level() == Level::ERROR || (self.has(ERROR) && !self.has(MESSAGE))
    }

    /// Returns `true` if the event is a message of the core about its own work, such as lost spans. Those are not part of any
    /// request.
    pub(crate) fn is_of_the_core(&self) -> bool {
        const CORE: &str = "opentracing_http";
        let is_core = |target: &str| {
            let rest = target.strip_prefix(CORE);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let mut found = is_core(self.event.metadata().target());
        if self.is_of_log {
            self.event
                .record(&mut Each(|field: &Field, value: FieldValue<'_>| {
                    if let ("log.target", FieldValue::Str(target)) = (field.name(), value) {
                        found |= is_core(target);
                    }
                }));
        }
        found
    }
}

/// Returns `true` for an event that `tracing-log` made of a record of the `log` crate. Its fields contain the record's target and
/// place, which the event's own metadata do not have.
fn is_of_log(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "log" && metadata.fields().field("log.target").is_some()
}

impl LogFields for EventLog<'_> {
    fn write(self, log: &mut TagWriter<'_>) {
        let (is_error, has_message) = (self.is_error(), self.has(MESSAGE));
        // OpenTelemetry's exporters name an event after its field `event`, and an error's text is in its field `message`.
        let text = match is_error || self.has("event") {
            true => MESSAGE,
            false => "event",
        };
        if is_error && !self.has("event") {
            log.add("event", ERROR);
        }
        let metadata = self.event.metadata();
        let mut has_target = false;
        self.event
            .record(&mut Each(|field: &Field, value: FieldValue<'_>| {
                match field.name() {
                    MESSAGE => log.add(text, value),
                    ERROR if is_error && !has_message => log.add(MESSAGE, value),
                    "log.target" if self.is_of_log => {
                        log.add("target", value);
                        has_target = true;
                    }
                    "log.module_path" | "log.file" | "log.line" if self.is_of_log => {}
                    name => log.add(name, value),
                }
                if let FieldValue::Error(error) = value {
                    log.add("error.cause", error.source().map(FieldValue::Error));
                }
            }));
        log.add("level", metadata.level().as_str());
        if !has_target {
            log.add("target", metadata.target());
        }
    }
}
