//! Tests that crates and modules depend on each other only as `ARCHITECTURE.md` describes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).expect(name)
}

/// Returns the paths of the `.rs` files below a folder, relative to the repository.
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

#[test]
fn crates_depend_on_each_other_in_one_direction() {
    for (package, allowed) in [
        ("crates/blocks-api", &[][..]),
        ("crates/blocks-sdk", &["blocks-api"]),
        ("crates/blocks-mock", &[]),
        ("crates/blocks-fleet", &["blocks-sdk"]),
        (
            "crates/blocks-cli",
            &["blocks-sdk", "blocks-fleet", "blocks-mock"],
        ),
        ("crates/blocks-drift", &["blocks-sdk", "blocks-mock"]),
        ("xtask", &[]),
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

#[test]
fn the_engine_imports_no_resource() {
    let engine = "crates/blocks-sdk/src/engine";
    let resources = ["client", "guide", "messages", "request", "session"];
    let mut imports = 0;
    for name in sources(engine) {
        let text = read(&name);
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for path in line.split("crate::").skip(1) {
                imports += 1;
                assert!(path.starts_with("engine"), "{name} imports upwards: {line}");
            }
            for resource in resources {
                let path = format!("super::{resource}");
                assert!(!line.contains(&path), "{name} imports upwards: {line}");
            }
        }
    }
    assert!(imports > 30, "the engine's imports were found: {imports}");
}
