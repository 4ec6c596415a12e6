use std::fmt;
use std::str::FromStr;

use crate::http::{ParsePatternError, Pattern};
use crate::sampler::rules::Rules;
use crate::sampler::text::{ParseSamplerError, TextSampler};

/// A rule in text form.
struct Rule {
    /// The requests that the rule applies to; `None` for the last rule, which applies to all others.
    pattern: Option<Pattern>,
    sampler: TextSampler,
}

/// Starts a comment, on a line of its own or after a rule. No pattern contains it.
const COMMENT: char = '#';

/// Written instead of a pattern in the last rule, which applies to all other requests.
const REST: &str = "*";

impl Rule {
    /// Parses one rule; returns `None` for a blank line or a comment.
    fn read(line: &str) -> Result<Option<Self>, ParseRuleError> {
        let rule = line.split(COMMENT).next().unwrap_or_default().trim();
        if rule.is_empty() {
            return Ok(None);
        }
        let error = |problem| ParseRuleError {
            text: rule.to_owned(),
            problem,
        };
        // A path may contain `=`, a sampler cannot.
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

/// Parses rules. The rule for all other requests (`*`) has to be the last; its sampler is returned separately.
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
                problem: "it follows the rule `* = …` and never matches; put `* = …` last"
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

/// The error of parsing a rule of [`Rules`]. It shows the rule and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseRuleError {
    text: String,
    problem: String,
}

impl fmt::Display for ParseRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a rule such as \"GET /checkout/* = always\": {}",
            self.text, self.problem
        )
    }
}

impl std::error::Error for ParseRuleError {}
