//! Where the document differs on purpose: known, with evidence, or stale.

use serde::Deserialize;

use super::docs::advice;
use super::document::Document;
use super::finding::{Finding, Kind, Origin, Outcome, Severity, Side};
use super::marked::Marked;

/// Where the list lies in the repository.
pub const FILE: &str = "openapi/deviations.yaml";

/// The list of known deviations.
#[derive(Debug)]
pub struct Deviations {
    file: String,
    entries: Vec<Entry>,
    marked: Marked,
}

/// One known deviation, as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The place in the document, such as `#/components/schemas/Session/properties/title`.
    place: String,
    /// The operation whose page or answer differs, or the schema of the SDK's type.
    scope: String,
    /// What the document says.
    document: String,
    /// What the page says.
    page: Option<String>,
    /// What the service says.
    service: Option<String>,
    /// What the SDK says.
    sdk: Option<String>,
    /// Why the document is right.
    evidence: String,
    /// When that was decided, as `2026-05-31`.
    date: String,
}

impl Entry {
    fn other(&self) -> Option<(Side, &str)> {
        let sides = [
            (Side::Page, &self.page),
            (Side::Service, &self.service),
            (Side::Sdk, &self.sdk),
        ];
        let mut given = sides
            .into_iter()
            .filter_map(|(side, text)| Some((side, text.as_deref()?)));
        let first = given.next()?;
        given.next().is_none().then_some(first)
    }

    fn fault(&self) -> Option<&'static str> {
        let date: Vec<&str> = self.date.split('-').collect();
        let digits = date.iter().all(|p| p.chars().all(|c| c.is_ascii_digit()));
        if !self.place.starts_with("#/") {
            Some("`place` is a pointer such as #/components/schemas/Session")
        } else if self.other().is_none() {
            Some("exactly one of `page`, `service` and `sdk` is needed")
        } else if self.evidence.trim().is_empty() {
            Some("`evidence` is empty")
        } else if !digits || date.iter().map(|p| p.len()).ne([4, 2, 2]) {
            Some("`date` is a day such as 2026-05-31")
        } else {
            None
        }
    }

    fn is_about(&self, finding: &Finding) -> bool {
        self.place[1..] == finding.pointer
            && self.scope == finding.scope
            && self.other() == Some((finding.side, finding.other.as_str()))
            && self.document == finding.document
    }
}

impl Deviations {
    /// Reads the list.
    ///
    /// # Errors
    /// An entry is misshapen; the line is named.
    pub fn parse(file: &str, text: &str, document: &Document) -> Result<Self, String> {
        let marked = Marked::parse(file, text)?;
        let entries = match &marked.value {
            serde_json::Value::Null => Vec::new(),
            list => serde_path_to_error::deserialize::<_, Vec<Entry>>(list)
                .map_err(|e| format!("{file}: entry {}: {}", e.path(), e.inner()))?,
        };
        for (index, entry) in entries.iter().enumerate() {
            let unknown = (!document.names(&entry.scope))
                .then_some("`scope` is no operation and no schema of the document");
            if let Some(fault) = entry.fault().or(unknown) {
                let line = marked.place(&format!("/{index}")).line;
                return Err(format!("{file}:{line}: {fault}"));
            }
        }
        Ok(Self {
            file: file.to_owned(),
            entries,
            marked,
        })
    }

    /// Marks the findings that are known, and adds one for each entry that no longer
    /// applies, as far as the checks covered it. An entry about the service is judged only
    /// by what it makes known: one run sees a part of what the service can answer.
    pub fn apply(&self, outcome: &mut Outcome) {
        let mut used = vec![false; self.entries.len()];
        for finding in &mut outcome.findings {
            if let Some(index) = self.entries.iter().position(|e| e.is_about(finding)) {
                used[index] = true;
                let entry = &self.entries[index];
                finding.known = Some(format!("{} ({})", entry.evidence.trim(), entry.date));
            }
        }
        for (index, entry) in self.entries.iter().enumerate().filter(|(i, _)| !used[*i]) {
            let Some((side, other)) = entry.other() else {
                continue;
            };
            if outcome.covered.contains(&(side, entry.scope.clone())) {
                outcome.findings.push(self.stale(index, entry, side, other));
            }
        }
    }

    fn stale(&self, index: usize, entry: &Entry, side: Side, other: &str) -> Finding {
        let reading = format!("document: {}; {}: {other}", entry.document, side.as_str());
        Finding {
            kind: Kind::StaleDeviation,
            severity: Severity::Informational,
            side: Side::Deviations,
            scope: entry.scope.clone(),
            subject: "a known deviation that no longer applies".to_owned(),
            pointer: entry.place[1..].to_owned(),
            document: "differs otherwise, or not at all".to_owned(),
            other: reading,
            origin: Origin {
                name: self.file.clone(),
                line: Some(self.marked.place(&format!("/{index}/place")).line),
            },
            advice: advice(Kind::StaleDeviation).to_owned(),
            known: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str =
        "- { place: '#/a', scope: op, document: x, page: y, evidence: e, date: 2026-05-31 }\n";

    fn parse(text: &str) -> Result<Deviations, String> {
        let document = "paths: { /a: { get: { operationId: op } } }";
        Deviations::parse("d.yaml", text, &Document::parse("t", document).unwrap())
    }

    #[test]
    fn misshapen_entries_are_errors_with_their_line() {
        for (from, to, why) in [
            ("page: y", "page: y, sdk: z", "exactly one"),
            ("evidence: e", "evidence: ''", "evidence"),
            ("2026-05-31", "soon", "date"),
            ("'#/a'", "a", "pointer"),
            ("scope: op", "scope: opp", "operation"),
        ] {
            let text = format!("\n{}", ENTRY.replace(from, to));
            let error = parse(&text).unwrap_err();
            assert!(
                error.starts_with("d.yaml:2") && error.contains(why),
                "{error}"
            );
        }
        let error = parse(&ENTRY.replace("page: y", "pgae: y")).unwrap_err();
        assert!(error.contains("pgae"), "{error}");
    }
}
