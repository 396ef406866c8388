//! Guesses whether a reply is a notice that the agent failed.

use crate::session::turn::Reply;

/// Describes a notice of failure that was recognized in a reply; see [`Reply::failure_notice`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureNotice {
    /// The reason why the agent failed.
    pub kind: FailureNoticeKind,
    /// The first line of the reply that is not blank.
    pub text: String,
}

/// Names the reason why an agent failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureNoticeKind {
    /// The agent could not authenticate with its provider.
    Authentication,
    /// The provider's rate limit, quota or usage limit was reached.
    Limit,
}

/// The maximum length of a notice, in characters. A notice is short and is the whole reply. A longer text that starts
/// with the same words is probably a real reply, for example about rate limits.
const LONGEST: usize = 500;

/// The first words of known notices, in lower case. The text of a reply starts with the notice, or with an agent's
/// name, a colon and the notice, as in `Claude Code: Authentication failed.`
const NOTICES: [(&str, FailureNoticeKind); 5] = [
    ("authentication failed", FailureNoticeKind::Authentication),
    ("rate limit or quota exceeded", FailureNoticeKind::Limit),
    ("you've hit your limit", FailureNoticeKind::Limit),
    ("you've hit your usage limit", FailureNoticeKind::Limit),
    ("you've reached your usage limit", FailureNoticeKind::Limit),
];

/// Names of agents that may precede a notice.
const AGENTS: [&str; 9] = [
    "claude code",
    "claude",
    "codex",
    "gemini cli",
    "gemini",
    "opencode",
    "cursor",
    "kimi",
    "sisyphus",
];

impl Reply {
    /// Returns the notice if the reply is a notice of failure, such as `Claude Code: Authentication failed.`
    ///
    /// A reply does not mean that the agent succeeded. If the agent fails, the final message can be a notice of the
    /// failure. The service's messages have no status field, so only the text of the notice shows the failure. This
    /// method recognizes only known notices, and only at the start of a short text. The result can be wrong: a
    /// successful reply can start with the same words as a notice, and `None` does not mean that the agent succeeded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), blocks_sdk::Error> {
    /// use blocks_mock::{Mock, Script};
    /// use blocks_sdk::{Agent, Client, CreateSession, FailureNoticeKind};
    ///
    /// let agent = Script::reply("Claude Code: Rate limit or quota exceeded. Try again later.");
    /// let mock = Mock::builder().agent(agent).build();
    /// # let client = Client::builder(mock.key()).service(mock.service()).build()?;
    /// let session = client.create_session(CreateSession::new(Agent::claude(), "Go.")).await?;
    /// let notice = session.first_reply().await?.failure_notice().expect("a notice");
    /// assert_eq!(notice.kind, FailureNoticeKind::Limit);
    /// # Ok(())
    /// # }
    /// ```
    pub fn failure_notice(&self) -> Option<FailureNotice> {
        failure_notice(self.text())
    }
}

fn failure_notice(text: &str) -> Option<FailureNotice> {
    let text = text.trim();
    if text.chars().count() > LONGEST {
        return None;
    }
    let normal = text.to_lowercase().replace('’', "'");
    let after_agent = AGENTS.iter().find_map(|agent| {
        let rest = normal.strip_prefix(agent)?.trim_start();
        rest.strip_prefix(':').map(str::trim_start)
    });
    let opening = after_agent.unwrap_or(&normal);
    let (_, kind) = NOTICES.iter().find(|(notice, _)| {
        opening.strip_prefix(notice).is_some_and(|rest| {
            // If a letter or digit follows, as in `authentication failedness`, the text does not contain the notice.
            !rest.starts_with(char::is_alphanumeric)
        })
    })?;
    Some(FailureNotice {
        kind: *kind,
        text: text.lines().next().unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureNoticeKind::{Authentication, Limit};

    #[test]
    fn known_notices_are_recognised() {
        for (text, kind) in [
            (
                "Claude Code: Authentication failed. Check the key.",
                Authentication,
            ),
            ("Authentication failed", Authentication),
            (
                "Claude Code: Rate limit or quota exceeded. Try later.",
                Limit,
            ),
            ("  codex: rate limit or quota exceeded\n", Limit),
            ("You've hit your limit · resets 3am (UTC)", Limit),
            ("You’ve hit your limit · resets Monday", Limit),
            ("Claude Code: You've hit your usage limit.", Limit),
        ] {
            let notice = failure_notice(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(notice.kind, kind, "{text}");
            assert_eq!(notice.text, text.trim());
        }
    }

    #[test]
    fn other_texts_are_no_notice() {
        let long = format!("Authentication failed. {}", "And so on. ".repeat(60));
        for text in [
            "",
            "Done.",
            "I fixed the test `authentication failed`.",
            "The error was: Rate limit or quota exceeded.",
            "Authentication failedness is now tested.",
            "Review: Authentication failed in two tests.",
            &long,
        ] {
            assert_eq!(failure_notice(text), None, "{text}");
        }
    }
}
