//! The commands of `blocks` and their options, as types that clap parses.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::values::{Field, SessionRef, Timeout};

const AFTER: &str = "\
Environment:
  BLOCKS_API_KEY       API key; create one in the settings of your Blocks workspace
  BLOCKS_API_BASE_URL  another base URL, such as that of `blocks mock`
  BLOCKS_LIMIT_URL     where processes with the same key count their requests together:
                       off, file:FOLDER, redis://HOST or rediss://HOST
                       [default: a file in the user's state folder]
  BLOCKS_AGENT         agent of `run` when no option names one
  BLOCKS_REGISTER      1 adds sessions to `blocks list` in CI too, 0 only with --register
  XDG_STATE_HOME       folder for that list [default: ~/.local/state]
  HTTPS_PROXY          proxy for the service; NO_PROXY lists hosts to reach without it

Exit codes:
  0    done
  1    failed
  2    usage error; nothing was sent
  3    no reply before the time-out; the agent may still be working
  4    outcome unknown: a session or follow-up may exist; check the dashboard before you retry
  5    the reply looks like a notice of failure (--fail-on-notice)
  6    the reply does not conform to the schema (--schema)
  129  ended by SIGHUP
  130  ended by SIGINT (Ctrl-C) or SIGQUIT
  141  standard output was closed
  143  ended by SIGTERM";

const GLOBAL: &str = "Global options";

/// Coding agents from a terminal, a script or CI.
///
/// Standard output gets the reply and nothing else; progress goes to standard error.
#[derive(Parser)]
#[command(name = "blocks", version, after_help = AFTER)]
pub struct Args {
    /// Print the result as JSON, even after an error; `blocks schema` prints its fields
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Append results to $GITHUB_OUTPUT and write a job summary
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub github_output: bool,
    /// Do not change an agent's text for a terminal or a CI log
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub raw: bool,
    /// Time limit of one request [default: 3m for prompts, else 1m]
    #[arg(long, global = true, value_name = "DURATION", allow_hyphen_values = true, help_heading = GLOBAL)]
    pub request_timeout: Option<Timeout>,
    /// Do not share the request limit with other processes of the same key
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub no_shared_limit: bool,
    /// Show requests, without secrets
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub verbose: bool,
    /// Record requests to this new HAR file, without secrets and texts
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    pub record: Option<PathBuf>,
    /// With --record, record prompts and replies, too
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub record_texts: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Create a session, wait, and print the reply
    Run(RunArgs),
    /// Send a follow-up to a session, wait, and print the reply
    Send(SendArgs),
    /// Wait for the reply to an earlier prompt
    Wait(WaitArgs),
    /// Show a session, its pull requests and plans
    Show(SessionArgs),
    /// List a session's messages
    Messages(MessagesArgs),
    /// Print a session as a conversation
    Transcript(TranscriptArgs),
    /// Download the latest plan of a session
    Plan(PlanArgs),
    /// Download an artifact of a session
    Artifact(ArtifactArgs),
    /// Run prompts from a JSON Lines file; resumes from --journal
    Batch(BatchArgs),
    /// List the sessions to which this user sent prompts
    List,
    /// Remove sessions from `blocks list`; the service keeps them
    Forget(ForgetArgs),
    /// Check the key and the connection; costs nothing
    Check,
    /// Serve a mock of the service on a loopback port
    Mock(MockArgs),
    /// Print the JSON Schema of an output
    Schema {
        /// Output, such as result [default: all]
        name: Option<String>,
    },
    /// Print completions for a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Print a man page
    Man(ManArgs),
}

#[derive(ClapArgs)]
pub struct WaitOptions {
    #[command(flatten)]
    pub reply: ReplyOptions,
    #[command(flatten)]
    pub output: OutputOption,
    #[command(flatten)]
    pub follow: FollowOptions,
    #[command(flatten)]
    pub schema: SchemaOptions,
    /// Do not wait for the reply; print the session's id
    #[arg(long, conflicts_with_all = ["output", "follow", "correct"])]
    pub no_wait: bool,
    /// Save the ids of the turn to FILE for `blocks wait --pending`, until the reply
    #[arg(long, value_name = "FILE")]
    pub pending: Option<PathBuf>,
    /// Send a field that this version does not know; may be repeated
    #[arg(long, value_name = "NAME=JSON")]
    pub field: Vec<Field>,
    /// Add the session to `blocks list`; the default except in CI
    #[arg(long)]
    pub register: bool,
}

#[derive(ClapArgs)]
pub struct ReplyOptions {
    /// Longest wait for a reply, such as 90s or `1h 30m`; 0 polls once
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30m",
        allow_hyphen_values = true
    )]
    pub timeout: Timeout,
    /// Exit with 5 if the reply looks like a notice of failure, judged by its text
    #[arg(long)]
    pub fail_on_notice: bool,
}

#[derive(Clone, Copy, ClapArgs)]
pub struct FollowOptions {
    /// Show the agent's messages on standard error as they arrive
    #[arg(long)]
    pub follow: bool,
    /// With --follow, show tool calls too
    #[arg(long, requires = "follow")]
    pub tools: bool,
}

#[derive(ClapArgs)]
pub struct SchemaOptions {
    /// JSON Schema of the reply, which is then printed as JSON; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Maximum number of follow-ups that ask to correct the JSON; each is billed
    #[arg(long, value_name = "N", default_value_t = 0, requires = "schema")]
    pub correct: u32,
}

#[derive(ClapArgs)]
pub struct OutputOption {
    /// Write the reply to this new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A prompt, given as text or as a file.
#[derive(ClapArgs)]
#[group(required = true, multiple = false)]
pub struct PromptArgs {
    /// Text for the agent, sent unchanged; after `--` it may start with `-`
    pub prompt: Option<String>,
    /// Read the text from FILE; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Option<PathBuf>,
}

/// The options that name the agent. At most one of them can be given. If none is given, the variable BLOCKS_AGENT must
/// name the agent.
#[derive(ClapArgs)]
#[group(required = false, multiple = false)]
pub struct AgentArgs {
    /// Core agent, such as claude
    #[arg(long, value_name = "NAME", help_heading = "Agent (or BLOCKS_AGENT)")]
    pub agent: Option<String>,
    /// Agent name that this version does not know; sent unchanged
    #[arg(long, value_name = "NAME", help_heading = "Agent (or BLOCKS_AGENT)")]
    pub any_agent: Option<String>,
    /// Custom agent of the workspace
    #[arg(long, value_name = "UUID", help_heading = "Agent (or BLOCKS_AGENT)")]
    pub agent_id: Option<Uuid>,
    /// Profile of the agent, as a JSON object
    #[arg(long, value_name = "JSON", help_heading = "Agent (or BLOCKS_AGENT)")]
    pub profile: Option<String>,
    /// Profile from FILE; `-` is standard input
    #[arg(long, value_name = "FILE", help_heading = "Agent (or BLOCKS_AGENT)")]
    pub profile_file: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct RunArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    /// Hide the session from other members of the workspace
    #[arg(long)]
    pub private: bool,
    /// Title of at most 200 characters
    #[arg(long)]
    pub title: Option<String>,
    /// Existing artifact to attach; may be repeated
    #[arg(long, value_name = "UUID")]
    pub artifact: Vec<Uuid>,
    /// Existing session group to put the session in
    #[arg(long, value_name = "UUID")]
    pub session_group: Option<Uuid>,
    #[command(flatten)]
    pub wait: WaitOptions,
}

#[derive(ClapArgs)]
#[command(override_usage = "blocks send [OPTIONS] <SESSION|--last> <PROMPT|--prompt-file <FILE>>")]
pub struct SendArgs {
    /// Session: its id or the address of its page
    pub session: Option<String>,
    /// Text for the agent, sent unchanged; after `--` it may start with `-`
    pub prompt: Option<String>,
    /// The session to which this user last sent a prompt
    #[arg(long)]
    pub last: bool,
    /// Read the text from FILE; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Option<PathBuf>,
    #[command(flatten)]
    pub wait: WaitOptions,
}

#[derive(ClapArgs)]
#[command(group(ArgGroup::new("handle").required(true).args(["session", "last", "pending"])))]
pub struct WaitArgs {
    /// Session; the wait is for its newest prompt unless --thread is given
    pub session: Option<SessionRef>,
    /// The session to which this user last sent a prompt
    #[arg(long)]
    pub last: bool,
    /// Thread to wait for
    #[arg(long, value_name = "ID", conflicts_with = "pending")]
    pub thread: Option<Uuid>,
    /// Resume from a file written by `run --pending`; the file is kept
    #[arg(long, value_name = "FILE")]
    pub pending: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputOption,
    #[command(flatten)]
    pub follow: FollowOptions,
    #[command(flatten)]
    pub schema: SchemaOptions,
    #[command(flatten)]
    pub reply: ReplyOptions,
}

#[derive(ClapArgs)]
#[group(required = true, multiple = false)]
pub struct SessionChoice {
    /// Session: its id or the address of its page
    pub session: Option<SessionRef>,
    /// The session to which this user last sent a prompt
    #[arg(long)]
    pub last: bool,
}

#[derive(ClapArgs)]
pub struct SessionArgs {
    #[command(flatten)]
    pub session: SessionChoice,
}

#[derive(ClapArgs)]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["sessions", "last", "all"])))]
pub struct ForgetArgs {
    /// Sessions: their ids or the addresses of their pages
    #[arg(value_name = "SESSION")]
    pub sessions: Vec<SessionRef>,
    /// The session to which this user last sent a prompt
    #[arg(long)]
    pub last: bool,
    /// All sessions that `blocks list` prints
    #[arg(long, conflicts_with_all = ["sessions", "last"])]
    pub all: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Order {
    Asc,
    Desc,
}

#[derive(ClapArgs)]
pub struct MessagesArgs {
    #[command(flatten)]
    pub session: SessionChoice,
    /// Only these types: message, final_message, tool_call; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub types: Vec<String>,
    /// Only these roles: user, assistant; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// Only messages of this thread
    #[arg(long, value_name = "ID")]
    pub thread: Option<Uuid>,
    /// Only messages later than this time, in epoch seconds
    #[arg(long, value_name = "SECONDS")]
    pub newer_than: Option<f64>,
    /// Order by time
    #[arg(long, value_enum, default_value = "asc")]
    pub direction: Order,
    /// Print only this page
    #[arg(long)]
    pub page: Option<u64>,
    /// Messages per page, 1 to 100
    #[arg(long, default_value_t = 50, requires = "page")]
    pub limit: u64,
    /// Keep printing new messages as they arrive
    #[arg(long, conflicts_with_all = ["page", "direction"])]
    pub follow: bool,
    /// With --follow, end after the final message of the newest prompt
    #[arg(long, requires = "follow")]
    pub until_done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Markdown,
    Json,
}

#[derive(ClapArgs)]
pub struct TranscriptArgs {
    #[command(flatten)]
    pub session: SessionChoice,
    /// Show tool calls
    #[arg(long)]
    pub tools: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "markdown")]
    pub format: Format,
}

#[derive(ClapArgs)]
pub struct PlanArgs {
    #[command(flatten)]
    pub session: SessionChoice,
    /// Write to this new file; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(ClapArgs)]
#[command(override_usage = "blocks artifact [OPTIONS] <SESSION|--last> <ARTIFACT>")]
pub struct ArtifactArgs {
    /// Session: its id or the address of its page
    pub session: Option<String>,
    /// Artifact
    pub artifact: Option<String>,
    /// The session to which this user last sent a prompt
    #[arg(long)]
    pub last: bool,
    /// Write to this new file; `-` is standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct BatchArgs {
    /// JSON Lines: one create request per line, each with a unique `id`; `-` is standard input
    pub file: PathBuf,
    /// Progress file, or redis://HOST/NAME for several workers; a rerun resumes
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// JSON Schema for the replies; the field `schema` of a line replaces it
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Retry prompts with unknown outcome (may be billed twice)
    #[arg(long, requires = "journal")]
    pub retry_unknown: bool,
    /// Retry prompts that ended with exit code 5 or 6 (billed again), and with
    /// --fail-on-notice those with a notice of failure; every rerun retries creates
    /// that certainly had no effect
    #[arg(long, requires = "journal")]
    pub retry_failed: bool,
    /// Maximum number of sessions that run at the same time [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_running: Option<u32>,
    /// Start no more prompts after one ended in this run with an exit code other than 0
    #[arg(long)]
    pub fail_fast: bool,
    /// Add the sessions to `blocks list`; the default except in CI
    #[arg(long)]
    pub register: bool,
    #[command(flatten)]
    pub reply: ReplyOptions,
}

#[derive(ClapArgs)]
pub struct ManArgs {
    /// Command whose page to print [default: the page of `blocks`]
    pub command: Option<String>,
    /// Write all pages to this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub output_dir: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct MockArgs {
    /// Port to listen on [default: a free port]
    #[arg(long)]
    pub port: Option<u16>,
    /// API key that the mock accepts [default: test-key]
    #[arg(long)]
    pub key: Option<String>,
    /// Service to imitate: observed, documented, or the vendor's mock (vendor_mock)
    #[arg(long)]
    pub dialect: Option<blocks_mock::DialectName>,
    /// Duration of the agent's work on each turn [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub reply_after: Option<Duration>,
    /// Agents, faults and limits, as JSON
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::IpAddr>,
    /// Base URL under which clients reach the mock
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Serve the mock's control API and page on non-loopback addresses, too
    #[arg(long)]
    pub control: bool,
    /// Do not log requests to standard error
    #[arg(long)]
    pub quiet: bool,
    /// Replay recorded responses: a HAR file, or a folder of saved responses
    #[arg(long, value_name = "PATH", conflicts_with_all = ["script", "dialect", "reply_after"])]
    pub replay: Option<PathBuf>,
    /// Print the JSON Schema of the script file
    #[arg(long, exclusive = true)]
    pub schema: bool,
}

impl Args {
    /// Returns the text of the usage error if a global option cannot be used with this command. For example, `list`
    /// sends no requests, so `--record` would have no effect. Also returns the usage error for `--record-texts` without
    /// `--record`.
    pub fn unsupported_option(&self) -> Option<String> {
        let command = &self.command;
        if self.record_texts && self.record.is_none() {
            return Some("--record-texts works with --record".to_owned());
        }
        if let Some(what) = command.unsupported_option(self.json, self.github_output) {
            return Some(what.to_owned());
        }
        if self.raw && !command.prints_text() {
            return Some("--raw works with commands that print an agent's text".to_owned());
        }
        let for_requests = [
            ("--record", self.record.is_some()),
            ("--request-timeout", self.request_timeout.is_some()),
            ("--no-shared-limit", self.no_shared_limit),
            ("--verbose", self.verbose),
        ];
        let mut given = for_requests.iter().filter(|(_, is_given)| *is_given);
        let (option, _) = given.next().filter(|_| !command.calls_service())?;
        Some(format!(
            "{option} works with commands that call the service"
        ))
    }
}

impl Args {
    /// Returns the files that the command writes, each with the option that names the file.
    pub fn written_files(&self) -> Vec<(&'static str, PathBuf)> {
        let (output, pending, journal) = match &self.command {
            Command::Run(RunArgs { wait, .. }) | Command::Send(SendArgs { wait, .. }) => {
                (wait.output.output.as_deref(), wait.pending.as_deref(), None)
            }
            Command::Wait(args) => (args.output.output.as_deref(), args.pending.as_deref(), None),
            Command::Plan(PlanArgs { output, .. })
            | Command::Artifact(ArtifactArgs { output, .. }) => (output.as_deref(), None, None),
            Command::Batch(args) => (None, None, args.journal.as_deref()),
            _ => (None, None, None),
        };
        let options = [
            ("--output", output),
            ("--pending", pending),
            ("--journal", journal),
            ("--record", self.record.as_deref()),
        ];
        let mut files = Vec::new();
        for (option, path) in options {
            // `-` means a standard stream.
            if let Some(path) = path.filter(|path| *path != Path::new("-")) {
                files.push((option, path.to_owned()));
            }
        }
        files
    }
}

impl Command {
    /// Returns whether this is `run`, `send` or `wait` with the option `--follow`.
    pub fn follows(&self) -> bool {
        match self {
            Self::Run(args) => args.wait.follow.follow,
            Self::Send(args) => args.wait.follow.follow,
            Self::Wait(args) => args.follow.follow,
            _ => false,
        }
    }

    /// Returns whether the command sends requests to the service.
    pub fn calls_service(&self) -> bool {
        !matches!(
            self,
            Self::Mock(_)
                | Self::List
                | Self::Forget(_)
                | Self::Schema { .. }
                | Self::Completions { .. }
                | Self::Man(_)
        )
    }

    /// Returns whether the command is `run`, `send` or `wait`, each of which handles one prompt.
    pub fn is_turn(&self) -> bool {
        matches!(self, Self::Run(_) | Self::Send(_) | Self::Wait(_))
    }

    /// Returns whether the command may write an agent's text to standard output other than as JSON.
    fn prints_text(&self) -> bool {
        self.calls_service() && !matches!(self, Self::Batch(_) | Self::Check)
    }

    /// Returns the text of the usage error if `--json` or `--github-output` cannot be used with this command.
    pub fn unsupported_option(&self, json: bool, github_output: bool) -> Option<&'static str> {
        if github_output && !self.is_turn() {
            return Some("--github-output works with run, send and wait");
        }
        let download = match self {
            Self::Plan(PlanArgs { output, .. }) | Self::Artifact(ArtifactArgs { output, .. }) => {
                output.as_deref().is_none_or(|file| file == "-")
            }
            _ => false,
        };
        if json && download {
            return Some("--json needs --output FILE here, because standard output gets the bytes");
        }
        match self {
            Self::Mock(_) | Self::Completions { .. } | Self::Man(_) if json => {
                Some("--json does not work with mock, completions and man")
            }
            _ => None,
        }
    }
}

/// Splits two positional values into a session and the value after it, such as a prompt. With `--last`, the user gives
/// no session, so the first value is the prompt or the artifact, and a second value is an error.
///
/// # Errors
/// The session is invalid, or there are too many values.
fn after_session(
    first: Option<String>,
    second: Option<String>,
    last: bool,
) -> Result<(Option<SessionRef>, Option<String>), String> {
    match (last, first, second) {
        (true, first, None) => Ok((None, first)),
        (true, ..) => Err("--last cannot be used with a session".to_owned()),
        (false, Some(first), second) => match first.parse() {
            Ok(session) => Ok((Some(session), second)),
            Err(error) => Err(format!("invalid session `{first}`: {error}")),
        },
        (false, None, _) => Ok((None, None)),
    }
}

impl SendArgs {
    /// Returns the session and the prompt. The session is `None` with `--last`, and if the user gave no session.
    ///
    /// # Errors
    /// The message says which value is invalid, and why.
    pub fn parts(&mut self) -> Result<(Option<SessionRef>, PromptArgs), String> {
        let (first, second) = (self.session.take(), self.prompt.take());
        let (session, prompt) = after_session(first, second, self.last)?;
        if prompt.is_some() && self.prompt_file.is_some() {
            return Err("a prompt cannot be used with --prompt-file".to_owned());
        }
        let prompt_file = self.prompt_file.take();
        let prompt = PromptArgs {
            prompt,
            prompt_file,
        };
        Ok((session, prompt))
    }
}

impl ArtifactArgs {
    /// Returns the session (`None` with `--last`) and the artifact.
    ///
    /// # Errors
    /// The message says which value is invalid, and why.
    pub fn parts(&mut self) -> Result<(Option<SessionRef>, Uuid), String> {
        let (first, second) = (self.session.take(), self.artifact.take());
        let (session, artifact) = after_session(first, second, self.last)?;
        let artifact = artifact.ok_or("give a session, or --last, and an artifact")?;
        match artifact.parse() {
            Ok(id) => Ok((session, id)),
            Err(_) => Err(format!("invalid artifact `{artifact}`: expected a UUID")),
        }
    }
}

/// The options that decide how an invalid command line is reported, for example as JSON. They are searched for without
/// clap, because clap returns no options if the command line is invalid.
pub struct Unparsed {
    pub json: bool,
    pub github_output: bool,
    /// Whether the command is `run`, `send` or `wait`.
    pub is_turn: bool,
}

impl Unparsed {
    pub fn new(line: &[OsString]) -> Self {
        let options: Vec<_> = line
            .iter()
            .skip(1)
            .take_while(|word| *word != "--")
            .collect();
        let has = |option: &str| options.iter().any(|word| *word == option);
        // The value of a global option, such as `5s` in `--request-timeout 5s run`, is not the command.
        let blocks = Args::command();
        let takes_value = |option: &str| {
            let name = option.strip_prefix("--").unwrap_or_default();
            let mut arguments = blocks.get_arguments();
            arguments.any(|a| a.get_long() == Some(name) && a.get_action().takes_values())
        };
        let mut words = options.iter().filter_map(|word| word.to_str());
        let mut command = None;
        while let Some(word) = words.next() {
            if takes_value(word) {
                words.next();
            } else if !word.starts_with('-') {
                command = Some(word);
                break;
            }
        }
        Self {
            json: has("--json"),
            github_output: has("--github-output"),
            is_turn: matches!(command, Some("run" | "send" | "wait")),
        }
    }
}

/// Returns the completion script for a shell.
pub fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "blocks", &mut text);
    text
}

/// Returns the names and contents of the man pages of `blocks` and of each of its commands.
pub fn man_pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut blocks = Args::command().disable_help_subcommand(true);
    blocks.build();
    let mut pages = vec![page(blocks.clone())?];
    for command in blocks.get_subcommands() {
        pages.push(page(command.clone())?);
    }
    Ok(pages)
}

fn page(command: clap::Command) -> std::io::Result<(String, Vec<u8>)> {
    let name = command
        .get_display_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok((name, text))
}
