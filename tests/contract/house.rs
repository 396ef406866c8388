//! The house is as `ARCHITECTURE.md` says, and its rooms stay small.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOMS: [&str; 7] = [
    "crates/blocks-api/src",
    "crates/blocks-sdk/src",
    "crates/blocks-mock/src",
    "crates/blocks-cli/src",
    "xtask/src",
    "tests/src",
    "tests/fuzz/src",
];

/// Longer than a person reads at once.
const LONGEST: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).expect(name)
}

/// The `.rs` files below a folder, by their paths in the repository.
fn sources(folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(root().join(folder)).expect(folder) {
        let entry = entry.expect(folder);
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().expect(folder);
        if kind.is_dir() && !path.ends_with("/target") {
            found.extend(sources(&path));
        } else if path.ends_with(".rs") {
            found.insert(path);
        }
    }
    found
}

/// The modules that a page of Markdown names: in each section whose heading is a folder, the
/// code in the first cell of each row. `a/{b,c}.rs` names two.
fn named(page: &str) -> BTreeSet<String> {
    let mut folder = None;
    let mut found = BTreeSet::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            folder = heading.split('`').nth(1);
        }
        let (Some(folder), Some(row)) = (folder, line.strip_prefix("| ")) else {
            continue;
        };
        let cell = row.split(" | ").next().unwrap_or_default();
        for name in cell.split('`').skip(1).step_by(2) {
            let (before, rest) = name.split_once('{').unwrap_or((name, "}"));
            let (inner, after) = rest.split_once('}').expect("a closing brace");
            found.extend(
                inner
                    .split(',')
                    .map(|n| format!("{folder}/{before}{n}{after}")),
            );
        }
    }
    found
}

#[test]
fn the_architecture_names_every_module_and_no_other() {
    let named = named(&read("ARCHITECTURE.md"));
    let there: BTreeSet<String> = ROOMS.into_iter().flat_map(sources).collect();
    let missing: Vec<_> = there.difference(&named).collect();
    let gone: Vec<_> = named.difference(&there).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md lacks {missing:?}");
    assert!(
        gone.is_empty(),
        "ARCHITECTURE.md names {gone:?}, which is not there"
    );
}

/// Clippy holds functions to 80 lines: see `clippy.toml`.
#[test]
fn no_source_file_is_too_long_to_read() {
    for name in ["crates", "xtask", "tests"].into_iter().flat_map(sources) {
        let lines = read(&name).lines().count();
        let generated = name.ends_with("blocks-api/src/generated.rs");
        assert!(
            generated || lines <= LONGEST,
            "{name} has {lines} lines; split it"
        );
    }
}

#[test]
fn arrows_between_the_crates_run_one_way() {
    for (package, allowed) in [
        ("crates/blocks-api", &[][..]),
        ("crates/blocks-sdk", &["blocks-api"]),
        ("crates/blocks-mock", &[]),
        ("crates/blocks-cli", &["blocks-sdk", "blocks-mock"]),
    ] {
        let manifest = read(&format!("{package}/Cargo.toml"));
        let (_, rest) = manifest.split_once("\n[dependencies]\n").expect(package);
        let dependencies = rest.split("\n[").next().unwrap_or_default();
        for line in dependencies
            .lines()
            .filter(|line| line.starts_with("blocks-"))
        {
            let to = line.split(['.', ' ']).next().unwrap_or_default();
            assert!(allowed.contains(&to), "{package} must not depend on {to}");
        }
    }
    for name in sources("crates/blocks-sdk/src") {
        assert!(
            !read(&name).contains("openapi/"),
            "{name} reads the document"
        );
    }
}
