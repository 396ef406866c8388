//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum};
use uuid::Uuid;

const AFTER: &str = "\
Environment:
  BLOCKS_API_KEY       the API key, made in the settings of your Blocks workspace
  BLOCKS_API_BASE_URL  another base URL, such as that of `blocks mock`

Exit codes:
  0    done
  1    failed
  2    wrong use; nothing was sent
  3    still running at the deadline
  4    fate unknown: a session may exist, so look before you try again
  130  interrupted";

/// Coding agents from a terminal, a script or CI.
///
/// The reply, and nothing else, goes to standard output; progress goes to standard error.
#[derive(Parser)]
#[command(name = "blocks", version, after_help = AFTER)]
pub struct Args {
    /// Results as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Append results to $GITHUB_OUTPUT, and write a job summary
    #[arg(long, global = true)]
    pub github_output: bool,
    /// Show requests, without secrets
    #[arg(short, long, global = true)]
    pub verbose: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Create a session, wait, and print the reply
    Run(RunArgs),
    /// Follow up in a session, wait, and print the reply
    Send(SendArgs),
    /// Wait on for what was started elsewhere
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
    /// Run many prompts, and go on where an interrupted run stopped
    Batch(BatchArgs),
    /// Serve a mock of the service on a loopback port
    Mock(MockArgs),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    #[command(hide = true)]
    Man,
}

#[derive(ClapArgs)]
pub struct WaitOptions {
    /// How long to wait, such as 90s or 1h 30m
    #[arg(long, default_value = "30m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
    /// Do not wait for the reply
    #[arg(long)]
    pub no_wait: bool,
    /// Write what is pending to this file, for `blocks wait --pending`
    #[arg(long, value_name = "FILE")]
    pub pending: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct RunArgs {
    /// What the agent is to do; `-` reads standard input, `@FILE` a file
    pub prompt: String,
    /// A core agent, such as claude (exactly one of these three)
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// A custom agent of the workspace
    #[arg(long, value_name = "UUID")]
    pub agent_id: Option<Uuid>,
    /// A profile, as JSON or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub profile: Option<String>,
    /// Hide the session from other members of the workspace
    #[arg(long)]
    pub private: bool,
    /// A title of at most 200 characters
    #[arg(long)]
    pub title: Option<String>,
    /// An existing artifact to attach; may be repeated
    #[arg(long, value_name = "UUID")]
    pub artifact: Vec<Uuid>,
    /// An existing group to put the session in
    #[arg(long, value_name = "UUID")]
    pub session_group: Option<Uuid>,
    #[command(flatten)]
    pub wait: WaitOptions,
}

#[derive(ClapArgs)]
pub struct SendArgs {
    /// The session
    pub session: Uuid,
    /// What the agent is to do next; `-` reads standard input, `@FILE` a file
    pub prompt: String,
    #[command(flatten)]
    pub wait: WaitOptions,
}

#[derive(ClapArgs)]
pub struct WaitArgs {
    /// The session; without --thread, its latest turn that a message tells of
    #[arg(required_unless_present = "pending", conflicts_with = "pending")]
    pub session: Option<Uuid>,
    /// The thread to wait for
    #[arg(long, value_name = "UUID", requires = "session")]
    pub thread: Option<Uuid>,
    /// What is pending, as `blocks run --pending` wrote it
    #[arg(long, value_name = "FILE")]
    pub pending: Option<PathBuf>,
    /// How long to wait, such as 90s or 1h 30m
    #[arg(long, default_value = "30m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

#[derive(ClapArgs)]
pub struct SessionArgs {
    /// The session
    pub session: Uuid,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Order {
    Asc,
    Desc,
}

#[derive(ClapArgs)]
pub struct MessagesArgs {
    /// The session
    pub session: Uuid,
    /// Only these types: message, final_message, tool_call; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    pub types: Vec<String>,
    /// Only these roles: user, assistant; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
    /// Only messages of this thread
    #[arg(long, value_name = "UUID")]
    pub thread: Option<Uuid>,
    /// Only messages later than this, in epoch seconds
    #[arg(long, value_name = "SECONDS")]
    pub newer_than: Option<f64>,
    /// The order by time
    #[arg(long, value_enum, default_value = "asc")]
    pub direction: Order,
    /// One page instead of all
    #[arg(long)]
    pub page: Option<u64>,
    /// Messages in a page, 1 to 100
    #[arg(long, default_value_t = 50, requires = "page")]
    pub limit: u64,
    /// Go on with each new message as it comes
    #[arg(long, conflicts_with_all = ["page", "direction"])]
    pub follow: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Markdown,
    Json,
}

#[derive(ClapArgs)]
pub struct TranscriptArgs {
    /// The session
    pub session: Uuid,
    /// Show tool calls
    #[arg(long)]
    pub tools: bool,
    /// As a person reads it, or for machines
    #[arg(long, value_enum, default_value = "markdown")]
    pub format: Format,
}

#[derive(ClapArgs)]
pub struct PlanArgs {
    /// The session
    pub session: Uuid,
    /// Write to this new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct ArtifactArgs {
    /// The session
    pub session: Uuid,
    /// The artifact
    pub artifact: Uuid,
    /// Write to this new file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(ClapArgs)]
pub struct BatchArgs {
    /// One create request a line, as JSON, each with an `id` of yours; `-` reads standard input
    pub file: PathBuf,
    /// What was done, so that a run that was interrupted goes on and starts nothing twice
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Start again what may have been started when an earlier run was interrupted
    #[arg(long, requires = "journal")]
    pub retry_unknown: bool,
    /// How long to wait for each reply
    #[arg(long, default_value = "30m", value_parser = humantime::parse_duration)]
    pub timeout: Duration,
}

#[derive(ClapArgs)]
pub struct MockArgs {
    /// The port; a free one unless given
    #[arg(long)]
    pub port: Option<u16>,
    /// The key that is accepted
    #[arg(long)]
    pub key: Option<String>,
    /// Behaviour to mimic: observed, documented or vendor_mock
    #[arg(long)]
    pub dialect: Option<blocks_mock::DialectName>,
    /// How long the agent works on each turn
    #[arg(long, value_parser = humantime::parse_duration)]
    pub reply_after: Option<Duration>,
    /// Agents, faults and limits, as JSON
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::IpAddr>,
    /// Base URL under which clients reach it
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Serve the control plane and the page beyond loopback, too
    #[arg(long)]
    pub control: bool,
    /// Do not log requests to standard error
    #[arg(long)]
    pub quiet: bool,
    /// Print the JSON Schema of the script file
    #[arg(long, exclusive = true)]
    pub schema: bool,
}

/// Prints completions for a shell.
pub fn completions(shell: clap_complete::Shell) {
    let mut command = Args::command();
    clap_complete::generate(shell, &mut command, "blocks", &mut std::io::stdout());
}

/// Prints the man page.
pub fn man() -> std::io::Result<()> {
    clap_mangen::Man::new(Args::command()).render(&mut std::io::stdout())
}
