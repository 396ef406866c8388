//! The form of a report.

use clap::ValueEnum as _;
use xtask::drift::report::Format;

use super::*;

/// A document of its own, so that the form does not move with the real one.
const DOCUMENT: &str = "\
openapi: 3.0.3
paths:
  /things:
    post:
      operationId: createThing
      requestBody:
        content: { application/json: { schema: { $ref: '#/components/schemas/NewThing' } } }
      responses:
        2XX:
          content: { application/json: { schema: { $ref: '#/components/schemas/Thing' } } }
        '400': { description: Refused. }
components:
  schemas:
    NewThing:
      type: object
      properties:
        color: { type: string, enum: [red, green, blue], description: What it looks like, in a sentence that does not fit. }
        hidden: { type: boolean }
    Thing:
      type: object
      properties:
        id: { type: string, nullable: true }
";

const PAGE: &str = "\
POST /things

Body

color
string
One of red, green.
size
number

Response

id
string

Errors

400Refused.
";

const KNOWN: &str = "\
- place: '#/components/schemas/NewThing/properties/hidden'
  scope: createThing
  document: boolean
  page: nothing
  evidence: 'The service takes it.'
  date: 2026-05-31
- place: '#/components/schemas/Thing/properties/id'
  scope: createThing
  document: integer
  page: string
  evidence: 'It was so once.'
  date: 2026-05-31
";

/// Drifts of each weight, a known deviation, and one that is stale.
fn drifted() -> (Document, Outcome) {
    let document = document_of(DOCUMENT);
    let outcome = outcome_with(&document, KNOWN, "page.txt", PAGE);
    (document, outcome)
}

/// Three drifts alone.
fn three() -> (Document, Outcome) {
    let (document, mut outcome) = drifted();
    outcome.findings.retain(|f| f.kind != StaleDeviation);
    (document, outcome)
}

#[test]
fn a_report_of_three_drifts_keeps_its_form() {
    let (document, outcome) = three();
    let report = Report {
        document: &document,
        outcome: &outcome,
    };
    let text = report.render(Format::Text);
    assert!(text.lines().count() <= 24, "one screen:\n{text}");
    insta::assert_snapshot!("text", text);
    let (document, outcome) = drifted();
    let report = Report {
        document: &document,
        outcome: &outcome,
    };
    insta::assert_snapshot!("github", report.render(Format::Github));
    insta::assert_snapshot!("markdown", report.render(Format::Markdown));
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn a_report_in_json_names_each_place() {
    let (document, outcome) = three();
    let report = Report {
        document: &document,
        outcome: &outcome,
    };
    let value: serde_json::Value = serde_json::from_str(&report.render(Format::Json)).unwrap();
    assert_eq!(value["verdict"], "drift");
    let drift = value["drift"].as_array().unwrap();
    let severities: Vec<_> = drift
        .iter()
        .map(|d| d["severity"].as_str().unwrap())
        .collect();
    assert_eq!(severities, ["breaking", "additive", "informational"]);
    for one in drift {
        assert_eq!(one["place"]["file"], "openapi/blocks.yaml");
        assert!(one["place"]["line"].as_u64().unwrap() > 1);
        assert!(one["origin"]["line"].as_u64().unwrap() > 1);
    }
    assert_eq!(
        value["known"].as_array().unwrap().len(),
        report.known().len()
    );
}

#[test]
fn the_exit_code_says_what_the_verdict_says() {
    let (document, drift) = three();
    let mut sync = drift.clone();
    sync.findings.retain(|f| f.known.is_some());
    let mut failed = drift.clone();
    failed.errors.push("the page is gone".to_owned());
    for (outcome, code, verdict) in [
        (&sync, 0, "in sync, 1 known deviation"),
        (&drift, 1, "3 drifts, 1 known deviation"),
        (
            &failed,
            2,
            "3 drifts, 1 known deviation, and not everything could be checked",
        ),
    ] {
        let report = Report {
            document: &document,
            outcome,
        };
        assert_eq!(
            (report.exit_code(), report.verdict().as_str()),
            (code, verdict)
        );
        for format in Format::value_variants()
            .iter()
            .filter(|f| **f != Format::Json)
        {
            assert!(report.render(*format).contains(verdict), "{format:?}");
        }
    }
}
