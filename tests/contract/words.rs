//! Tests that no text of the repository uses a word that `STYLE.md` replaces.

use std::path::Path;
use std::process::Command;

/// Words and phrases that `STYLE.md` replaces. Each is matched as whole words, in any letter case.
const AVOIDED: [&str; 41] = [
    "answer",
    "answered",
    "answering",
    "answers",
    "as they come",
    "at home",
    "at once",
    "begin",
    "beginning",
    "begins",
    "begun",
    "broke off",
    "chore",
    "chores",
    "doubled",
    "fate",
    "fates",
    "go on",
    "goes on",
    "is no JSON",
    "is no UUID",
    "it holds",
    "lane",
    "lanes",
    "meant",
    "mend",
    "mends",
    "nobody",
    "of yours",
    "one's own",
    "seam",
    "seams",
    "somebody",
    "stands",
    "tell",
    "tells",
    "told",
    "torn",
    "wait on",
    "what holds",
    "whoever",
];

/// Files and folders that are not checked: licences, generated files, test input, and the files that list these words.
const EXEMPT: [&str; 7] = [
    "STYLE.md",
    "tests/contract/words.rs",
    "LICENSE-APACHE",
    "Cargo.lock",
    "crates/blocks-drift/tests/pages/",
    "tests/fuzz/",
    "tests/e2e/certificates/",
];

/// Returns the words of a line in lower case, with a space before and after each word. An underscore separates words,
/// so that the words in names are checked too.
fn words(line: &str) -> String {
    let separate = |c: char| !(c.is_alphanumeric() || c == '\'');
    let words: Vec<_> = line
        .split(separate)
        .filter(|word| !word.is_empty())
        .collect();
    format!(" {} ", words.join(" ").to_lowercase())
}

#[test]
fn no_text_uses_an_avoided_word() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let listed = Command::new("git")
        .arg("ls-files")
        .current_dir(&root)
        .output();
    let listed = String::from_utf8(listed.expect("git").stdout).expect("UTF-8 names");
    let mut checked = 0;
    let mut found = Vec::new();
    for name in listed.lines() {
        if EXEMPT.iter().any(|exempt| name.starts_with(exempt)) {
            continue;
        }
        // Pictures and other files that are not text are skipped.
        let Ok(text) = std::fs::read_to_string(root.join(name)) else {
            continue;
        };
        checked += 1;
        for (number, line) in text.lines().enumerate() {
            let words = words(line);
            for avoided in AVOIDED {
                if words.contains(&format!(" {} ", avoided.to_lowercase())) {
                    found.push(format!(
                        "{name}:{}: `{avoided}`: {}",
                        number + 1,
                        line.trim()
                    ));
                }
            }
        }
    }
    assert!(
        checked > 200,
        "the files of the repository were found: {checked}"
    );
    assert!(
        found.is_empty(),
        "{} lines use an avoided word; see STYLE.md\n{}",
        found.len(),
        found.join("\n")
    );
}
