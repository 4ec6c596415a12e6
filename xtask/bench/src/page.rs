use crate::against::Comparison;
use crate::results::Results;

pub(crate) fn render(_: &Results, _: Option<&Comparison>) -> String {
    String::new()
}
