//! Tests that the examples of the SDK are short and do not need `futures_util` for streams.

use std::path::Path;

#[test]
fn examples_are_short_and_need_no_futures_util() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/blocks-sdk/examples");
    let mut count = 0;
    for entry in folder.read_dir().expect("the examples") {
        let path = entry.expect("an example").path();
        if path.is_dir() {
            continue;
        }
        let name = path.display();
        let text = std::fs::read_to_string(&path).expect("an example");
        let lines = text.lines().count();
        assert!(lines <= 30, "{name} has {lines} lines");
        assert!(!text.contains("futures_util"), "{name}");
        count += 1;
    }
    assert!(count >= 15, "only {count} examples");
}
