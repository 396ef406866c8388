//! Fuzz targets for the code that reads responses of the service, pages of the documentation, or files with prompts.
//!
//! Each target takes bytes, and panics if the code breaks a guarantee. `cargo fuzz` searches for inputs that cause a
//! panic. The tests in this file run each target with its seeds (inputs that are stored in a folder), and with changed
//! variants of the seeds. Inputs that `cargo fuzz` found earlier are among the seeds.

mod local;
mod service;

pub use local::{batch, page};
pub use service::{errors, links, responses, retry_after};

/// A function that checks guarantees for one input.
pub type Target = fn(&[u8]);

/// The name and the function of each target.
pub const TARGETS: [(&str, Target); 6] = [
    ("responses", responses),
    ("errors", errors),
    ("links", links),
    ("retry_after", retry_after),
    ("page", page),
    ("batch", batch),
];

/// Returns the folder with the seeds of a target. The target `page` reads the vendor's documentation, so its seeds are
/// the pages in the tests of `blocks-drift`.
pub fn seeds(name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    match name {
        "page" => format!("{root}/../../crates/blocks-drift/tests/pages"),
        _ => format!("{root}/seeds/{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{TARGETS, Target, seeds};

    /// Number of changed variants of each seed.
    const VARIANTS: usize = 60;

    #[test]
    fn seeds_and_variants_of_them_break_no_promise() {
        std::thread::scope(|scope| {
            for (name, target) in TARGETS {
                let folder = seeds(name);
                let files = std::fs::read_dir(&folder).expect("a folder of seeds");
                let mut count = 0;
                for file in files {
                    let seed = std::fs::read(file.unwrap().path()).unwrap();
                    scope.spawn(move || replay(&seed, target));
                    count += 1;
                }
                assert!(count > 0, "{folder} is empty");
            }
        });
    }

    fn replay(seed: &[u8], target: Target) {
        let mut random = fastrand::Rng::with_seed(1);
        target(seed);
        for _ in 0..VARIANTS {
            target(&changed(seed, &mut random));
        }
    }

    /// Returns the seed with a few bytes replaced, a piece removed, or a piece duplicated.
    fn changed(seed: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
        let mut data = seed.to_vec();
        if data.is_empty() {
            return vec![random.u8(..)];
        }
        let at = random.usize(..data.len());
        let end = random.usize(at..data.len().min(at + 40)) + 1;
        match random.u8(..3) {
            0 => (0..3).for_each(|_| {
                let at = random.usize(..data.len());
                data[at] = random.u8(..);
            }),
            1 => drop(data.drain(at..end)),
            _ => data.extend_from_within(at..end),
        }
        data
    }
}
