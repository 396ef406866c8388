//! A clock that all processes of a machine read alike.

use std::time::Duration;

/// The time now, and an identifier of the clock's start: times with different ones cannot be
/// compared.
pub(super) struct Clock {
    pub start: String,
    pub now: Duration,
}

impl Clock {
    /// The time since the machine started, which no change of the date moves.
    #[cfg(unix)]
    pub fn read() -> Self {
        use rustix::time::{ClockId, clock_gettime};

        // It continues while the machine is suspended, where the system has such a clock.
        #[cfg(target_os = "linux")]
        let id = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let id = ClockId::Monotonic;
        let time = clock_gettime(id);
        let start = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Self {
            start: start.unwrap_or_default().trim().to_owned(),
            now: Duration::new(
                time.tv_sec.unsigned_abs(),
                time.tv_nsec.unsigned_abs() as u32,
            ),
        }
    }

    /// The date: a change of it costs at most a minute's slots.
    #[cfg(not(unix))]
    pub fn read() -> Self {
        let now = std::time::SystemTime::now();
        Self {
            start: String::new(),
            now: now
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }
}
