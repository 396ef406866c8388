//! Where an act may write.

use std::path::PathBuf;

use uuid::Uuid;

use crate::scene::Scene;

/// A folder in which a plan may be written.
pub struct Target(PathBuf);

impl Target {
    pub fn new() -> Self {
        let name = format!("blocks-matrix-{}", Uuid::new_v4());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }

    pub fn plan(&self) -> PathBuf {
        self.0.join("plan.md")
    }

    pub fn folder(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("a file");
    }

    /// What is there: no plan, or the whole of what the storage host said, and no part of one
    /// beside it.
    pub fn check(&self, scene: &Scene) -> Option<String> {
        let names = std::fs::read_dir(&self.0).expect("the folder");
        let mut names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        if let Some(part) = names.find(|name| name.ends_with(".part")) {
            return Some(format!("{part} is left over"));
        }
        let file = std::fs::read(self.plan()).ok()?;
        let exchanges = scene.recorder.exchanges();
        let whole = exchanges.last().map(|last| &last.body) == Some(&file);
        (!whole).then(|| format!("{} bytes of a file", file.len()))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
