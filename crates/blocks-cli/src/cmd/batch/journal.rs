//! The journal of a batch: a line of JSON for each step, on the disk before the next step.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blocks_sdk::Pending;
use fs4::fs_std::FileExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit::Exit;
use crate::input::without_mark;

/// A step, as it is in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    /// The create is sent next. `request` is the fingerprint of what is sent.
    Starting {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
    },
    /// The create certainly had no effect.
    NotStarted { id: String },
    /// The create may have had an effect; the id is there if it was received.
    Unknown {
        id: String,
        session_id: Option<String>,
    },
    /// The session exists.
    Created {
        id: String,
        #[serde(default)]
        session_id: Option<String>,
        #[serde(default)]
        session_html_url: Option<String>,
        pending: Option<Pending>,
    },
    /// The reply is known.
    Ended { id: String, result: Value },
    /// The line before this one was cut while it was written, so its step was not taken.
    Cut,
}

/// What the journal knows of a prompt.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub state: State,
    /// The fingerprint of the request that was sent.
    pub request: Option<String>,
}

/// How far a prompt has come.
#[derive(Clone, Debug, Default)]
pub enum State {
    /// Its create was about to be sent, or was sent: a session may exist.
    #[default]
    Starting,
    /// The same, and the session's id was received.
    Unknown { session_id: String },
    /// Its session exists.
    Created {
        session_id: String,
        session_html_url: Option<String>,
        pending: Option<Pending>,
    },
    /// Its reply is known.
    Ended(Value),
}

/// The journal, or none: then nothing is remembered. Clones write to the same file.
#[derive(Clone, Default)]
pub struct Journal {
    file: Option<Arc<Mutex<Writer>>>,
    history: Arc<History>,
}

struct Writer {
    file: File,
    /// Whether the last line was not written as a whole.
    is_cut: bool,
    /// Why a line could not be written.
    failure: Option<String>,
}

/// The steps of earlier runs.
#[derive(Default)]
struct History {
    entries: HashMap<String, Entry>,
    /// The numbers of damaged lines.
    damaged: Vec<usize>,
    /// Whether a damaged line may concern any prompt.
    is_incomplete: bool,
    is_cut: bool,
}

impl Journal {
    /// Opens, locks and reads the journal before anything is sent.
    ///
    /// # Errors
    /// A usage error: the file cannot be used, or another run uses it.
    pub fn open(path: Option<&Path>) -> Result<Self, Exit> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let name = path.display();
        let wrong = |what: String| Exit::usage(format!("--journal {name}: {what}"));
        let failed = |e: std::io::Error| wrong(e.to_string());
        if path == Path::new("-") {
            return Err(wrong("a file is needed".into()));
        }
        if path.metadata().is_ok_and(|file| !file.is_file()) {
            // A device may never end.
            return Err(wrong("not a regular file".into()));
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        // It contains replies.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(failed)?;
        if !FileExt::try_lock_exclusive(&file).map_err(failed)? {
            return Err(wrong("another run uses it".into()));
        }
        // Read under the lock, so that every line of an earlier run is there.
        let history = History::read(BufReader::new(&file)).map_err(failed)?;
        if history.entries.is_empty() && !history.damaged.is_empty() {
            let line = history.damaged[0];
            return Err(wrong(format!("line {line} is not a journal entry")));
        }
        let writer = Writer {
            file,
            is_cut: history.is_cut,
            failure: None,
        };
        Ok(Self {
            file: Some(Arc::new(Mutex::new(writer))),
            history: Arc::new(history),
        })
    }

    pub fn is_used(&self) -> bool {
        self.file.is_some()
    }

    /// The numbers of lines that could not be read.
    pub fn damaged_lines(&self) -> &[usize] {
        &self.history.damaged
    }

    /// What is known of a prompt. One that a damaged line may concern counts as started.
    pub fn entry(&self, id: &str) -> Option<Entry> {
        let entry = self.history.entries.get(id).cloned();
        entry.or_else(|| self.history.is_incomplete.then(Entry::default))
    }

    /// Why the journal could not be written, if it could not.
    pub fn failure(&self) -> Option<String> {
        self.writer().and_then(|writer| writer.failure.clone())
    }

    /// Just before the create is sent. It is not sent when this fails.
    pub fn starting(&self, id: &str, request: &str) -> std::io::Result<()> {
        self.append(&Event::Starting {
            id: id.to_owned(),
            request: Some(request.to_owned()),
        })
    }

    /// After a create that certainly had no effect.
    pub fn not_started(&self, id: &str) {
        self.write(&Event::NotStarted { id: id.to_owned() });
    }

    /// After a create that may have had an effect.
    pub fn unknown(&self, id: &str, session_id: &str) {
        self.write(&Event::Unknown {
            id: id.to_owned(),
            session_id: Some(session_id.to_owned()),
        });
    }

    pub fn created(
        &self,
        id: &str,
        session_id: &str,
        url: Option<&str>,
        pending: Option<&Pending>,
    ) {
        self.write(&Event::Created {
            id: id.to_owned(),
            session_id: Some(session_id.to_owned()),
            session_html_url: url.map(str::to_owned),
            pending: pending.cloned(),
        });
    }

    pub fn ended(&self, id: &str, result: Value) {
        self.write(&Event::Ended {
            id: id.to_owned(),
            result,
        });
    }

    /// A step that was taken already: a failure is kept, and discards nothing.
    fn write(&self, event: &Event) {
        let _ = self.append(event);
    }

    fn append(&self, event: &Event) -> std::io::Result<()> {
        let Some(mut writer) = self.writer() else {
            return Ok(());
        };
        let written = writer.append(event);
        if let Err(error) = &written {
            writer.failure.get_or_insert(error.to_string());
        }
        written
    }

    fn writer(&self) -> Option<MutexGuard<'_, Writer>> {
        let file = self.file.as_ref()?;
        Some(file.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Writer {
    fn append(&mut self, event: &Event) -> std::io::Result<()> {
        let mut lines = String::new();
        if self.is_cut {
            // The cut line is ended and marked, so that it stays alone and harmless.
            lines = format!("\n{}\n", serde_json::to_string(&Event::Cut)?);
        }
        lines += &format!("{}\n", serde_json::to_string(event)?);
        self.is_cut = true;
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_data()?;
        self.is_cut = false;
        Ok(())
    }
}

impl History {
    /// Reads line by line, so that a long journal needs no memory of its own length.
    fn read(mut file: impl BufRead) -> std::io::Result<Self> {
        let mut history = Self::default();
        let mut line = Vec::new();
        let mut unreadable: Option<(usize, String)> = None;
        for number in 1.. {
            line.clear();
            if file.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            history.is_cut = line.last() != Some(&b'\n');
            // A line may be cut within a character.
            let text = String::from_utf8_lossy(&line);
            let text = if number == 1 {
                without_mark(&text)
            } else {
                &text
            };
            let text = text.trim();
            let event = serde_json::from_str(text);
            if let Some(damaged) = unreadable.take()
                && !matches!(event, Ok(Event::Cut))
            {
                history.set_damaged(&damaged);
            }
            match event {
                Ok(event) => history.add(event),
                Err(_) if text.is_empty() => {}
                Err(_) => unreadable = Some((number, text.to_owned())),
            }
        }
        // The last line without its end was cut, if it is the start of an entry.
        if let Some(damaged) = unreadable
            && !(history.is_cut && damaged.1.starts_with('{'))
        {
            history.set_damaged(&damaged);
        }
        Ok(history)
    }

    fn add(&mut self, event: Event) {
        let (id, state) = match event {
            Event::Starting { id, request } => {
                let state = State::Starting;
                self.entries.insert(id, Entry { state, request });
                return;
            }
            Event::NotStarted { id } => {
                self.entries.remove(&id);
                return;
            }
            Event::Cut => return,
            Event::Unknown { id, session_id } => {
                let state = session_id.map(|session_id| State::Unknown { session_id });
                (id, state.unwrap_or_default())
            }
            Event::Created {
                id,
                session_id,
                session_html_url,
                pending,
            } => {
                let stored = pending
                    .as_ref()
                    .map(|pending| pending.session_id().to_string());
                let state = session_id.or(stored).map(|session_id| State::Created {
                    session_id,
                    session_html_url,
                    pending,
                });
                (id, state.unwrap_or_default())
            }
            Event::Ended { id, result } => (id, State::Ended(result)),
        };
        self.entries.entry(id).or_default().state = state;
    }

    /// The prompts that a damaged line names may have been started in it. One that names none
    /// may concern every prompt of which nothing else is known.
    fn set_damaged(&mut self, (number, text): &(usize, String)) {
        self.damaged.push(*number);
        let ids = ids_in(text);
        self.is_incomplete |= ids.is_empty();
        for id in ids {
            self.entries.entry(id).or_default();
        }
    }
}

/// The complete ids in what is left of a line.
fn ids_in(text: &str) -> HashSet<String> {
    let after = text.split("\"id\":").skip(1);
    let first = |rest: &str| {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        values.next().and_then(Result::ok)
    };
    after.filter_map(first).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(text: &str) -> History {
        History::read(text.as_bytes()).unwrap()
    }

    const STARTING: &str = r#"{"event":"starting","id":"a"}"#;

    #[test]
    fn a_line_that_was_cut_is_no_step() {
        for end in 1..STARTING.len() {
            let text = format!("{STARTING}\n{}", &STARTING.replace("\"a\"", "\"b\"")[..end]);
            let history = history(&text);
            assert_eq!(history.entries.len(), 1, "{text}");
            assert!(
                history.damaged.is_empty() && !history.is_incomplete,
                "{text}"
            );
        }
        let closed = format!("{STARTING}\n{}\n{{\"event\":\"cut\"}}\n", &STARTING[..9]);
        assert!(history(&closed).damaged.is_empty());
    }

    #[test]
    fn a_damaged_line_makes_its_prompts_unknown() {
        let merged = r#"{"event":"created","id":"b","pen{"event":"starting","id":"c"}"#;
        let found = history(&format!("\u{feff}{STARTING}\n{merged}\n"));
        assert_eq!(
            (found.entries.len(), found.damaged.as_slice()),
            (3, &[2][..])
        );
        assert!(matches!(found.entries["c"].state, State::Starting) && !found.is_incomplete);
        for foreign in ["hello", "[1]", "\0\0\0", r#"{"event":"starting"}"#] {
            let found = history(&format!("{foreign}\n{STARTING}\n"));
            assert!(found.is_incomplete && found.damaged == [1], "{foreign}");
        }
    }

    #[test]
    fn a_create_without_effect_removes_its_start() {
        let text = format!("{STARTING}\n{}\n", r#"{"event":"not_started","id":"a"}"#);
        assert!(history(&text).entries.is_empty());
    }
}
