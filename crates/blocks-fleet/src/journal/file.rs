//! Keeps the journal of a batch in a file. Each step of a prompt is a line of JSON. A method that records a step
//! succeeds only after the line was written to the disk.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::future::ready;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Created, Entry, Fingerprint, Journal, JournalError, JournalFuture, Retry, State, Step, readable,
};
use crate::locked::LockedFile;

/// The longest line that is read. A reply has at most 16 MiB by default, and a byte of it takes at most 6 bytes here.
const LONGEST_LINE: u64 = 128 << 20;

/// Describes one line of the file: a step of a prompt, or a mark after a line that may be incomplete.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    /// The create of the prompt is sent next. `request` is the fingerprint of the create's request.
    Starting {
        id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Fingerprint>,
    },
    /// The create certainly had no effect.
    NotStarted { id: String },
    /// The create may have had an effect. `session_id` is null if no id was received.
    Unknown {
        id: String,
        session_id: Option<String>,
    },
    /// The session exists.
    Created {
        id: String,
        #[serde(flatten)]
        created: Created,
    },
    /// The prompt has ended with this result.
    Ended { id: String, result: Value },
    /// The previous line may be incomplete, for example because the run was killed while it wrote the line. Readers
    /// ignore the previous line if it cannot be read.
    Cut,
}

/// Keeps a journal in a file, which only one run can use at a time.
///
/// On Unix, the journal fails if another program moves, deletes or replaces the file during the run. The run then
/// starts no more prompts, because the next run would not find their steps, and would send them again.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("nightly.jsonl");
/// use blocks_fleet::FileJournal;
///
/// let journal = FileJournal::open(&path)?;
/// let error = FileJournal::open(&path).unwrap_err();
/// assert_eq!(error.to_string(), "another run uses it");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FileJournal {
    writer: Mutex<Writer>,
    history: Mutex<History>,
    /// Locked from the check of a claim until its line is written, so that two claims cannot both pass the check.
    claiming: Mutex<()>,
}

#[derive(Debug)]
struct Writer {
    file: LockedFile,
    /// The absolute path of the file.
    #[cfg_attr(not(unix), allow(dead_code))]
    path: PathBuf,
    /// Whether the last line of the file may be incomplete.
    is_cut: bool,
}

/// Contains the latest step of each prompt.
#[derive(Debug, Default)]
struct History {
    entries: HashMap<String, Known>,
    /// Numbers of the damaged lines: the lines that could not be read, except those that were cut off.
    damaged: Vec<usize>,
    /// Whether a damaged line contains no prompt id. Such a line may belong to any prompt.
    is_incomplete: bool,
    is_cut: bool,
}

/// Contains the latest step of a prompt, and the fingerprint (the hashes) of the create request of the prompt.
#[derive(Clone, Debug, Default)]
struct Known {
    step: KnownStep,
    request: Option<Fingerprint>,
    /// The entry before the claim, while the prompt is claimed and no step after the claim is recorded. If the create
    /// had no effect, this entry is valid again.
    before: Before,
}

#[derive(Clone, Debug, Default)]
enum Before {
    /// The prompt is not claimed, or a later step is recorded.
    #[default]
    Unclaimed,
    NoEntry,
    Entry(Box<Known>),
}

#[derive(Clone, Debug)]
enum KnownStep {
    Open(State),
    /// This line of the file contains the result of the prompt. Results are not kept in memory, because all results
    /// together may need much memory.
    Ended(Line),
}

/// Contains the position of a line in the file.
#[derive(Clone, Copy, Debug)]
struct Line {
    start: u64,
    length: usize,
}

impl Default for KnownStep {
    fn default() -> Self {
        Self::Open(State::default())
    }
}

impl FileJournal {
    /// Opens, locks and reads the journal.
    ///
    /// # Errors
    /// The file cannot be used, or another run uses it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, JournalError> {
        let path = path.as_ref();
        if path == Path::new("-") {
            return Err(JournalError::new("a file is needed"));
        }
        if path.metadata().is_ok_and(|file| !file.is_file()) {
            // A read of a device, such as `/dev/zero`, may never end.
            return Err(JournalError::new("not a regular file"));
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        // The file contains the agents' replies, so on Unix a new file may be read only by the user.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(JournalError::new)?;
        let file = LockedFile::try_lock(file).map_err(JournalError::new)?;
        let file = file.ok_or_else(|| JournalError::new("another run uses it"))?;
        // The file is read after it is locked. Until then, an earlier run may still append lines.
        let history = History::read(BufReader::new(&*file)).map_err(JournalError::new)?;
        if history.entries.is_empty() && !history.damaged.is_empty() {
            let line = history.damaged[0];
            return Err(JournalError::new(format!(
                "line {line} is not a journal entry"
            )));
        }
        let writer = Writer {
            file,
            path: std::path::absolute(path).map_err(JournalError::new)?,
            is_cut: history.is_cut,
        };
        Ok(Self {
            writer: Mutex::new(writer),
            history: Mutex::new(history),
            claiming: Mutex::default(),
        })
    }

    /// Returns the numbers of the lines that could not be read. A line that was cut off, because a run was killed, does
    /// not count.
    pub fn damaged_lines(&self) -> Vec<usize> {
        self.history().damaged.clone()
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, event: Event) -> Result<(), JournalError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let is_claim = matches!(event, Event::Starting { .. });
        if is_claim {
            writer.check_path().map_err(JournalError::new)?;
        }
        let line = writer.append(&event).map_err(JournalError::new)?;
        self.history().add(event, line);
        // The other steps are written even if the file was moved. A person can then still find them.
        match is_claim {
            true => Ok(()),
            false => writer.check_path().map_err(JournalError::new),
        }
    }

    fn entry(&self, id: &str) -> Result<Option<Entry>, JournalError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Known { step, request, .. }) = self.history().entry(id) else {
            return Ok(None);
        };
        let state = match step {
            KnownStep::Open(state) => state,
            KnownStep::Ended(line) => State::Ended(writer.result(line).map_err(JournalError::new)?),
        };
        Ok(Some(Entry { state, request }))
    }

    /// Claims a prompt, unless the journal has an entry that `retry` does not allow to be sent again. The entry may
    /// have changed since the batch read it: a dropped batch may have left a create that has claimed the prompt only
    /// now.
    fn claim_unless_recorded(
        &self,
        id: &str,
        request: &Fingerprint,
        retry: &Retry,
    ) -> Result<bool, JournalError> {
        let _claiming = self.claiming.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = self.entry(id)?
            && !retry.allows(&entry.state)
        {
            return Ok(false);
        }
        self.append(Event::Starting {
            id: id.to_owned(),
            request: Some(request.clone()),
        })?;
        Ok(true)
    }
}

impl Journal for FileJournal {
    fn is_shared(&self) -> bool {
        false
    }

    fn read<'a>(&'a self, ids: &'a [String]) -> JournalFuture<'a, Vec<Option<Entry>>> {
        Box::pin(ready(ids.iter().map(|id| self.entry(id)).collect()))
    }

    fn claim<'a>(
        &'a self,
        id: &'a str,
        request: &'a Fingerprint,
        retry: &'a Retry,
    ) -> JournalFuture<'a, bool> {
        Box::pin(ready(self.claim_unless_recorded(id, request, retry)))
    }

    fn take_over<'a>(&'a self, _: &'a str) -> JournalFuture<'a, bool> {
        Box::pin(ready(Ok(true)))
    }

    fn record<'a>(&'a self, id: &'a str, step: &'a Step) -> JournalFuture<'a, bool> {
        let id = id.to_owned();
        let event = match step {
            Step::NotStarted => Event::NotStarted { id },
            Step::Unknown(session_id) => Event::Unknown {
                id,
                session_id: session_id.clone(),
            },
            Step::Created(created) => Event::Created {
                id,
                created: created.clone(),
            },
            Step::Ended(result) => Event::Ended {
                id,
                result: readable(result),
            },
        };
        Box::pin(ready(self.append(event).map(|()| true)))
    }

    fn renew<'a>(&'a self, _: &'a [String]) -> JournalFuture<'a, ()> {
        Box::pin(ready(Ok(())))
    }
}

impl Writer {
    /// Fails if the path no longer leads to the open file, for example because another program has rotated the file or
    /// written it again. The next run would then not find the steps of this run. The lock would not prevent a second
    /// run at the same time either, because it is on the file, not on the path.
    #[cfg(unix)]
    fn check_path(&self) -> std::io::Result<()> {
        use std::os::unix::fs::MetadataExt;

        let open = self.file.metadata()?;
        let is_same = match std::fs::metadata(&self.path) {
            Ok(found) => (found.dev(), found.ino()) == (open.dev(), open.ino()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        match is_same {
            true => Ok(()),
            false => Err(std::io::Error::other(
                "another program has moved, deleted or replaced the file",
            )),
        }
    }

    /// The standard library cannot compare files on other systems.
    #[cfg(not(unix))]
    fn check_path(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// Appends an event, and returns the position of its line.
    fn append(&mut self, event: &Event) -> std::io::Result<Line> {
        let mut lines = String::new();
        if self.is_cut {
            // Ends the last line with a line break, and appends the mark that makes readers ignore an incomplete line.
            lines = format!("\n{}\n", serde_json::to_string(&Event::Cut)?);
        }
        let start = self.file.metadata()?.len() + lines.len() as u64;
        let text = format!("{}\n", serde_json::to_string(event)?);
        if text.len() as u64 > LONGEST_LINE {
            let what = format!("a step of more than {LONGEST_LINE} bytes cannot be recorded");
            return Err(std::io::Error::other(what));
        }
        lines += &text;
        self.is_cut = true;
        (&*self.file).write_all(lines.as_bytes())?;
        self.file.sync_data()?;
        self.is_cut = false;
        let length = text.len();
        Ok(Line { start, length })
    }

    fn result(&self, line: Line) -> std::io::Result<Value> {
        let mut bytes = vec![0; line.length];
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(line.start))?;
        file.read_exact(&mut bytes)?;
        match serde_json::from_str(text_of(&bytes, line.start).trim())? {
            Event::Ended { result, .. } => Ok(result),
            _ => Err(std::io::Error::other("another program has changed it")),
        }
    }
}

impl History {
    /// Reads the file line by line, because a long journal may not fit into memory.
    fn read(mut file: impl BufRead) -> std::io::Result<Self> {
        let mut history = Self::default();
        let mut line = Vec::new();
        let mut unreadable: Option<(usize, String)> = None;
        let mut end = 0;
        for number in 1.. {
            line.clear();
            let mut part = (&mut file).take(LONGEST_LINE + 1);
            if part.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if line.len() as u64 > LONGEST_LINE {
                return Err(std::io::Error::other(format!(
                    "line {number} is longer than {LONGEST_LINE} bytes"
                )));
            }
            history.is_cut = line.last() != Some(&b'\n');
            let place = Line {
                start: end,
                length: line.len(),
            };
            end += line.len() as u64;
            let text = text_of(&line, place.start);
            let text = text.trim();
            let event = serde_json::from_str(text);
            if let Some(damaged) = unreadable.take()
                && !matches!(event, Ok(Event::Cut))
            {
                history.set_damaged(&damaged);
            }
            match event {
                Ok(event) => history.add(event, place),
                Err(_) if text.is_empty() => {}
                Err(_) => unreadable = Some((number, text.to_owned())),
            }
        }
        // If the last line has no line break and starts with `{`, the line was not written completely. This happens if
        // a run is killed, and does not count as damage.
        if let Some(damaged) = unreadable
            && !(history.is_cut && damaged.1.starts_with('{'))
        {
            history.set_damaged(&damaged);
        }
        Ok(history)
    }

    /// Returns the latest step of a prompt. If the prompt has no entry, but a damaged line without an id may belong to
    /// the prompt, the prompt has an unknown outcome.
    fn entry(&self, id: &str) -> Option<Known> {
        let known = self.entries.get(id).cloned();
        known.or_else(|| self.is_incomplete.then(Known::default))
    }

    fn add(&mut self, event: Event, line: Line) {
        let (id, step) = match event {
            Event::Starting { id, request } => {
                let before = match self.entries.remove(&id) {
                    Some(known) => Before::Entry(Box::new(Known {
                        // The earlier entry can be a claim itself, if its run ended before it recorded the next step.
                        // The create of that run may have had an effect. So the entry before the earlier claim is
                        // forgotten, and cannot become valid again.
                        before: Before::Unclaimed,
                        ..known
                    })),
                    None => Before::NoEntry,
                };
                let step = KnownStep::default();
                let known = Known {
                    step,
                    request,
                    before,
                };
                self.entries.insert(id, known);
                return;
            }
            Event::NotStarted { id } => {
                if let Some(known) = self.entries.get_mut(&id) {
                    match std::mem::take(&mut known.before) {
                        Before::Unclaimed => {}
                        Before::NoEntry => drop(self.entries.remove(&id)),
                        Before::Entry(before) => *known = *before,
                    }
                }
                return;
            }
            Event::Cut => return,
            Event::Unknown { id, session_id } => {
                (id, KnownStep::Open(State::Unknown { session_id }))
            }
            Event::Created { id, mut created } => {
                let stored = created.pending.as_ref();
                let stored = stored.map(|pending| pending.session_id().to_string());
                if created.session_id.is_empty() {
                    created.session_id = stored.unwrap_or_default();
                }
                let state = match created.session_id.is_empty() {
                    true => State::default(),
                    false => State::Created {
                        created,
                        is_claimed: false,
                    },
                };
                (id, KnownStep::Open(state))
            }
            Event::Ended { id, .. } => (id, KnownStep::Ended(line)),
        };
        let known = self.entries.entry(id).or_default();
        known.step = step;
        known.before = Before::Unclaimed;
    }

    /// Records a damaged line. If the line contains the ids of prompts, the outcome of each of these prompts without an
    /// entry is unknown, until a later line contains a step of the prompt. If the line contains no id, it may belong to
    /// any prompt. So the outcome of every prompt without an entry is then unknown.
    fn set_damaged(&mut self, (number, text): &(usize, String)) {
        self.damaged.push(*number);
        let ids = ids_in(text);
        self.is_incomplete |= ids.is_empty();
        for id in ids {
            self.entries.entry(id).or_default();
        }
    }
}

/// Returns a line as a string. A byte order mark at the start of the file is removed, because some editors add one.
/// Invalid UTF-8 is replaced, because a line may be cut off within a character.
fn text_of(line: &[u8], start: u64) -> String {
    let text = String::from_utf8_lossy(line);
    let marked = text.strip_prefix('\u{feff}').filter(|_| start == 0);
    marked.unwrap_or(&text).to_owned()
}

/// Returns the strings that follow `"id":` in a damaged line. They are the ids of prompts, but can also be ids within a
/// result.
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
        assert!(
            matches!(
                found.entries["c"].step,
                KnownStep::Open(State::Unknown { session_id: None })
            ) && !found.is_incomplete
        );
        for foreign in ["hello", "[1]", "\0\0\0", r#"{"event":"starting"}"#] {
            let found = history(&format!("{foreign}\n{STARTING}\n"));
            assert!(found.is_incomplete && found.damaged == [1], "{foreign}");
        }
    }

    #[tokio::test]
    async fn results_stay_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let result = |n: usize| serde_json::json!({"n": n, "reply": "long ".repeat(1000)});
        let ids: Vec<String> = (0..50).map(|n| format!("p{n}")).collect();
        let journal = FileJournal::open(&path).unwrap();
        for (n, id) in ids.iter().enumerate() {
            journal.record(id, &Step::Ended(result(n))).await.unwrap();
        }
        drop(journal);
        // Adds a byte order mark, which changes the position of every line. The results must still be found.
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("\u{feff}{text}{}", &STARTING[..9])).unwrap();
        let journal = FileJournal::open(&path).unwrap();
        journal.record("q", &Step::Ended(result(50))).await.unwrap();
        let all = [&ids[..], &["q".to_owned()]].concat();
        let read = journal.read(&all).await.unwrap();
        let states: Vec<State> = read.into_iter().map(|entry| entry.unwrap().state).collect();
        let expected: Vec<State> = (0..=50).map(|n| State::Ended(result(n))).collect();
        assert_eq!(states, expected);
        let kept = format!("{:?}", journal.history());
        assert!(!kept.contains("long"), "{kept}");
    }

    #[tokio::test]
    async fn a_recorded_prompt_is_not_claimed() {
        let folder = tempfile::tempdir().unwrap();
        let journal = FileJournal::open(folder.path().join("journal")).unwrap();
        let request = Fingerprint::default();
        let claim = async |unknown, result| {
            let retry = Retry { unknown, result };
            journal.claim("a", &request, &retry).await.unwrap()
        };
        assert!(claim(false, None).await);
        // The create of the first claim may have been sent.
        assert!(!claim(false, None).await);
        let created = Created {
            session_id: "s".to_owned(),
            ..Created::default()
        };
        journal.record("a", &Step::Created(created)).await.unwrap();
        assert!(!claim(true, Some(Value::from(1))).await);
        let ended = Step::Ended(Value::from(1));
        journal.record("a", &ended).await.unwrap();
        assert!(!claim(true, Some(Value::from(2))).await);
        assert!(claim(true, Some(Value::from(1))).await);
    }

    #[tokio::test]
    async fn a_deep_result_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let nest = |value: Value, levels: usize| {
            (0..levels).fold(value, |value, _| serde_json::json!([value]))
        };
        let (ids, inner) = (["a".to_owned()], nest(Value::from("text"), 50));
        let journal = FileJournal::open(&path).unwrap();
        let step = Step::Ended(nest(inner.clone(), 100));
        journal.record("a", &step).await.unwrap();
        drop(journal);
        let journal = FileJournal::open(&path).unwrap();
        assert!(journal.damaged_lines().is_empty());
        let entry = journal.read(&ids).await.unwrap().pop().unwrap();
        let expected = nest(Value::from(inner.to_string()), 100);
        assert_eq!(entry.unwrap().state, State::Ended(expected));
    }

    #[test]
    fn a_file_without_line_breaks_is_not_read_to_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(LONGEST_LINE + 2).unwrap();
        let error = FileJournal::open(file.path()).unwrap_err();
        assert!(error.to_string().contains("line 1 is longer"), "{error}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_that_is_moved_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("journal"), folder.path().join("moved"));
        let (request, retry) = (Fingerprint::default(), Retry::default());
        let expected = "another program has moved, deleted or replaced the file";
        for is_replaced in [false, true] {
            let journal = FileJournal::open(&path).unwrap();
            assert!(journal.claim("a", &request, &retry).await.unwrap());
            std::fs::rename(&path, &moved).unwrap();
            if is_replaced {
                std::fs::copy(&moved, &path).unwrap();
            }
            let error = journal.claim("b", &request, &retry).await.unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), error.is_temporary()),
                (expected, false)
            );
            let created = Step::Created(Created {
                session_id: "s".to_owned(),
                ..Created::default()
            });
            let error = journal.record("a", &created).await.unwrap_err();
            assert_eq!(error.to_string(), expected);
            let text = std::fs::read_to_string(&moved).unwrap();
            assert!(
                text.contains("created") && !text.contains("\"b\""),
                "{text}"
            );
            std::fs::rename(&moved, &path).unwrap();
            journal.record("a", &Step::Unknown(None)).await.unwrap();
            drop(journal);
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[tokio::test]
    async fn a_create_without_effect_changes_no_entry() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let ids = ["a".to_owned()];
        let steps = [
            None,
            Some(Step::Ended(Value::from(1))),
            Some(Step::Unknown(None)),
        ];
        for before in steps {
            let _ = std::fs::remove_file(&path);
            let journal = FileJournal::open(&path).unwrap();
            if let Some(step) = &before {
                journal.record("a", step).await.unwrap();
            }
            let entry = journal.read(&ids).await.unwrap();
            let request = Fingerprint::default();
            // Without a claim, the step changes nothing either.
            for is_claimed in [false, true, true] {
                if is_claimed {
                    let retry = Retry {
                        unknown: true,
                        result: Some(Value::from(1)),
                    };
                    assert!(journal.claim("a", &request, &retry).await.unwrap());
                }
                journal.record("a", &Step::NotStarted).await.unwrap();
                assert_eq!(journal.read(&ids).await.unwrap(), entry, "{before:?}");
            }
            drop(journal);
            let read = FileJournal::open(&path).unwrap();
            assert_eq!(read.read(&ids).await.unwrap(), entry, "{before:?}");
        }
    }
}
