//! Tests that `DEPENDENCIES.md` names every direct dependency of every crate in this workspace, and
//! no other crate.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

type Names = BTreeSet<String>;

/// Returns the direct dependencies of each crate of this workspace. Omits the crates of the workspace itself.
fn manifests() -> BTreeMap<String, Names> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let names = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies");
        let foreign = all.iter().filter(|d| d["source"].is_string());
        foreign.map(|d| text(&d["name"])).collect()
    };
    packages
        .iter()
        .map(|p| (text(&p["name"]), names(p)))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Returns the names of crates in a line. The names are between backticks.
fn quoted(line: &str) -> impl Iterator<Item = String> + '_ {
    line.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// Returns the crates and the dependencies of each section of `DEPENDENCIES.md`. The heading of a section names the
/// crates. The table names dependencies, and so does the list after the words "The same:".
fn page() -> Vec<(Names, Names)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../DEPENDENCIES.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let mut sections = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let (heading, rest) = section.split_once('\n').expect("a heading");
        let rows = rest.lines().filter_map(|line| line.strip_prefix("| `"));
        let mut names: Names = rows
            .filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
            .collect();
        for paragraph in rest.split("\n\n") {
            if let Some((_, same)) = paragraph.split_once("The same:") {
                names.extend(quoted(same));
            }
        }
        sections.push((quoted(heading).collect(), names));
    }
    sections
}

#[test]
fn the_page_names_the_dependencies_of_the_manifests() {
    let mut manifests = manifests();
    for (crates, named) in page() {
        let mut direct = Names::new();
        for name in &crates {
            direct.extend(manifests.remove(name).expect("a crate with one section"));
        }
        let missing: Vec<_> = direct.difference(&named).collect();
        assert!(missing.is_empty(), "{crates:?}: not named: {missing:?}");
        let gone: Vec<_> = named.difference(&direct).collect();
        assert!(gone.is_empty(), "{crates:?}: not a dependency: {gone:?}");
    }
    assert!(manifests.is_empty(), "without a section: {manifests:?}");
}
