//! Reads a clock that shows the same time to all processes of a machine.

use std::time::Duration;

/// Contains the current time, and an identifier of the last start of the machine. The identifier is empty if the system
/// does not provide one. Times with different identifiers cannot be compared.
pub(super) struct Clock {
    pub start: String,
    pub now: Duration,
}

impl Clock {
    /// Returns the time since the machine started. A change of the date does not affect this time.
    #[cfg(unix)]
    pub fn read() -> Self {
        use rustix::time::{ClockId, clock_gettime};

        // On Linux, `Monotonic` stops while the machine is suspended, and `Boottime` continues.
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

    /// Returns the system time since 1970. After a change of the system time, requests may be counted for too long or
    /// too short a time, for up to one minute.
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
