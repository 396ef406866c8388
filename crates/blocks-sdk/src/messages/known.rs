//! Remembers the messages that were read last, so that a message is recognized when it is read again.

use std::collections::{HashSet, VecDeque};
use std::io;

use blocks_api::types::Message;

/// The number of messages that are remembered. The pager searches the last 1,000 messages of the list for messages that
/// the service added there later. It finds them by comparison with the remembered messages, so this number is larger
/// than 1,000.
pub(crate) const REMEMBERED: usize = 2_000;

/// Returns the hash of a message's id, or of the whole message if the message has no id. The hash identifies the
/// message. Two messages without ids and with the same content have the same hash, and count as one message. Every
/// release must compute the same hash for a message, because stored cursors contain the hashes. The hash has at most 53
/// bits, because many programs read a JSON number as a 64-bit float, which stores integers of at most 53 bits exactly.
pub(crate) fn identity(message: &Message) -> u64 {
    let mut hash = Hash::default();
    match &message.id {
        Some(id) => hash.add(id.as_str().as_bytes()),
        // The result is dropped, because writing to a hash cannot fail.
        None => drop(serde_json::to_writer(&mut hash, message)),
    }
    hash.finish()
}

/// Computes the hash that identifies a message that was too large to be read. The message is the only message of its
/// page. `body` is the part of the page that was received. If this part contains the id of the message as a string, the
/// hash is computed from the id. Otherwise the hash is computed from this part, without the text before the field
/// `items`.
pub(crate) fn identity_in_cut_page(body: &str) -> u64 {
    let items = body.find("\"items\"").map_or(body, |at| &body[at..]);
    let field = items.match_indices("\"id\"").find_map(|(at, name)| {
        // The text of a message can contain `\"id\"`. A backslash before the quote shows that this match is inside a
        // string and is not the name of a field.
        let value = items[at + name.len()..].trim_start().strip_prefix(':')?;
        let is_name = !items[..at].ends_with('\\');
        value
            .trim_start()
            .strip_prefix('"')?
            .split_once('"')
            .filter(|_| is_name)
    });
    let mut hash = Hash::default();
    let text = field.map_or(items, |(id, _)| id);
    hash.add(text.as_bytes());
    hash.finish()
}

/// Computes the hash FNV-1a with 64 bits.
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// Returns the hash, shortened to 53 bits. In FNV-1a, the high bits depend on more of the input than the low bits,
    /// so the lowest 11 bits are removed. Before that, the low bits are combined with the high bits.
    fn finish(self) -> u64 {
        (self.0 ^ (self.0 << 29)) >> 11
    }
}

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The identities (see [`identity`]) of the messages that were read last, in the service's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    order: VecDeque<u64>,
    set: HashSet<u64>,
    /// Whether there are earlier messages that are not remembered, because they were forgotten or skipped.
    partial: bool,
}

impl Known {
    /// Remembers all `identities`, even if they are more than [`REMEMBERED`]. A cursor contains this number for each
    /// role, and the hashes of one role must not replace those of another role.
    pub fn new(identities: impl IntoIterator<Item = u64>, partial: bool) -> Self {
        let mut known = Self {
            partial,
            ..Self::default()
        };
        for identity in identities {
            if known.set.insert(identity) {
                known.order.push_back(identity);
            }
        }
        known
    }

    pub fn is_partial(&self) -> bool {
        self.partial
    }

    pub fn contains(&self, identity: u64) -> bool {
        self.set.contains(&identity)
    }

    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.order.iter().copied()
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Adds the next message. Returns whether the message is new.
    pub fn push(&mut self, identity: u64) -> bool {
        let is_new = self.set.insert(identity);
        if is_new {
            self.order.push_back(identity);
            self.forget_oldest();
        }
        is_new
    }

    /// Adds a late message before the message `next`, so that the late message is forgotten at the same time as the
    /// messages around it. Returns whether the message is new.
    pub fn insert_before(&mut self, next: u64, identity: u64) -> bool {
        let is_new = self.set.insert(identity);
        if is_new {
            let place = self.order.iter().rposition(|known| *known == next);
            self.order.insert(place.unwrap_or(0), identity);
            self.forget_oldest();
        }
        is_new
    }

    fn forget_oldest(&mut self) {
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
            self.partial = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_message_never_changes() {
        for (message, hash) in [
            (
                r#"{"id": "a196cec6-49cb-4c48-8e4c-2707fb5d6709", "message": "Hello."}"#,
                1_996_033_740_973_462,
            ),
            (r#"{"message": "Hello."}"#, 7_693_454_106_332_451),
        ] {
            let message: Message = serde_json::from_str(message).unwrap();
            assert_eq!(identity(&message), hash, "{message:?}");
        }
    }
}
