use std::fmt;
use std::str::FromStr;

use crate::http::{ParsePatternError, Pattern};
use crate::sampler::rules::Rules;
use crate::sampler::text::{ParseSamplerError, TextSampler};

/// A rule that was written as text.
struct Rule {
    /// The requests that it is for; the rest, if there is none.
    pattern: Option<Pattern>,
    sampler: TextSampler,
}

/// What makes a line a comment, in front or behind a rule. No pattern has it.
const COMMENT: char = '#';

/// Stands in the place of a pattern, for the rest.
const REST: &str = "*";

impl Rule {
    /// Reads one rule; `None` for a blank line or a comment.
    fn read(line: &str) -> Result<Option<Self>, ParseRuleError> {
        let rule = line.split(COMMENT).next().unwrap_or_default().trim();
        if rule.is_empty() {
            return Ok(None);
        }
        let error = |problem| ParseRuleError {
            text: rule.to_owned(),
            problem,
        };
        // A path may have a `=`, a sampler has none.
        let Some((pattern, sampler)) = rule.rsplit_once('=') else {
            return Err(error(
                "it has no `=`; write a pattern, `=` and a sampler".to_owned(),
            ));
        };
        let pattern = match pattern.trim() {
            REST => None,
            pattern => Some(
                pattern
                    .parse()
                    .map_err(|wrong: ParsePatternError| error(wrong.to_string()))?,
            ),
        };
        let sampler = sampler
            .parse()
            .map_err(|wrong: ParseSamplerError| error(wrong.to_string()))?;
        Ok(Some(Self { pattern, sampler }))
    }
}

/// Reads rules, of which the one for the rest has to be the last. It is returned apart from the others.
pub(crate) fn read<'a>(
    lines: impl IntoIterator<Item = &'a str>,
) -> Result<(Rules, Option<TextSampler>), ParseRuleError> {
    let (mut rules, mut rest) = (Rules::new(), None);
    for line in lines {
        let Some(rule) = Rule::read(line)? else {
            continue;
        };
        if rest.is_some() {
            return Err(ParseRuleError {
                text: line.trim().to_owned(),
                problem:
                    "it stands behind the rule for the rest, and never matches; put `* = …` last"
                        .to_owned(),
            });
        }
        match rule.pattern {
            Some(pattern) => rules = rules.rule(pattern, rule.sampler),
            None => rest = Some(rule.sampler),
        }
    }
    Ok((rules, rest))
}

impl FromStr for Rules {
    type Err = ParseRuleError;

    fn from_str(text: &str) -> Result<Self, ParseRuleError> {
        let (rules, rest) = read(text.lines())?;
        Ok(match rest {
            Some(sampler) => rules.otherwise(sampler),
            None => rules,
        })
    }
}

/// The error of parsing a rule of [`Rules`]: shows the rule and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseRuleError {
    text: String,
    problem: String,
}

impl fmt::Display for ParseRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no rule such as \"GET /checkout/* = always\": {}",
            self.text, self.problem
        )
    }
}

impl std::error::Error for ParseRuleError {}
