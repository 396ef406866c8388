//! One choice of messages as one sequence, also from a deployment that takes one role at a time.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use blocks_api::types::{Message, MessagePage, PageMeta};

use crate::call::Admission;
use crate::error::Error;
use crate::messages::Messages;
use crate::page::{Page, time};
use crate::pager::Pager;
use crate::rate_limit::Priority;

pub(crate) struct Feed {
    choice: Messages,
    /// One, or one for each role, with the time of the message that each gave last.
    pagers: Vec<(Pager, f64)>,
    any_read: bool,
}

impl Feed {
    pub fn new(choice: Messages) -> Self {
        let split = &choice.client().core.one_role_at_a_time;
        if choice.has_many_roles() && split.load(Ordering::Relaxed) {
            return Self::by_role(choice);
        }
        Self {
            pagers: vec![(Pager::new(choice.clone()), f64::NEG_INFINITY)],
            choice,
            any_read: false,
        }
    }

    /// One sequence for each role, merged by time.
    pub fn by_role(choice: Messages) -> Self {
        let first = if choice.is_descending() {
            f64::INFINITY
        } else {
            f64::NEG_INFINITY
        };
        let pagers = choice.by_role().into_iter();
        Self {
            pagers: pagers.map(|one| (Pager::new(one), first)).collect(),
            choice,
            any_read: true,
        }
    }

    /// The next message; `None` at the end. A page that must be read takes a turn in `lane`.
    pub async fn next(&mut self, lane: Priority) -> Result<Option<Message>, Error> {
        self.fill(lane).await?;
        Ok(self.take_first())
    }

    /// All that can be told before another page is read; nothing at the end.
    pub async fn batch(&mut self, lane: Priority) -> Result<VecDeque<Message>, Error> {
        self.fill(lane).await?;
        if let [(pager, _)] = self.pagers.as_mut_slice() {
            return Ok(pager.take());
        }
        let mut batch = VecDeque::new();
        while self.is_filled()
            && let Some(message) = self.take_first()
        {
            batch.push_back(message);
        }
        Ok(batch)
    }

    /// Whether each sequence can tell its next message, or has none.
    fn is_filled(&self) -> bool {
        self.pagers.iter().all(|(pager, _)| pager.is_filled())
    }

    /// Reads pages until each sequence can tell its next message, or has none.
    async fn fill(&mut self, lane: Priority) -> Result<(), Error> {
        let client = self.choice.client().clone();
        for index in 0..self.pagers.len() {
            loop {
                let pager = &mut self.pagers[index].0;
                if pager.is_filled() {
                    break;
                }
                match pager.advance(admission(lane)).await {
                    Ok(()) => self.any_read = true,
                    // Perhaps the deployment refuses a repeated role: each alone will tell.
                    Err(error)
                        if !self.any_read
                            && error.status() == Some(422)
                            && self.choice.has_many_roles() =>
                    {
                        *self = Self::by_role(self.choice.clone());
                        Box::pin(self.fill(lane)).await?;
                        client
                            .core
                            .one_role_at_a_time
                            .store(true, Ordering::Relaxed);
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Takes what comes first over all sequences. A message without any time stays where it
    /// is in its own sequence.
    fn take_first(&mut self) -> Option<Message> {
        let descending = self.choice.is_descending();
        let (_, index) = self
            .pagers
            .iter()
            .enumerate()
            .filter_map(|(index, (pager, last))| {
                let time = time(pager.peek()?).unwrap_or(*last);
                Some((if descending { -time } else { time }, index))
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))?;
        let (pager, last) = &mut self.pagers[index];
        let message = pager.pop()?;
        *last = time(&message).unwrap_or(*last);
        Some(message)
    }

    /// Goes on from the end.
    pub fn go_on(&mut self) {
        self.pagers.iter_mut().for_each(|(pager, _)| pager.go_on());
    }

    /// One page of the merged sequence, numbered from 1.
    pub async fn page(mut self, number: u64, limit: u64) -> Result<Page, Error> {
        let skip = (number - 1).saturating_mul(limit);
        let mut items = Vec::new();
        let mut position = 0;
        while (items.len() as u64) < limit
            && let Some(message) = self.next(Priority::Interactive).await?
        {
            if position >= skip {
                items.push(message);
            }
            position += 1;
        }
        let total: Option<u64> = self.pagers.iter().map(|(pager, _)| pager.total()).sum();
        let whole = |n: u64| i64::try_from(n).ok();
        let meta = PageMeta {
            total: total.and_then(whole),
            page: whole(number),
            limit: whole(limit),
            total_pages: total.map(|t| t.div_ceil(limit)).and_then(whole),
            extra: Default::default(),
        };
        Ok(Page::merged(MessagePage {
            items,
            links: None,
            meta: Some(meta),
            extra: Default::default(),
        }))
    }
}

/// A poll has no time-out, so that it waits out the longest pause which a service asks for, where
/// a call would give up.
fn admission(lane: Priority) -> Admission {
    match lane {
        Priority::Poll(_) => Admission::Once(lane),
        Priority::Interactive | Priority::Create => Admission::Wait(lane),
    }
}
