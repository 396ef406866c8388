//! The register, a local list of the sessions to which this user sent prompts.
//!
//! The register is a file in the user's state folder. On Unix, only the user can read it. It contains the ids, links,
//! base URLs and times of the newest sessions, but no prompts or replies. Each command locks the register while it
//! writes, so that commands that write at the same time do not overwrite each other's sessions.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use blocks_sdk::Id;
use fs4::fs_std::FileExt;

use crate::exit::Exit;
use crate::files::NewFile;
use crate::host::{Host, says_no};
use crate::output::Output;
use crate::report::RegisteredSession;

/// Maximum number of lines in the register. If the register is full, the line of the oldest session is removed. The
/// service's web dashboard still shows this session.
const MAX_SESSIONS: usize = 500;
/// Maximum number of bytes of the register. The oldest sessions are removed if the register would be larger. A read
/// also stops at this limit, because the path may lead to an endless device such as `/dev/zero`, or to a large file of
/// another program.
const MAX_BYTES: usize = 4 << 20;
/// Number of attempts to take the lock. The attempts take 2 seconds, which is enough, because another command holds the
/// lock only while it writes the register once.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Environment variable that turns the register on or off. If the variable is not set, the register is turned off in
/// CI, and turned on outside of CI. The option `--register` turns it on in any case.
const VARIABLE: &str = "BLOCKS_REGISTER";

/// A line of the register.
struct Line {
    /// The line as it was read, without its line break. It is written unchanged, because a later version of the command
    /// may have written fields that this version does not know.
    text: Vec<u8>,
    /// `None` if this version cannot parse the line.
    session: Option<RegisteredSession>,
}

pub struct Register {
    path: PathBuf,
    base_url: String,
    /// Whether a failed write was already reported to the user.
    is_reported: AtomicBool,
}

impl Register {
    /// Opens the register to which a command adds its sessions. Called before the command sends anything. Returns
    /// `None` if the command uses no register.
    ///
    /// # Errors
    /// A usage error: the user asked for a register that cannot be written, or that has no place.
    pub fn open(output: &Output, is_requested: bool) -> std::result::Result<Option<Self>, Exit> {
        let (register, warning) = Self::to_write(output.host(), is_requested)?;
        if let Some(warning) = warning {
            output.note(&format!("warning: {warning}"));
        }
        Ok(register)
    }

    /// Adds a session. A failure is not an error of the command, because the session exists anyway. Only the first
    /// failure is reported, as a warning.
    pub async fn add_or_warn(&self, id: &str, html_url: Option<&str>, output: &Output) {
        if let Err(error) = self.add(id, html_url, output.host()).await
            && !self.is_reported.swap(true, Ordering::Relaxed)
        {
            let path = self.path.display();
            output.note(&format!(
                "warning: cannot write the register of sessions {path}: {error}"
            ));
        }
    }

    /// Returns the register to which the command will add its sessions, and a warning for the user. The user can ask
    /// for a register with `--register`, or with the variable `BLOCKS_REGISTER` set to a value such as `1`. If the user
    /// did not ask for a register, the command uses none in these cases:
    ///
    /// - The command runs in CI, the variable is set to a value such as `0`, or the user has no state folder.
    /// - The register cannot be written. This is the only case with a warning.
    ///
    /// # Errors
    /// A usage error: the user asked for a register that cannot be written, or that has no place.
    fn to_write(
        host: &Host,
        is_requested: bool,
    ) -> std::result::Result<(Option<Self>, Option<String>), Exit> {
        let variable = host.var(VARIABLE);
        let is_off = variable.as_ref().is_some_and(says_no);
        if !is_requested && (is_off || variable.is_none() && host.in_ci()) {
            return Ok((None, None));
        }
        let is_required = is_requested || variable.is_some();
        let Some(register) = Self::of(host) else {
            return match is_required {
                true => Err(Exit::usage(
                    "the register of sessions has no place: set XDG_STATE_HOME or HOME; nothing was sent",
                )),
                false => Ok((None, None)),
            };
        };
        match register.open_lock().and_then(|_| register.read()) {
            Ok(_) => Ok((Some(register), None)),
            Err(error) => {
                let path = register.path.display();
                let what = format!("cannot write the register of sessions {path}: {error}");
                match is_required {
                    true => Err(Exit::usage(format!("{what}; nothing was sent"))),
                    false => Ok((None, Some(format!("{what}; {VARIABLE}=0 turns it off")))),
                }
            }
        }
    }

    /// Returns the register of the user, or `None` if the user has no state folder.
    pub fn of(host: &Host) -> Option<Self> {
        Some(Self {
            path: host.state_folder()?.join("blocks").join("sessions.jsonl"),
            base_url: host.base_url(),
            is_reported: AtomicBool::new(false),
        })
    }

    /// Returns the sessions of the current base URL, newest first.
    pub fn sessions(&self) -> Result<Vec<RegisteredSession>> {
        let lines = self.read()?.into_iter();
        let mut sessions: Vec<_> = lines.filter_map(|line| line.session).collect();
        sessions.retain(|session| session.base_url == self.base_url);
        sessions.reverse();
        Ok(sessions)
    }

    /// Adds a session as the newest, and removes its older entry, if any.
    async fn add(&self, id: &str, html_url: Option<&str>, host: &Host) -> Result<()> {
        let started_at = humantime::format_rfc3339_seconds(host.now()).to_string();
        let _lock = self.lock().await?;
        let mut lines = self.read()?;
        let is_known = |line: &Line| {
            let session = line.session.as_ref();
            session.is_some_and(|session| session.session_id == id)
        };
        let known = lines.iter().position(is_known);
        let known = known.and_then(|place| lines.remove(place).session);
        let html_url = html_url.map(str::to_owned);
        let session = RegisteredSession {
            session_id: id.to_owned(),
            session_html_url: html_url.or(known.and_then(|known| known.session_html_url)),
            base_url: self.base_url.clone(),
            started_at,
        };
        lines.push(Line {
            text: serde_json::to_vec(&session)?,
            session: Some(session),
        });
        let excess = lines.len().saturating_sub(MAX_SESSIONS);
        lines.drain(..excess);
        self.write(&lines)
    }

    /// Removes and returns the sessions for which `is_unwanted` returns true, newest first. Sessions of other base URLs
    /// are kept.
    pub async fn remove(
        &self,
        is_unwanted: impl Fn(&RegisteredSession) -> bool,
    ) -> Result<Vec<RegisteredSession>> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let _lock = self.lock().await?;
        let lines = self.read()?.into_iter();
        let is_unwanted = |line: &Line| {
            let session = line.session.as_ref();
            session.is_some_and(|session| session.base_url == self.base_url && is_unwanted(session))
        };
        let (removed, kept): (Vec<_>, Vec<_>) = lines.partition(is_unwanted);
        if !removed.is_empty() {
            self.write(&kept)?;
        }
        let removed = removed.into_iter().rev();
        Ok(removed.filter_map(|line| line.session).collect())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the lines in the first [`MAX_BYTES`] of the file, oldest first.
    fn read(&self) -> Result<Vec<Line>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
        let lines = bytes.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty()).map(|line| Line {
            text: line.to_vec(),
            session: serde_json::from_slice(line).ok(),
        });
        Ok(lines.collect())
    }

    fn write(&self, lines: &[Line]) -> Result<()> {
        let mut kept = Vec::new();
        let mut size = 0;
        for line in lines.iter().rev() {
            size += line.text.len() + 1;
            if size > MAX_BYTES {
                break;
            }
            kept.push([line.text.as_slice(), &b"\n"[..]].concat());
        }
        kept.reverse();
        NewFile::create(&self.path)?.replace(&kept.concat())
    }

    /// Opens the lock file. The register itself cannot be the lock file, because each write replaces the register with
    /// a new file.
    fn open_lock(&self) -> Result<File> {
        if let Some(folder) = self.path.parent() {
            let mut builder = DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.path.with_extension("lock"))
    }

    async fn lock(&self) -> Result<Lock> {
        let file = self.open_lock()?;
        for _ in 0..LOCK_ATTEMPTS {
            if FileExt::try_lock_exclusive(&file)? {
                return Ok(Lock(file));
            }
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        Err(Error::new(
            ErrorKind::WouldBlock,
            "another process holds its lock",
        ))
    }
}

/// The locked lock file.
struct Lock(File);

impl Drop for Lock {
    /// Releases the lock immediately. Closing the file would not release it if another thread is starting a process.
    /// The new process has a copy of the open file until it runs its program (between `fork` and `exec`), and this copy
    /// keeps the lock.
    fn drop(&mut self) {
        let _ = FileExt::unlock(&self.0);
    }
}

/// Returns the session that `--last` refers to, which is the newest session of the current base URL.
///
/// # Errors
/// A usage error: the user has no state folder, or the register cannot be read, or it contains no session of the
/// current base URL.
pub fn last(host: &Host) -> std::result::Result<Id, Exit> {
    let none = || {
        Exit::usage(format!(
            "--last: no session of the base URL ({}) is in the register; `blocks run` adds one, in CI with --register",
            host.base_url()
        ))
    };
    let register = Register::of(host).ok_or_else(none)?;
    let sessions = register.sessions().map_err(|error| {
        let path = register.path.display();
        Exit::usage(format!("--last: cannot read {path}: {error}"))
    })?;
    let newest = sessions.into_iter().next().ok_or_else(none)?;
    Id::from_service(&newest.session_id).ok_or_else(none)
}
