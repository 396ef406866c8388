//! Compares a small program that uses this crate with a program that uses only `reqwest` and `serde`. Measures the
//! number of crates, the time of a clean release build, and the size of the binary.
//!
//! `cargo bench -p blocks-sdk --bench weight`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const SDK: &str = r#"
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), blocks_sdk::Error> {
    let client = blocks_sdk::Client::from_env()?;
    let request = blocks_sdk::CreateSession::new(blocks_sdk::Agent::claude(), "hello");
    println!("{}", client.create_session(request).await?.first_reply().await?.text());
    Ok(())
}
"#;

const BARE: &str = r#"
#[derive(serde::Deserialize)]
struct Session {
    #[serde(rename = "_links")]
    links: Links,
}
#[derive(serde::Deserialize)]
struct Links {
    final_message: Link,
}
#[derive(serde::Deserialize)]
struct Link {
    href: String,
}
#[derive(serde::Deserialize)]
struct Page {
    items: Vec<Message>,
}
#[derive(serde::Deserialize)]
struct Message {
    message: String,
}
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = format!("ApiKey {}", std::env::var("BLOCKS_API_KEY")?);
    let http = reqwest::Client::new();
    let body = serde_json::json!({"agent_name": "claude", "message": "hello"});
    let create = http.post("https://api.blocks.team/rest/v1/sessions").json(&body);
    let session: Session = create.header("authorization", &key).send().await?.json().await?;
    loop {
        let page = http.get(&session.links.final_message.href).header("authorization", &key);
        let page: Page = page.send().await?.json().await?;
        if let Some(reply) = page.items.into_iter().next() {
            println!("{}", reply.message);
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    }
}
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tokio = r#"tokio = { version = "1", features = ["macros", "rt", "time"] }"#;
    let sdk = format!("blocks-sdk = {{ path = {here:?} }}\n{tokio}\n");
    let bare = format!(
        "reqwest = {{ version = \"0.13\", default-features = false, features = [\"json\", \"rustls\"] }}\n\
         serde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n{tokio}\n"
    );
    println!("program   crates   clean build   binary");
    let mut weights = Vec::new();
    for (name, dependencies, source) in [("bare", bare, BARE), ("sdk", sdk, SDK)] {
        let folder = program(here, name, &dependencies, source)?;
        let (crates, seconds, bytes) = weigh(&folder, name)?;
        let size = bytes as f64 / f64::from(1 << 20);
        println!("{name:<8} {crates:>7} {seconds:>11.0} s {size:>6.1} MiB");
        weights.push([crates as f64, seconds, size]);
    }
    let ratio = |i: usize| weights[1][i] / weights[0][i];
    println!(
        "sdk/bare {:>7.2} {:>13.2} {:>10.2}",
        ratio(0),
        ratio(1),
        ratio(2)
    );
    Ok(())
}

/// Writes a program that does not belong to this workspace, so that cargo builds only the program's dependencies.
/// Returns the folder of the program.
fn program(here: &Path, name: &str, dependencies: &str, source: &str) -> std::io::Result<PathBuf> {
    let folder = here.join("../../target/weight").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{dependencies}"
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/main.rs"), source)?;
    // Both programs use the same versions of their common dependencies.
    fs::copy(here.join("../../Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(folder)
}

fn weigh(folder: &Path, name: &str) -> Result<(usize, f64, u64), Box<dyn std::error::Error>> {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        command.current_dir(folder).args(arguments);
        command
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .output()
    };
    // The crates are downloaded before the time is measured.
    cargo(&["fetch"])?;
    let start = Instant::now();
    let built = cargo(&["build", "--release", "--quiet"])?;
    let seconds = start.elapsed().as_secs_f64();
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned().into());
    }
    let tree = cargo(&["tree", "--edges", "normal,build", "--prefix", "none"])?;
    let tree = String::from_utf8(tree.stdout)?;
    let crates: std::collections::BTreeSet<&str> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    let binary = fs::metadata(folder.join("target/release").join(name))?;
    Ok((crates.len(), seconds, binary.len()))
}
