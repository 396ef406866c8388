//! Chooses a page number and a page size, so that the page contains a given index of a list of messages.
//!
//! Page `p` with page size `n` contains the indexes from `(p - 1) * n` up to, but not including, `p * n`. The pager can
//! choose the page size, so a range can start close to almost any index. For this reason, the pager can make each range
//! overlap the previous range.

/// A range of a list, given by a page number and a page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub page: u64,
    pub limit: u64,
}

/// The page sizes that the pager can choose: from 1 to `most`, or only `most` if `fixed` is true.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// The largest page size.
    pub most: u64,
    /// Whether every page has the size `most`, because the service ignores the requested size.
    pub fixed: bool,
}

impl Window {
    /// Returns the index of the window's first message.
    pub fn start(self) -> u64 {
        (self.page - 1).saturating_mul(self.limit)
    }

    /// Returns the index just after the window's last message.
    pub fn end(self) -> u64 {
        self.page.saturating_mul(self.limit)
    }

    fn containing(index: u64, limit: u64) -> Self {
        Self {
            page: index / limit + 1,
            limit,
        }
    }
}

impl Sizes {
    fn windows(self, index: u64) -> impl Iterator<Item = Window> {
        let least = if self.fixed { self.most } else { 1 };
        (least..=self.most.max(1)).map(move |limit| Window::containing(index, limit))
    }

    /// Returns, of all windows that contain `index`, the one that ends last. Avoids the page number `unusable`, if
    /// another window contains `index`.
    pub fn forward(self, index: u64, unusable: Option<u64>) -> Window {
        let usable = self
            .windows(index)
            .filter(|window| Some(window.page) != unusable);
        let best = usable.max_by_key(|window| window.end());
        best.unwrap_or_else(|| Window::containing(index, self.most.max(1)))
    }

    /// Returns, of all windows that contain `index`, the one that starts first.
    pub fn backward(self, index: u64) -> Window {
        let best = self.windows(index).min_by_key(|window| window.start());
        best.unwrap_or_else(|| Window::containing(index, 1))
    }

    /// Returns the largest window that starts at `index`. If no window starts there, returns a window that contains
    /// `index`.
    pub fn starting_at(self, index: u64) -> Window {
        let starting = self.windows(index).filter(|window| window.start() == index);
        let largest = starting.max_by_key(|window| window.limit);
        largest.unwrap_or_else(|| self.forward(index, None))
    }

    /// Returns the smallest window that contains `index`.
    pub fn smallest(self, index: u64) -> Window {
        Window::containing(index, if self.fixed { self.most } else { 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_a_hundred_overlap_and_advance() {
        let sizes = Sizes {
            most: 100,
            fixed: false,
        };
        let (mut last, mut requests) = (99, 1);
        while last < 100_000 {
            let window = sizes.forward(last, None);
            assert!(window.start() <= last && window.end() > last + 1 && window.limit <= 100);
            last = window.end() - 1;
            requests += 1;
        }
        assert_eq!(requests, 1_143, "1,000 without an overlap");
    }

    #[test]
    fn a_window_starts_where_a_size_allows_it() {
        let sizes = Sizes {
            most: 10,
            fixed: false,
        };
        assert_eq!(sizes.starting_at(12), Window { page: 3, limit: 6 });
        assert_eq!(sizes.starting_at(13), Window { page: 14, limit: 1 });
        assert_eq!(sizes.backward(19), Window { page: 2, limit: 10 });
        assert_eq!(sizes.smallest(7), Window { page: 8, limit: 1 });
        let fixed = Sizes {
            most: 50,
            fixed: true,
        };
        assert_eq!(fixed.forward(99, None), Window { page: 2, limit: 50 });
        assert_eq!(fixed.smallest(100), Window { page: 3, limit: 50 });
    }

    #[test]
    fn a_page_number_that_is_always_empty_is_avoided() {
        let sizes = Sizes {
            most: 100,
            fixed: false,
        };
        let window = sizes.forward(99, Some(2));
        assert_eq!(window, Window { page: 3, limit: 49 });
    }
}
