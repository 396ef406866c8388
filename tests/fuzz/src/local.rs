//! Targets that read files: a page of the vendor's documentation, and the prompts of a batch.

use std::sync::LazyLock;

use blocks_drift::document::Document;
use blocks_drift::page::{self, PageText};

/// Checks a documentation page. The check may return an error, but must not panic. If the check returns no error, it
/// must have compared a part of the page, or must report a difference.
pub fn page(data: &[u8]) {
    static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/blocks.yaml");
        let text = std::fs::read_to_string(path).expect("the OpenAPI document");
        Document::parse("blocks.yaml", &text).expect("a document")
    });
    let page = PageText {
        name: "page".into(),
        text: String::from_utf8_lossy(data).into_owned(),
    };
    let _ = page::check_indexed(&DOCUMENT, &page);
    if let Ok(result) = page::check(&DOCUMENT, &page) {
        assert!(
            !result.covered.is_empty() || !result.findings.is_empty(),
            "in sync with nothing read"
        );
    }
}

/// Parses a batch file. The parser must return prompts with unique ids, or an error that starts with the number of the
/// invalid line.
pub fn batch(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match blocks_cli::prompts::parse(&text) {
        Ok(prompts) => {
            let ids: std::collections::HashSet<_> = prompts.iter().map(|p| &p.id).collect();
            assert_eq!(ids.len(), prompts.len());
        }
        Err(error) => assert!(error.starts_with("line "), "{error}"),
    }
}
