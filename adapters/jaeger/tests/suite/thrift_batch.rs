//! `jaeger.thrift` and `agent.thrift`, read with Apache Thrift's compact protocol, independent of the encoder.

use std::io::Cursor;

use thrift::protocol::{TCompactInputProtocol, TInputProtocol, TMessageType, TType};

type Input<'a, 'b> = TCompactInputProtocol<&'a mut Cursor<&'b [u8]>>;

/// The argument of `emitBatch`.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) service: String,
    pub(crate) process_tags: Vec<Tag>,
    pub(crate) spans: Vec<Span>,
    /// The size of the packet.
    pub(crate) bytes: usize,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace_id_low: i64,
    pub(crate) trace_id_high: i64,
    pub(crate) span_id: i64,
    pub(crate) parent_span_id: i64,
    pub(crate) name: String,
    pub(crate) references: Vec<Reference>,
    pub(crate) flags: i32,
    pub(crate) start: i64,
    pub(crate) duration: i64,
    pub(crate) tags: Vec<Tag>,
    pub(crate) logs: Vec<Log>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Reference {
    /// 0 for `CHILD_OF`, 1 for `FOLLOWS_FROM`.
    pub(crate) kind: i32,
    pub(crate) trace_id_low: i64,
    pub(crate) trace_id_high: i64,
    pub(crate) span_id: i64,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Log {
    pub(crate) time: i64,
    pub(crate) fields: Vec<Tag>,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: Value,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) enum Value {
    #[default]
    Missing,
    Str(String),
    F64(f64),
    Bool(bool),
    I64(i64),
}

impl Batch {
    pub(crate) fn process_tag(&self, key: &str) -> Option<&Value> {
        find(&self.process_tags, key)
    }
}

impl Span {
    pub(crate) fn tag(&self, key: &str) -> Option<&Value> {
        find(&self.tags, key)
    }

    pub(crate) fn trace_id(&self) -> u128 {
        both_halves(self.trace_id_high, self.trace_id_low)
    }
}

impl Reference {
    pub(crate) fn trace_id(&self) -> u128 {
        both_halves(self.trace_id_high, self.trace_id_low)
    }
}

fn both_halves(high: i64, low: i64) -> u128 {
    u128::from(high.cast_unsigned()) << 64 | u128::from(low.cast_unsigned())
}

fn find<'a>(tags: &'a [Tag], key: &str) -> Option<&'a Value> {
    tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

/// Reads one packet to its last byte.
pub(crate) fn decode(packet: &[u8]) -> Batch {
    let mut cursor = Cursor::new(packet);
    let mut batch = Batch::default();
    let mut input = TCompactInputProtocol::new(&mut cursor);
    let message = input.read_message_begin().expect("a message");
    assert_eq!(message.name, "emitBatch");
    assert_eq!(message.message_type, TMessageType::OneWay);
    assert_eq!(message.sequence_number, 0);
    each_field(&mut input, |input, id| match id {
        1 => batch = read_batch(input),
        _ => panic!("argument {id}"),
    });
    input.read_message_end().expect("its end");
    batch.bytes = packet.len();
    assert_eq!(
        cursor.position(),
        packet.len() as u64,
        "bytes are left over"
    );
    batch
}

fn read_batch(input: &mut Input<'_, '_>) -> Batch {
    let mut batch = Batch::default();
    each_field(input, |input, id| match id {
        1 => each_field(input, |input, id| match id {
            1 => batch.service = text(input),
            2 => batch.process_tags = list(input, read_tag),
            _ => panic!("process field {id}"),
        }),
        2 => batch.spans = list(input, read_span),
        _ => panic!("batch field {id}"),
    });
    batch
}

fn read_span(input: &mut Input<'_, '_>) -> Span {
    let mut span = Span::default();
    each_field(input, |input, id| match id {
        1 => span.trace_id_low = number(input),
        2 => span.trace_id_high = number(input),
        3 => span.span_id = number(input),
        4 => span.parent_span_id = number(input),
        5 => span.name = text(input),
        6 => span.references = list(input, read_reference),
        7 => span.flags = input.read_i32().expect("flags"),
        8 => span.start = number(input),
        9 => span.duration = number(input),
        10 => span.tags = list(input, read_tag),
        11 => span.logs = list(input, read_log),
        _ => panic!("span field {id}"),
    });
    span
}

fn read_reference(input: &mut Input<'_, '_>) -> Reference {
    let mut reference = Reference::default();
    each_field(input, |input, id| match id {
        1 => reference.kind = input.read_i32().expect("a kind"),
        2 => reference.trace_id_low = number(input),
        3 => reference.trace_id_high = number(input),
        4 => reference.span_id = number(input),
        _ => panic!("reference field {id}"),
    });
    reference
}

fn read_log(input: &mut Input<'_, '_>) -> Log {
    let mut log = Log::default();
    each_field(input, |input, id| match id {
        1 => log.time = number(input),
        2 => log.fields = list(input, read_tag),
        _ => panic!("log field {id}"),
    });
    log
}

fn read_tag(input: &mut Input<'_, '_>) -> Tag {
    let (mut tag, mut kind) = (Tag::default(), None);
    each_field(input, |input, id| match id {
        1 => tag.key = text(input),
        2 => kind = Some(input.read_i32().expect("a kind")),
        3 => tag.value = Value::Str(text(input)),
        4 => tag.value = Value::F64(input.read_double().expect("a double")),
        5 => tag.value = Value::Bool(input.read_bool().expect("a bool")),
        6 => tag.value = Value::I64(number(input)),
        _ => panic!("tag field {id}"),
    });
    let expected = match tag.value {
        Value::Str(_) => 0,
        Value::F64(_) => 1,
        Value::Bool(_) => 2,
        Value::I64(_) => 3,
        Value::Missing => panic!("{} has no value", tag.key),
    };
    assert_eq!(kind, Some(expected), "{tag:?}");
    tag
}

fn each_field(input: &mut Input<'_, '_>, mut read: impl FnMut(&mut Input<'_, '_>, i16)) {
    input.read_struct_begin().expect("a struct");
    loop {
        let field = input.read_field_begin().expect("a field");
        match (field.field_type, field.id) {
            (TType::Stop, _) => break,
            (_, Some(id)) => read(input, id),
            (_, None) => panic!("{field:?}"),
        }
        input.read_field_end().expect("its end");
    }
    input.read_struct_end().expect("its end");
}

fn list<T>(input: &mut Input<'_, '_>, read: fn(&mut Input<'_, '_>) -> T) -> Vec<T> {
    let list = input.read_list_begin().expect("a list");
    assert_eq!(list.element_type, TType::Struct);
    let items = (0..list.size).map(|_| read(input)).collect();
    input.read_list_end().expect("its end");
    items
}

fn text(input: &mut Input<'_, '_>) -> String {
    input.read_string().expect("text")
}

fn number(input: &mut Input<'_, '_>) -> i64 {
    input.read_i64().expect("a number")
}
