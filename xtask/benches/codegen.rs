//! `cargo xtask codegen` against progenitor alone on the lowered document, both formatted.
//!
//! `cargo bench -p xtask --bench codegen`

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use progenitor::{GenerationSettings, Generator, InterfaceStyle};

const ROUNDS: usize = 15;

fn main() {
    let document = xtask::codegen::lowered().expect("the document");
    let (mut ours, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(time(|| {
            xtask::codegen::generate().expect("the source");
        }));
        alone.push(time(|| progenitor_alone(&document)));
    }
    let (ours, alone) = (median(ours), median(alone));
    println!("cargo xtask codegen  {:>6.1} ms", ours.as_secs_f64() * 1e3);
    println!("progenitor alone     {:>6.1} ms", alone.as_secs_f64() * 1e3);
    println!(
        "ratio                {:>6.2}",
        ours.as_secs_f64() / alone.as_secs_f64()
    );
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn progenitor_alone(document: &serde_json::Value) {
    let parsed = serde_json::from_value(document.clone()).expect("OpenAPI");
    let mut settings = GenerationSettings::new();
    settings.with_interface(InterfaceStyle::Builder);
    let tokens = Generator::new(&settings)
        .generate_tokens(&parsed)
        .expect("code");
    let file = syn::parse2(tokens).expect("Rust");
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("rustfmt");
    let mut stdin = rustfmt.stdin.take().expect("its input");
    stdin
        .write_all(prettyplease::unparse(&file).as_bytes())
        .expect("its input");
    drop(stdin);
    assert!(rustfmt.wait().expect("rustfmt").success());
}
