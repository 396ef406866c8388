//! The commands `list` and `forget`, for the sessions to which this user sent prompts.

use blocks_sdk::Id;

use crate::args::{ForgetArgs, SessionChoice};
use crate::exit::Exit;
use crate::host::Host;
use crate::output::Output;
use crate::register::{self, Register};
use crate::report::{ListReport, RegisteredSession, Status};
use crate::values::SessionRef;

pub fn list(output: &Output) -> Result<(), Exit> {
    let sessions = match Register::of(output.host()) {
        Some(register) => register.sessions().map_err(|e| failed(&register, &e))?,
        None => Vec::new(),
    };
    report(sessions, output)
}

pub async fn forget(args: ForgetArgs, output: &Output) -> Result<(), Exit> {
    let mut ids: Vec<String> = args.sessions.iter().map(|s| s.0.to_string()).collect();
    if args.last {
        ids.push(register::last(output.host())?.to_string());
    }
    let Some(register) = Register::of(output.host()) else {
        return report(Vec::new(), output);
    };
    let removed = register
        .remove(|session| args.all || ids.contains(&session.session_id))
        .await
        .map_err(|e| failed(&register, &e))?;
    report(removed, output)
}

fn failed(register: &Register, error: &std::io::Error) -> Exit {
    let path = register.path().display();
    Exit::failed(format!("cannot use the register {path}: {error}"))
}

fn report(sessions: Vec<RegisteredSession>, output: &Output) -> Result<(), Exit> {
    if output.is_json() {
        return output.json(&ListReport {
            status: Status::Completed,
            exit_code: 0,
            sessions,
        });
    }
    let line = |session: RegisteredSession| {
        let place = session.session_html_url.unwrap_or_default();
        let line = format!("{}  {}  {place}", session.started_at, session.session_id);
        line.trim_end().to_owned()
    };
    let lines: Vec<String> = sessions.into_iter().map(line).collect();
    match lines.is_empty() {
        true => Ok(()),
        false => output.text(&lines.join("\n")),
    }
}

impl SessionChoice {
    /// Returns the session that the user named. With `--last`, returns the newest session in the local list of
    /// sessions.
    pub fn resolve(self, host: &Host) -> Result<Id, Exit> {
        choose(self.session, self.last, host)
    }
}

pub fn choose(session: Option<SessionRef>, last: bool, host: &Host) -> Result<Id, Exit> {
    match session {
        Some(session) => Ok(session.0),
        None if last => register::last(host),
        None => Err(Exit::usage("give a session, or --last")),
    }
}
