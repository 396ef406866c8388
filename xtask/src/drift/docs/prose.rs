//! What a page states in sentences: values, defaults, limits, the agent rule, errors.

use std::collections::BTreeMap;

use super::cases::ErrorCase;

/// How many of a set of fields must be given.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// `exactly one`, `at least one` or `at most one`.
    pub how_many: &'static str,
    /// The fields, sorted.
    pub fields: Vec<String>,
    /// The line that says so.
    pub line: usize,
}

const RULES: [(&str, &str); 4] = [
    ("exactly one of", "exactly one"),
    ("one and only one of", "exactly one"),
    ("at least one of", "at least one"),
    ("at most one of", "at most one"),
];

/// The rule over fields that a sentence states.
pub fn rule(text: &str, line: usize) -> Option<Rule> {
    let (words, how_many) = RULES
        .iter()
        .find(|(words, _)| find(text, words).is_some())?;
    let start = find(text, words)? + words.len();
    let mut fields = Vec::new();
    for word in text[start..].split_whitespace() {
        let ends = word.ends_with(['.', ';', ':']);
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        match word {
            "and" | "or" | "the" | "" => {}
            _ if word.contains('_') || word.chars().all(|c| c.is_ascii_lowercase()) => {
                if matches!(
                    word,
                    "must" | "is" | "has" | "should" | "may" | "can" | "needs" | "shall"
                ) {
                    break;
                }
                fields.push(word.to_owned());
            }
            _ => break,
        }
        if ends {
            break;
        }
    }
    fields.sort();
    (fields.len() > 1).then_some(Rule {
        how_many,
        fields,
        line,
    })
}

/// The values of which a sentence says that they are all.
pub fn values(text: &str) -> Option<Vec<String>> {
    const WORDS: [&str; 9] = [
        "one of:",
        "one of",
        "allowed values:",
        "allowed values are",
        "possible values:",
        "possible values are",
        "valid values:",
        "supported values:",
        "either",
    ];
    for words in WORDS {
        let Some(start) = find(text, words) else {
            continue;
        };
        if RULES
            .iter()
            .any(|(rule, _)| text[..start + words.len()].to_lowercase().ends_with(rule))
        {
            continue;
        }
        let rest = &text[start + words.len()..];
        let end = rest.find(['.', ';', ')', '(']).unwrap_or(rest.len());
        let list = rest[..end]
            .replace(" or ", ",")
            .replace(" and ", ",")
            .replace(['|', '/'], ",");
        let items: Vec<String> = list
            .split(',')
            .map(|item| item.trim().trim_matches(['`', '"', '\'', ':']).to_owned())
            .filter(|item| !item.is_empty())
            .collect();
        let words = |item: &String| {
            item.chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        };
        if items.len() > 1 && items.iter().all(words) {
            return Some(items);
        }
    }
    None
}

/// The default that a sentence states.
pub fn default(text: &str) -> Option<String> {
    let start = ["defaults to", "default is", "default:"]
        .iter()
        .find_map(|words| find(text, words).map(|at| at + words.len()))?;
    let word = text[start..].split_whitespace().next()?;
    let word = word.trim_matches(['`', '"', '\'', '.', ',', ';', ')']);
    (!word.is_empty()).then(|| word.to_owned())
}

/// The limits that a sentence states, by keyword of a schema.
pub fn limits(text: &str) -> BTreeMap<String, f64> {
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || matches!(c, '–' | ';' | ','))
        .map(|w| w.trim_matches(['.', '`', '(', ')']).to_lowercase())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<f64>().ok();
    let mut found = BTreeMap::new();
    for window in words.windows(4) {
        match window {
            ["at", "most", n, "characters"] | ["up", "to", n, "characters"] => {
                found.extend(number(n).map(|n| ("maxLength".to_owned(), n)));
            }
            ["between", low, "and", high] => range(&mut found, number(low), number(high)),
            _ => {}
        }
    }
    for window in words.windows(3) {
        match window {
            [low, "to", high] => range(&mut found, number(low), number(high)),
            ["maximum" | "max", n, "characters"] => {
                found.extend(number(n).map(|n| ("maxLength".to_owned(), n)));
            }
            _ => {}
        }
    }
    found
}

fn range(found: &mut BTreeMap<String, f64>, low: Option<f64>, high: Option<f64>) {
    if let (Some(low), Some(high)) = (low, high) {
        found.insert("minimum".to_owned(), low);
        found.insert("maximum".to_owned(), high);
    }
}

/// The errors that a sentence names, such as `returns 400 VALIDATION`.
pub fn errors(text: &str, line: usize) -> Vec<ErrorCase> {
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|w| w.trim_matches(['.', ',', ';', ':', '`', '(', ')']))
        .collect();
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let Some(status) = word.parse().ok().filter(|s| (400..600).contains(s)) else {
            continue;
        };
        let code = words
            .get(index + 1)
            .filter(|w| is_code(w))
            .map(|w| (*w).to_owned());
        let verb = index > 0
            && matches!(
                words[index - 1].to_lowercase().as_str(),
                "returns" | "return" | "answers" | "with"
            );
        if code.is_some() || verb {
            found.push(ErrorCase { status, code, line });
        }
    }
    found
}

/// An error code: capitals and underscores.
pub fn is_code(text: &str) -> bool {
    text.len() > 2
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Where words stand in a text, whatever their case, at the start of a word.
fn find(text: &str, words: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    lower
        .match_indices(words)
        .map(|(at, _)| at)
        .find(|at| !lower[..*at].ends_with(|c: char| c.is_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_several_wordings() {
        for text in [
            "A name. One of a, b_c.",
            "Either `a` or `b_c`.",
            "Allowed values: a | b_c",
            "Must be one of: a and b_c; no other",
        ] {
            assert_eq!(values(text).unwrap(), ["a", "b_c"], "{text}");
        }
        for text in [
            "One of the agents that you made.",
            "Exactly one of a, b must be given.",
            "Someone of a, b",
        ] {
            assert_eq!(values(text), None, "{text}");
        }
    }

    #[test]
    fn the_rule_is_read_in_several_wordings() {
        for text in [
            "Exactly one of b, a, or c_d must be provided.",
            "Give exactly one of `a`, `b` and `c_d`.",
            "You send exactly one of c_d, a, b.",
        ] {
            let rule = rule(text, 1).unwrap();
            assert_eq!(
                (rule.how_many, rule.fields),
                ("exactly one", vec!["a".into(), "b".into(), "c_d".into()]),
                "{text}"
            );
        }
        assert_eq!(rule("One of a, b.", 1), None);
    }

    #[test]
    fn errors_defaults_and_limits_are_read() {
        let found = errors("Without it the service returns 400 VALIDATION, or 404.", 3);
        assert_eq!(
            found,
            [ErrorCase {
                status: 400,
                code: Some("VALIDATION".into()),
                line: 3
            }]
        );
        assert!(errors("At most 500 characters.", 1).is_empty());
        assert_eq!(
            default("Items in a page. Defaults to `50`.").as_deref(),
            Some("50")
        );
        assert_eq!(
            limits("A title, at most 200 characters.")["maxLength"],
            200.0
        );
        let range = limits("Between 1 and 100.");
        assert_eq!((range["minimum"], range["maximum"]), (1.0, 100.0));
    }
}
