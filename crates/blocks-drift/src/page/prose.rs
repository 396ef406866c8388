//! Finds facts about the API in sentences of a page: allowed values, defaults, limits, rules about fields, errors, and
//! the order of lists.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| Regex::new($text).expect("a pattern"));
    };
}

const ITEM: &str = r#"[`"']?[A-Za-z0-9][A-Za-z0-9_.-]*[`"']?"#;

/// A rule that says how many of several fields must be given.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// `exactly one`, `at least one` or `at most one`.
    pub how_many: String,
    /// The fields, sorted.
    pub fields: Vec<String>,
    /// The line of the rule.
    pub line: usize,
}

/// An error status, and the error code that the page states for this status.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorCase {
    /// The status.
    pub status: u16,
    /// The error code, if the page states it.
    pub code: Option<String>,
    /// The line of the error.
    pub line: usize,
}

/// Splits a list in a sentence, such as `a, b or c`, into its items.
fn items(list: &str) -> Vec<String> {
    pattern!(SEPARATOR, r"\s*(?:[,|/;•\n]|\bor\b|\band\b)\s*");
    let trim = |item: &str| item.trim_matches(['`', '"', '\'', '.', ' ']).to_owned();
    SEPARATOR.split(list).map(trim).filter(|item| !item.is_empty()).collect()
}

fn list_pattern(before: &str) -> Regex {
    let separator = r"(?:\s*[,|/•]\s*(?:or\s+|and\s+)?|\s+or\s+|\s+and\s+)";
    Regex::new(&format!(r"(?i){before}\s*[:—-]?\s*({ITEM}(?:{separator}{ITEM})+)"))
        .expect("a pattern")
}

/// Finds the rule about fields in a sentence, such as `exactly one of a, b`.
pub fn rule(text: &str, line: usize) -> Option<Rule> {
    static RULE: LazyLock<Regex> = LazyLock::new(|| {
        list_pattern(
            r"\b(exactly one|one and only one|at least one|at most one|one or more|only one)\s+of(?: the following| the fields)?",
        )
    });
    let found = RULE.captures(text)?;
    let how_many = match found[1].to_lowercase().as_str() {
        "one and only one" | "only one" => "exactly one".to_owned(),
        "one or more" => "at least one".to_owned(),
        other => other.to_owned(),
    };
    let mut fields = items(&found[2]);
    fields.sort();
    Some(Rule { how_many, fields, line })
}

/// Finds the list of all allowed values in a sentence, such as `one of a, b`, or the only allowed value, such as
/// `always user`.
pub fn values(text: &str) -> Option<Vec<String>> {
    static LIST: LazyLock<Regex> = LazyLock::new(|| {
        list_pattern(
            r"(?:\bone of(?: the following)?(?: values)?|\b(?:allowed|possible|valid|supported|accepted|available|permitted)(?: values| options| types)?(?: are| is)?|\beither|\bvalues(?: are)?|\boptions(?: are)?|\bcan be|\bmust be)",
        )
    });
    pattern!(ALWAYS, r#"(?i)\balways\s+[`"']?([a-z][a-z0-9_]*)"#);
    pattern!(RULE, r"(?i)(exactly|at least|at most|only)\s+one of");
    let rule = RULE.find(text).map(|m| m.range());
    let list = LIST.captures_iter(text).find(|c| {
        let at = c.get(0).map_or(0, |m| m.start());
        !rule.as_ref().is_some_and(|r| r.contains(&at))
    });
    if let Some(found) = list {
        return Some(items(&found[1]));
    }
    let fixed = ALWAYS.captures(text)?;
    let word = fixed[1].to_owned();
    let other = [
        "null", "the", "a", "an", "be", "is", "set", "sent", "present", "returned", "in", "at",
        "true", "false", "empty",
    ];
    (!other.contains(&word.as_str())).then(|| vec![word])
}

/// Finds the default in a sentence, such as `Defaults to 50`.
pub fn default(text: &str) -> Option<String> {
    pattern!(
        DEFAULT,
        r#"(?i)\b(?:defaults to|default is|default:|by default,?)\s*(\[[^\]]*\]|`[^`]+`|"[^"]+"|[A-Za-z0-9_.-]+)"#
    );
    let value = DEFAULT.captures(text)?[1].trim_matches(['`', '"', '\'', '.']).to_owned();
    Some(value).filter(|v| !["the", "a", "all", "to", "and"].contains(&v.as_str()))
}

/// Finds the limits in a sentence, such as `at most 200 characters`. Returns the number of each limit by its JSON
/// Schema keyword, such as `maxLength`. Also returns how many numbers in the sentence were not understood. Numbers in
/// names and errors, such as `ISO 8601` and `400 VALIDATION`, are not counted.
pub fn limits(text: &str, is_text: bool, is_list: bool) -> (BTreeMap<String, f64>, usize) {
    const NUMBER: &str = r"(\d+(?:,\d{3})*(?:\.\d+)?)";
    static RANGE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(
            r"(?i)(?:between\s+)?\b{NUMBER}\s*(?:–|-|—|\bto\b|\band\b|\.\.)\s*{NUMBER}(?:\s+(\w+))?"
        ))
        .expect("a pattern")
    });
    static LOW: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(r"(?i)(?:\bmin(?:imum)?\b|\bat least|\bno less than|>=|≥|\bcounted from|\bstarts? (?:at|from|with)|\bfrom)(?:\s+(?:value|length|of|is|number))*\s*[:=]?\s*{NUMBER}(?:\s+(\w+))?")).expect("a pattern")
    });
    static HIGH: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(&format!(r"(?i)(?:\bmax(?:imum)?\b|\bat most|\bno more than|\bup to|\bnot exceed|<=|≤|\blimit(?:ed)?(?: to| of| is)?)(?:\s+(?:value|length|of|is|number))*\s*[:=]?\s*{NUMBER}(?:\s+(\w+))?|\b{NUMBER}\s+(\w+\s+)?or\s+(?:fewer|less)")).expect("a pattern")
    });
    pattern!(ANY, r"\b\d+(?:,\d{3})*(?:\.\d+)?\b");
    pattern!(
        NAMES,
        r"(?i)(ISO|RFC|UUID)[ -]?v?\d+|\b[45]\d\d\s+`?[A-Z_]{3,}|\b(returns?|with)\s+`?[45]\d\d\b|\b(HTTP|status)\s+\d+"
    );
    let mut rest = NAMES.replace_all(text, "").into_owned();
    let mut found = BTreeMap::new();
    let number = |text: &str| text.replace(',', "").parse::<f64>().ok();
    let mut add = |side: &str, value: Option<f64>, unit: Option<&str>, whole: &str| {
        let length = whole.to_lowercase().contains("length")
            || unit
                .is_some_and(|u| u.to_lowercase().starts_with("char") || u.starts_with("letter"));
        let time = unit.is_some_and(|u| ["ms", "seconds", "minutes", "hours", "days"].contains(&u));
        let name = match () {
            () if time => return,
            () if length || (is_text && unit.is_none()) => format!("{side}Length"),
            () if is_list => format!("{side}Items"),
            () => format!("{side}imum"),
        };
        if let Some(value) = value {
            found.entry(name).or_insert(value);
        }
    };
    let known_unit = |m: Option<regex::Match<'_>>| {
        m.map(|m| m.as_str().to_owned())
            .filter(|u| !["and", "or", "by", "the"].contains(&u.as_str()))
    };
    for (index, pattern) in [&*RANGE, &*LOW, &*HIGH].into_iter().enumerate() {
        let text = rest.clone();
        for c in pattern.captures_iter(&text) {
            let unit = known_unit(c.get(if index == 0 { 3 } else { 2 }));
            if index == 0 {
                add("min", number(&c[1]), unit.as_deref(), &c[0]);
                add("max", number(&c[2]), unit.as_deref(), &c[0]);
            } else {
                let value = c.get(1).or(c.get(3)).and_then(|m| number(m.as_str()));
                let unit = unit.or_else(|| known_unit(c.get(4)).map(|u| u.trim().to_owned()));
                add(if index == 1 { "min" } else { "max" }, value, unit.as_deref(), &c[0]);
            }
        }
        rest = pattern.replace_all(&rest, "").into_owned();
    }
    let unread = ANY.find_iter(&rest).count();
    (found, unread)
}

/// Finds the errors that a sentence names, such as `returns 400 VALIDATION`.
pub fn errors(text: &str, line: usize) -> Vec<ErrorCase> {
    pattern!(
        ERROR,
        r"(\breturns?|\banswers?|\bresponds? with|\bwith|\ban?)?\s*`?\b([45]\d\d)\b`?(?:\s+`?([A-Z][A-Z0-9_-]{2,})\b)?(\s+(?:ms|seconds|characters|items|requests))?"
    );
    let cases = ERROR.captures_iter(text).filter(|c| {
        c.get(4).is_none() && (c.get(1).is_some_and(|m| m.as_str().len() > 4) || c.get(3).is_some())
    });
    cases
        .filter_map(|c| {
            let code = c.get(3).map(|m| m.as_str().to_owned());
            Some(ErrorCase { status: c[2].parse().ok()?, code, line })
        })
        .collect()
}

/// Returns whether a text at the top of a page says that the operation of the page is deprecated. The text says so with
/// a sentence such as `This endpoint is deprecated`, or with a mark at its start, such as `Deprecated: use …`. `own`
/// returns whether a path in such a sentence is a path of the page.
pub fn deprecated(text: &str, own: impl Fn(&str) -> bool) -> bool {
    // The subject of the sentence must be the operation: `The limit of this endpoint is deprecated` does not match.
    const START: &str = r"(?:^|[.!?:;,—–]\s+|\bthat\s+)[^A-Za-z/]*";
    const NOUN: &str = r"(?:(?:API|REST)\s+)?(?:endpoint|operation|method|route|call|API)";
    const IS: &str = r"\s+(?:is|was|has\s+been)\s+(?:(?:now|already|officially)\s+)?deprecated\b";
    static SENTENCE: LazyLock<Regex> = LazyLock::new(|| {
        let other = format!(r"this\s+is\s+a\s+deprecated\s+{NOUN}\b");
        Regex::new(&format!("(?i){START}(?:(?:this|the)\\s+{NOUN}{IS}|{other})"))
            .expect("a pattern")
    });
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        let methods = "(?:GET|POST|PUT|PATCH|DELETE)";
        Regex::new(&format!(r"(?i){START}(?:the\s+)?{methods}\s+(/\S+)(?:\s+{NOUN})?{IS}"))
            .expect("a pattern")
    });
    pattern!(
        MARK,
        r"(?i)^[^A-Za-z]*deprecated\W*(?:$|[:.,!)\]—–-]|\b(?:since|in|as of|from|and will)\b)"
    );
    pattern!(
        PART,
        r"(?i)^[^A-Za-z]*deprecated\W+(?:(?:the|this|these|all)\s+)?(?:\S+\s+)?(?:fields?|parameters?|headers?|values?|propert(?:y|ies)|options?|agents?)\b"
    );
    let text = text.replace(['`', '*'], "");
    let named = |found: regex::Captures<'_>| own(found[1].trim_end_matches('/'));
    SENTENCE.is_match(&text)
        || NAMED.captures_iter(&text).any(named)
        || (MARK.is_match(&text) && !PART.is_match(&text))
}

/// Returns the sort order that a sentence states for a list: `newest first` or `oldest first`.
pub fn order(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| text.contains(w));
    match (
        has(&["newest first", "most recent first", "newest-first", "descending"]),
        has(&["oldest first", "oldest-first", "ascending"]),
    ) {
        (true, false) => Some("newest first"),
        (false, true) => Some("oldest first"),
        _ => None,
    }
}

/// Parses a row whose cells are joined, such as `400VALIDATIONNone of them was given`. The last capital letter (`N` in
/// the example) can belong to the error code or to the sentence after the code. If one of the two possible codes is in
/// `known`, this code is returned. Otherwise, the text after the letter decides: `one` is not the start of a sentence,
/// so the letter belongs to the sentence. In `409TAKENsome_field is taken`, the sentence starts with a field name, so
/// the letter belongs to the code.
pub fn joined_row(text: &str, line: usize, known: &[String]) -> Option<ErrorCase> {
    pattern!(ROW, r"^(\d{3})\s*([A-Z0-9_-]*)(.*)$");
    let found = ROW.captures(text)?;
    let status: u16 = found[1].parse().ok().filter(|s| (100..600).contains(s))?;
    let (long, rest) = (&found[2], &found[3]);
    let short = &long[..long.len().saturating_sub(1)];
    let is_known = |code: &str| known.iter().any(|k| k == code);
    let sentence = rest.split([' ', ',', '.']).next().unwrap_or_default();
    let code = match () {
        () if is_known(long) => long,
        () if is_known(short) => short,
        () if !rest.starts_with(|c: char| c.is_ascii_lowercase()) || sentence.contains('_') => long,
        () => short,
    };
    let code = (code.len() > 2).then(|| code.to_owned());
    Some(ErrorCase { status, code, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_many_wordings() {
        for text in [
            "A name. One of a, b_c.",
            "Either `a` or `b_c`.",
            "Allowed values: a | b_c",
            "Must be one of: a and b_c; no other",
            "One of the following: a, b_c",
            "Available options: `a`, `b_c`",
        ] {
            assert_eq!(values(text).unwrap(), ["a", "b_c"], "{text}");
        }
        assert_eq!(values("Always `user`.").unwrap(), ["user"]);
        for text in [
            "One of the agents that you made.",
            "Exactly one of a, b must be given.",
            "Someone of a, b",
            "Always null.",
        ] {
            assert_eq!(values(text), None, "{text}");
        }
    }

    #[test]
    fn rules_are_read_in_many_wordings() {
        for text in [
            "Exactly one of b, a, or c_d must be provided.",
            "Give exactly one of `a`, `b` and `c_d`.",
            "You send exactly one of c_d, a, b.",
        ] {
            let rule = rule(text, 1).unwrap();
            assert_eq!(
                (rule.how_many.as_str(), rule.fields.join(" ").as_str()),
                ("exactly one", "a b c_d"),
                "{text}"
            );
        }
        assert_eq!(rule("One of a, b.", 1), None);
    }

    #[test]
    fn limits_are_read_in_many_wordings() {
        for (text, is_text, is_list, expected) in [
            ("A title, at most 200 characters.", true, false, "maxLength 200"),
            ("Maximum length: 9,000.", true, false, "maxLength 9000"),
            ("Between 1 and 100.", false, false, "maximum 100 minimum 1"),
            ("Minimum 1, maximum 500.", false, false, "maximum 500 minimum 1"),
            ("1–500", false, false, "maximum 500 minimum 1"),
            ("Minimum 1.", false, false, "minimum 1"),
            ("Up to 10 artifacts.", false, true, "maxItems 10"),
            ("200 characters or fewer", true, false, "maxLength 200"),
        ] {
            let (found, unread) = limits(text, is_text, is_list);
            let found: Vec<String> = found.iter().map(|(k, v)| format!("{k} {v}")).collect();
            assert_eq!((found.join(" ").as_str(), unread), (expected, 0), "{text}");
        }
        assert_eq!(limits("Takes 7 tries, ISO 8601, 400 VALIDATION.", false, false).1, 1);
    }

    #[test]
    fn errors_and_defaults_are_read() {
        let found = errors("Without it the service returns 400 VALIDATION, or 404.", 3);
        assert_eq!(found, [ErrorCase { status: 400, code: Some("VALIDATION".into()), line: 3 }]);
        assert!(errors("At most 500 characters, after 500 ms.", 1).is_empty());
        assert_eq!(default("Items in a page. Defaults to `50`.").as_deref(), Some("50"));
        assert_eq!(order("Sorted by time, newest first."), Some("newest first"));
    }

    #[test]
    fn only_a_deprecated_operation_is_one() {
        for text in [
            "This endpoint is deprecated and will be removed. Use `POST /rest/v2/sessions`.",
            "Please note that the operation has been deprecated.",
            "Opens a session. **This API endpoint is now deprecated.**",
            "This is a deprecated endpoint.",
            "The `POST /a` endpoint is deprecated.",
            "POST /a is deprecated.",
            "Deprecated",
            "Deprecated: this endpoint is going away",
            "⚠️ Deprecated since May. Use another one.",
            "[Deprecated] Open a session",
        ] {
            assert!(deprecated(text, |path| path == "/a"), "{text}");
        }
        for text in [
            "This field is deprecated.",
            "The title field of this endpoint is deprecated.",
            "This endpoint is not deprecated.",
            "The old endpoint is deprecated.",
            "POST /b is deprecated. Use this one.",
            "This endpoint ignores fields that are deprecated.",
            "When this endpoint is deprecated, a notice is sent.",
            "Deprecated fields are marked.",
            "Deprecated: the `title` field.",
            "Deprecated agents: none.",
            "false",
        ] {
            assert!(!deprecated(text, |path| path == "/a"), "{text}");
        }
    }

    #[test]
    fn joined_cells_are_split() {
        let known = ["VALIDATION".to_owned()];
        for (text, code) in [
            ("400VALIDATIONNone of them.", "VALIDATION"),
            ("400VALIDATIONagent_name is wrong.", "VALIDATION"),
            ("404GONE_AWAYThe thing left.", "GONE_AWAY"),
            ("409TAKENsome_field is taken.", "TAKEN"),
        ] {
            assert_eq!(joined_row(text, 1, &known).unwrap().code.as_deref(), Some(code));
        }
        assert_eq!(joined_row("4xxVALIDATION", 1, &known), None);
    }
}
