//! What a batch has done, written before it goes on: a line of JSON for each step, on the disk
//! before the next is taken.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use blocks_sdk::Pending;
use fs4::fs_std::FileExt;
use serde_json::{Value, json};

use crate::exit::Exit;

/// How far a prompt had come.
#[derive(Clone, Debug)]
pub enum State {
    /// Its create was about to be sent, or was sent: a session may exist.
    Starting,
    /// Its session exists.
    Created(Pending),
    /// Its reply is known.
    Ended(Value),
}

/// The journal, or none: then nothing is remembered. Clones write to the same file.
#[derive(Clone)]
pub struct Journal {
    file: Option<Arc<Mutex<File>>>,
    states: Arc<HashMap<String, State>>,
}

impl Journal {
    pub fn open(path: Option<&Path>) -> Result<Self, Exit> {
        let Some(path) = path else {
            return Ok(Self {
                file: None,
                states: Arc::default(),
            });
        };
        let failed = |e: std::io::Error| Exit::failed(format!("{}: {e}", path.display()));
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(failed)?;
        if !FileExt::try_lock_exclusive(&file).map_err(failed)? {
            let message = format!("{} is in use by another run", path.display());
            return Err(Exit::wrong_use(message));
        }
        // Read under the lock: what another run wrote until it let go is known.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        // A line may be torn within a character.
        let text = String::from_utf8_lossy(&bytes);
        let states = states(&text).map_err(|line| {
            Exit::wrong_use(format!("{} is no journal: line {line}", path.display()))
        })?;
        // A line that was torn by the end of an earlier run is closed, so that it stays alone.
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(failed)?;
        }
        Ok(Self {
            file: Some(Arc::new(Mutex::new(file))),
            states: Arc::new(states),
        })
    }

    pub fn state(&self, id: &str) -> Option<State> {
        self.states.get(id).cloned()
    }

    /// Just before the create is sent.
    pub fn starting(&self, id: &str) -> std::io::Result<()> {
        self.append(&json!({"id": id, "event": "starting"}))
    }

    /// After a create that certainly had no effect.
    pub fn not_started(&self, id: &str) -> Result<(), Exit> {
        self.write(&json!({"id": id, "event": "not_started"}))
    }

    pub fn created(&self, id: &str, pending: &Pending) -> Result<(), Exit> {
        self.write(&json!({"id": id, "event": "created", "pending": pending}))
    }

    pub fn ended(&self, id: &str, result: &Value) -> Result<(), Exit> {
        self.write(&json!({"id": id, "event": "ended", "result": result}))
    }

    fn write(&self, entry: &Value) -> Result<(), Exit> {
        self.append(entry).map_err(failed)
    }

    fn append(&self, entry: &Value) -> std::io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(format!("{entry}\n").as_bytes())?;
        file.sync_data()
    }
}

fn failed(error: std::io::Error) -> Exit {
    Exit::failed(format!("the journal cannot be written: {error}"))
}

/// The last state of each prompt, or the line that cannot be read. A run that was killed leaves
/// a line that is torn: the begin of one of ours, of which nothing followed yet.
fn states(text: &str) -> Result<HashMap<String, State>, usize> {
    let mut states = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let entry: Value = match serde_json::from_str(line) {
            Ok(entry) => entry,
            Err(error) if error.is_eof() && (line.is_empty() || line.starts_with('{')) => continue,
            Err(_) => return Err(number + 1),
        };
        let id = entry["id"].as_str().ok_or(number + 1)?;
        let state = match entry["event"].as_str() {
            Some("starting") => State::Starting,
            Some("created") => {
                let pending = serde_json::from_value(entry["pending"].clone());
                State::Created(pending.map_err(|_| number + 1)?)
            }
            Some("ended") => State::Ended(entry["result"].clone()),
            Some("not_started") => {
                states.remove(id);
                continue;
            }
            _ => return Err(number + 1),
        };
        states.insert(id.to_owned(), state);
    }
    Ok(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_no_step_and_a_strange_one_no_journal() {
        let starting = r#"{"event":"starting","id":"a"}"#;
        let torn = &starting[..12];
        for text in [
            format!("{starting}\n"),
            format!("{starting}\n{torn}"),
            format!("{torn}\n{starting}\n"),
        ] {
            let states = states(&text).unwrap();
            assert!(matches!(states["a"], State::Starting) && states.len() == 1);
        }
        let over = format!("{starting}\n{}\n", r#"{"event":"not_started","id":"a"}"#);
        assert!(states(&over).unwrap().is_empty());
        for strange in [
            "hello",
            r#"{"id":"a"}"#,
            r#"{"id":"a","event":"created"}"#,
            "[1]",
        ] {
            assert_eq!(
                states(&format!("{starting}\n{strange}\n")).err(),
                Some(2),
                "{strange}"
            );
        }
    }
}
