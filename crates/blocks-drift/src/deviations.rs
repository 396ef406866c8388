//! Known deviations: the differences from the OpenAPI document that are intended, each with its evidence.

use anyhow::{Result, anyhow, bail};
use serde::Deserialize;

use crate::document::Document;
use crate::finding::{CheckResult, Finding, Kind, Severity, Side};
use crate::spanned::Spanned;

/// The path, in the repository, of the list of known deviations.
pub const FILE: &str = "openapi/deviations.yaml";

/// The list of known deviations.
#[derive(Debug)]
pub struct Deviations {
    entries: Vec<Entry>,
    spanned: Spanned,
}

/// An entry of the list: an intended difference at one place, or the same difference at several places.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The place in the OpenAPI document, such as `#/components/schemas/Session/properties/title`, or a list of places.
    /// In a place, `*` matches any text.
    place: Places,
    /// The operation or schema that differs, `document` for the OpenAPI document as a whole, or `*` for any of these.
    scope: String,
    /// The OpenAPI document's statement, as a report prints it.
    document: String,
    /// The page's statement, if the entry is about a page.
    page: Option<String>,
    /// The service's behaviour, if the entry is about the service.
    service: Option<String>,
    /// The SDK's behaviour, if the entry is about the SDK.
    sdk: Option<String>,
    /// Why the OpenAPI document is right.
    evidence: String,
    /// The day of the decision, such as `2026-05-31`.
    date: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Places {
    One(String),
    Class(Vec<String>),
}

impl Entry {
    fn places(&self) -> &[String] {
        match &self.place {
            Places::One(place) => std::slice::from_ref(place),
            Places::Class(places) => places,
        }
    }

    fn other(&self) -> Option<(Side, &str)> {
        let sides =
            [(Side::Page, &self.page), (Side::Service, &self.service), (Side::Sdk, &self.sdk)];
        let mut given = sides.into_iter().filter_map(|(side, text)| Some((side, text.as_deref()?)));
        let first = given.next()?;
        given.next().is_none().then_some(first)
    }

    fn fault(&self, document: &Document) -> Option<&'static str> {
        let date: Vec<&str> = self.date.split('-').collect();
        let digits = date.iter().all(|p| p.chars().all(|c| c.is_ascii_digit()));
        if self.places().is_empty() || self.places().iter().any(|p| !p.starts_with("#/")) {
            Some("`place` must be a pointer such as #/components/schemas/Session")
        } else if self.other().is_none() {
            Some("exactly one of `page`, `service` and `sdk` is needed")
        } else if self.evidence.trim().is_empty() {
            Some("`evidence` is empty")
        } else if !digits || date.iter().map(|p| p.len()).ne([4, 2, 2]) {
            Some("`date` must be a day such as 2026-05-31")
        } else if !matches!(self.scope.as_str(), "*" | "document") && !document.names(&self.scope) {
            Some("`scope` must be an operation or a schema of the document, `document` or `*`")
        } else {
            None
        }
    }

    fn is_about(&self, place: &str, finding: &Finding) -> bool {
        let scope = if finding.scope.is_empty() { "document" } else { &finding.scope };
        fits(&place[1..], &finding.pointer)
            && (self.scope == "*" || self.scope == scope)
            && self.other() == Some((finding.side, finding.other.as_str()))
            && self.document == finding.document
    }

    /// Returns whether the checks compared the entry's operation or schema, or the OpenAPI document as a whole, with
    /// `side`. If the scope is `*`, the checks must have compared every operation.
    fn was_covered(&self, document: &Document, side: Side, result: &CheckResult) -> bool {
        let covered = |scope: &str| {
            let scope = if scope == "document" { "" } else { scope };
            result.covered.iter().any(|c| c.side == side && c.scope == scope)
        };
        if self.scope != "*" {
            return covered(&self.scope);
        }
        // An operation that no page describes also counts as compared. Otherwise, an entry with the scope `*` could
        // never be reported as stale while such an operation exists.
        let mut operations = document.operations().into_iter();
        operations.all(|o| {
            covered(&o.id)
                || result
                    .findings
                    .iter()
                    .any(|f| f.kind == Kind::OperationRemoved && f.scope == o.id)
        })
    }
}

/// Returns whether a place matches a pointer. `*` in the place matches any text.
fn fits(place: &str, pointer: &str) -> bool {
    match place.split_once('*') {
        None => place == pointer,
        Some((before, after)) => pointer.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && fits(after, &rest[at..]))
        }),
    }
}

impl Deviations {
    /// Parses the list of known deviations.
    ///
    /// # Errors
    /// Fails if an entry is invalid; the error contains the line.
    pub fn parse(file: &str, text: &str, document: &Document) -> Result<Self> {
        let spanned = Spanned::parse(file, text)?;
        let entries = match &spanned.value {
            serde_json::Value::Null => Vec::new(),
            list => serde_path_to_error::deserialize::<_, Vec<Entry>>(list).map_err(|e| {
                let pointer =
                    format!("/{}", e.path().to_string().trim_start_matches('[').replace(']', ""));
                let line = spanned.position(&pointer.replace('.', "/")).line;
                anyhow!("{file}:{line}: {}: {}", e.path(), e.inner())
            })?,
        };
        for (index, entry) in entries.iter().enumerate() {
            if let Some(fault) = entry.fault(document) {
                bail!("{file}:{}: {fault}", spanned.position(&format!("/{index}")).line);
            }
        }
        Ok(Self { entries, spanned })
    }

    /// Marks each finding that matches an entry as known. An entry names one or more places in the OpenAPI document.
    /// Also adds a finding for each of these places that is stale. A place is stale if the checks compared the scope of
    /// the entry, but no finding at this place matches the entry: the difference is gone, or is another one now. An
    /// entry about the service is never stale, because one run sees only some of the service's responses.
    pub fn apply(&self, document: &Document, result: &mut CheckResult) {
        let mut stale = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let Some((side, other)) = entry.other() else {
                continue;
            };
            let judged = side != Side::Service && entry.was_covered(document, side, result);
            for place in entry.places() {
                let mut used = false;
                for finding in result.findings.iter_mut().filter(|f| entry.is_about(place, f)) {
                    used = true;
                    finding.known = Some(format!("{} ({})", entry.evidence.trim(), entry.date));
                }
                if judged && !used {
                    stale.push(self.stale(
                        index,
                        entry,
                        place,
                        &format!("document: {}; {side}: {other}", entry.document),
                    ));
                }
            }
        }
        result.findings.extend(stale);
    }

    fn stale(&self, index: usize, entry: &Entry, place: &str, reading: &str) -> Finding {
        Finding {
            kind: Kind::StaleDeviation,
            severity: Severity::Informational,
            side: Side::Deviations,
            scope: entry.scope.clone(),
            subject: "a known deviation that no longer applies".to_owned(),
            pointer: place[1..].to_owned(),
            document: "differs in another way, or not at all".to_owned(),
            other: reading.to_owned(),
            origin: self.spanned.file.clone(),
            line: Some(self.spanned.position(&format!("/{index}/place")).line),
            known: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str =
        "- { place: '#/a', scope: op, document: x, page: y, evidence: e, date: 2026-05-31 }\n";
    const DOCUMENT: &str = "paths: { /a: { get: { operationId: op } } }";

    #[test]
    fn invalid_entries_are_errors_with_their_line() {
        for (from, to, why) in [
            ("page: y", "page: y, sdk: z", "exactly one"),
            ("evidence: e", "evidence: ''", "evidence"),
            ("2026-05-31", "soon", "date"),
            ("'#/a'", "a", "pointer"),
            ("'#/a'", "[]", "pointer"),
            ("scope: op", "scope: opp", "operation"),
            ("page: y", "pgae: y", "pgae"),
        ] {
            let text = format!("\n{}", ENTRY.replace(from, to));
            let document = Document::parse("t", DOCUMENT).unwrap();
            let error = Deviations::parse("d.yaml", &text, &document).unwrap_err().to_string();
            assert!(error.starts_with("d.yaml:2"), "{error}");
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn an_empty_list_has_no_entries() {
        let document = Document::parse("t", DOCUMENT).unwrap();
        for text in ["", "# No deviations.\n", "---\n", "[]\n"] {
            let known = Deviations::parse("d.yaml", text, &document).unwrap();
            assert!(known.entries.is_empty(), "{text}");
        }
        assert!(Deviations::parse("d.yaml", "---\n[]\n---\n[]\n", &document).is_err());
    }

    #[test]
    fn a_star_matches_any_text() {
        assert!(fits("/paths/*/responses/401", "/paths/~1a/get/responses/401"));
        assert!(!fits("/paths/*/responses/401", "/paths/~1a/get/responses/404"));
        assert!(!fits("/a", "/a/b"));
    }
}
