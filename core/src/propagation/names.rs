//! The formats by the names of OpenTelemetry's configuration.

use super::{B3, Jaeger, Propagation, W3c, W3cBaggage, W3cTraceContext};

const KNOWN: &str = "`tracecontext`, `baggage`, `b3`, `b3multi`, `jaeger` and `none`";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    TraceContext,
    Baggage,
    /// W3C Trace Context and W3C Baggage.
    W3c,
    B3,
    B3Multi,
    Jaeger,
}

/// Parses a list such as `tracecontext,baggage` into formats that are read and written. The error is a remedy.
pub(crate) fn parse(list: &str) -> Result<Propagation, String> {
    let mut names = Vec::new();
    let members = list.split(',').map(str::trim);
    for member in members.filter(|member| !member.is_empty()) {
        let name = parse_name(member)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names[..] {
        [] => Err(format!("it names no format; there are {KNOWN}")),
        [None] => Ok(Propagation::none()),
        _ => {
            let names: Option<Vec<_>> = names.into_iter().collect();
            let names = names.ok_or("`none` excludes formats; remove it, or the others")?;
            Ok(of(&joined(names)))
        }
    }
}

fn parse_name(name: &str) -> Result<Option<Name>, String> {
    Ok(Some(match &*name.to_ascii_lowercase() {
        "none" => return Ok(None),
        "tracecontext" => Name::TraceContext,
        "baggage" => Name::Baggage,
        "b3" => Name::B3,
        "b3multi" => Name::B3Multi,
        "jaeger" => Name::Jaeger,
        "xray" | "ottrace" => {
            return Err(format!(
                "`{name}` is a format that is not in this crate; there are {KNOWN}, and code can add others as a \
                 `Propagator`"
            ));
        }
        _ => return Err(format!("`{name}` is not a format; there are {KNOWN}")),
    }))
}

/// Combines the two halves of W3C's format into one, at the position of the ids.
fn joined(mut names: Vec<Name>) -> Vec<Name> {
    if names.contains(&Name::Baggage)
        && let Some(ids) = names.iter_mut().find(|name| **name == Name::TraceContext)
    {
        *ids = Name::W3c;
        names.retain(|name| *name != Name::Baggage);
    }
    names
}

/// In OpenTelemetry each format overwrites the ones before it, so the last one with a result wins. Here the first one
/// wins.
fn of(names: &[Name]) -> Propagation {
    let mut propagation = Propagation::none();
    let mut reads_b3 = false;
    for name in names.iter().rev() {
        propagation = match name {
            Name::TraceContext => propagation.read(W3cTraceContext),
            Name::Baggage => propagation.read(W3cBaggage),
            Name::W3c => propagation.read(W3c),
            Name::Jaeger => propagation.read(Jaeger),
            // Each form of B3 reads both.
            Name::B3 | Name::B3Multi if std::mem::replace(&mut reads_b3, true) => propagation,
            Name::B3 | Name::B3Multi => propagation.read(B3::single()),
        };
    }
    names
        .iter()
        .fold(propagation, |propagation, name| match name {
            Name::TraceContext => propagation.write(W3cTraceContext),
            Name::Baggage => propagation.write(W3cBaggage),
            Name::W3c => propagation.write(W3c),
            Name::Jaeger => propagation.write(Jaeger),
            Name::B3 => propagation.write(B3::single()),
            Name::B3Multi => propagation.write(B3::multi()),
        })
}
