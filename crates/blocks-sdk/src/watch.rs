//! Messages as they come.

use std::time::Duration;

use blocks_api::types::Message;
use tokio::time::Instant;

use crate::error::Error;
use crate::feed::Feed;
use crate::messages::Messages;
use crate::rate_limit::{PollSchedule, Priority};
use crate::retry::poll_pause;

const INTERVAL: Duration = Duration::from_secs(2);

pub(crate) struct Watch {
    feed: Feed,
    /// When something came last: what is silent for long gives way to others.
    news: Instant,
    looked: Instant,
    next: Instant,
    failures: u32,
}

impl Watch {
    pub fn new(choice: Messages) -> Self {
        let now = Instant::now();
        Self {
            feed: Feed::new(choice),
            news: now,
            looked: now,
            next: now,
            failures: 0,
        }
    }

    pub async fn next(&mut self) -> Result<Message, Error> {
        loop {
            let lane = Priority::Poll(PollSchedule {
                started: self.news,
                last_poll: self.looked,
                ready_at: self.next,
                first_before: None,
            });
            let result = self.feed.next(lane).await;
            let now = Instant::now();
            match result {
                Ok(Some(message)) => {
                    self.failures = 0;
                    self.news = now;
                    // What is left of this page, and the pages after it, need no wait.
                    self.next = now;
                    return Ok(message);
                }
                Ok(None) => {
                    self.failures = 0;
                    self.feed.go_on();
                }
                Err(error) if error.is_transient() => self.failures += 1,
                Err(error) => return Err(error),
            }
            self.looked = now;
            self.next = now + poll_pause(INTERVAL, self.failures, fastrand::f64());
        }
    }
}
