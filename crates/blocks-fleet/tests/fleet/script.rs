//! Compares the decisions of the Redis script `limit.lua` with those of the Rust type `SharedLimit`. The test chooses
//! the times.

use std::sync::Mutex;
use std::time::Duration;

use blocks_sdk::{LimitFuture, LimitStore, SharedLimit, SlotPurpose, SlotRequest, SlotResponse};
use tokio::time::Instant;

use crate::redis_server::RedisServer;

const SCRIPT: &str = include_str!("../../src/limit/limit.lua");

/// Runs the script on a real server, but with a changed clock: the script's last argument is the time. Each call blocks
/// the thread, because tokio's paused clock would advance if the call were awaited.
pub struct Scripted {
    connection: Mutex<redis::Connection>,
    script: redis::Script,
    start: Instant,
}

impl Scripted {
    pub fn new(server: &RedisServer) -> Self {
        let (before, rest) = SCRIPT.split_once("local time = ").unwrap();
        let (_, after) = rest.split_once("local now = ").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        let now =
            "local now = tonumber(ARGV[#ARGV]); ARGV[#ARGV] = nil; local micros = now * 1000\n";
        Self {
            connection: Mutex::new(server.connection()),
            script: redis::Script::new(&format!("{before}{now}{after}")),
            start: Instant::now(),
        }
    }

    fn run<T: redis::FromRedisValue>(&self, now: u64, arguments: &[String]) -> T {
        let mut script = self.script.key("limit");
        script.arg(arguments).arg(now.to_string());
        let mut connection = self.connection.lock().unwrap();
        script.invoke(&mut *connection).unwrap()
    }

    pub fn take_at(&self, now: u64, request: &SlotRequest) -> SlotResponse {
        let mut arguments: Vec<String> = vec![
            "take".into(),
            request.process.to_string(),
            request.capacity.to_string(),
            u8::from(request.spreads_calls).to_string(),
        ];
        for demand in &request.demands {
            let purpose = match demand.purpose {
                SlotPurpose::Interactive => 0,
                SlotPurpose::Create => 1,
                SlotPurpose::Poll => 2,
                _ => 3,
            };
            let waited = demand.waited.as_millis().to_string();
            arguments.extend([purpose.to_string(), waited, demand.weight.to_string()]);
        }
        let (is_taken, first, second): (bool, u64, u64) = self.run(now, &arguments);
        match is_taken {
            true => SlotResponse::taken(first as usize, second),
            false => SlotResponse::wait(Duration::from_millis(first), second == 1),
        }
    }

    pub fn pause_at(&self, now: u64, pause: Duration) {
        self.run(now, &["pause".into(), pause.as_millis().to_string()])
    }

    pub fn give_back_at(&self, now: u64, slot: u64) {
        self.run(now, &["give_back".into(), slot.to_string()])
    }

    /// Returns the simulated time of the server, which is an hour ahead of the clients' time (tokio's clock).
    fn now(&self) -> u64 {
        3_600_000 + u64::try_from(self.start.elapsed().as_millis()).unwrap()
    }
}

impl LimitStore for Scripted {
    fn take<'a>(&'a self, request: &'a SlotRequest) -> LimitFuture<'a, SlotResponse> {
        let response = self.take_at(self.now(), request);
        Box::pin(std::future::ready(Ok(response)))
    }

    fn pause(&self, pause: Duration) -> LimitFuture<'_, ()> {
        self.pause_at(self.now(), pause);
        Box::pin(std::future::ready(Ok(())))
    }

    fn give_back(&self, slot: u64) -> LimitFuture<'_, ()> {
        self.give_back_at(self.now(), slot);
        Box::pin(std::future::ready(Ok(())))
    }
}

fn request(random: &mut fastrand::Rng, capacity: usize) -> SlotRequest {
    // One request in ten simulates a process that has received a 429. Such a process uses fewer slots, and spreads its
    // requests.
    let is_careful = random.u8(..10) == 0;
    let capacity = if is_careful {
        capacity * 4 / 5
    } else {
        capacity
    };
    let mut request = SlotRequest::new(random.u64(..12), capacity);
    request.spreads_calls = is_careful;
    let all = [
        SlotPurpose::Interactive,
        SlotPurpose::Create,
        SlotPurpose::Poll,
        SlotPurpose::UrgentPoll,
    ];
    for _ in 0..random.usize(1..4) {
        let waited = Duration::from_millis(random.u64(..60_000));
        request = request.demand(all[random.usize(..4)], waited, random.f64());
    }
    request
}

#[test]
fn the_script_decides_as_the_rust_code_does() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let script = Scripted::new(&server);
    let mut waits = 0;
    for seed in 0..40 {
        server.run(&["FLUSHALL"]);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut limit = SharedLimit::default();
        let capacity = random.usize(1..120);
        let mut now = 1_700_000_000_000_u64;
        let mut slots = Vec::new();
        for step in 0..300 {
            now += random.u64(..1500);
            if random.u8(..60) == 0 {
                // Sets the clock back.
                now -= random.u64(..100_000);
            }
            let time = Duration::from_millis(now);
            match random.u8(..30) {
                0 => {
                    let pause = Duration::from_millis(random.u64(..20_000));
                    limit.pause(time, pause);
                    script.pause_at(now, pause);
                }
                1 if !slots.is_empty() => {
                    let slot = slots.swap_remove(random.usize(..slots.len()));
                    limit.give_back(slot);
                    script.give_back_at(now, slot);
                }
                _ => {
                    let request = request(&mut random, capacity);
                    let expected = limit.take(time, &request);
                    let found = script.take_at(now, &request);
                    assert_eq!(found, expected, "seed {seed}, step {step}: {request:?}");
                    match found {
                        SlotResponse::Taken { slot, .. } => slots.push(slot),
                        _ => waits += 1,
                    }
                }
            }
        }
    }
    assert!(waits > 3_000, "{waits}");
}

/// Another program may change the stored data. Then a request waits for an hour at most.
#[test]
fn changed_data_delays_a_request_for_an_hour_at_most() {
    let Some(server) = RedisServer::start(&[]) else {
        return;
    };
    let script = Scripted::new(&server);
    let (now, far) = (1_700_000_000_000_u64, 9_000_000_000_000_000_u64);
    let request = SlotRequest::new(1, 100).demand(SlotPurpose::Create, Duration::ZERO, 1.0);
    let hour = 3_600_000;
    for (pause, waiting) in [
        (Some((now - 1, far)), None),
        (Some((far - 1, far)), None),
        (Some((now - 1, now - 2)), None),
        (None, Some((now, far))),
        (None, Some((1, now + hour))),
        (Some((0, far)), Some((now, far))),
    ] {
        let pause_json =
            pause.map(|(from, until)| serde_json::json!({"from": from, "until": until}));
        let waiting_json = waiting.map(|(asked_at, ends_at)| {
            serde_json::json!({
                "process": 9, "asked_at": asked_at, "ends_at": ends_at, "capacity": 1,
                "spreads_calls": false, "demands": [],
            })
        });
        let limit = serde_json::json!({
            "used": [[1, now, false]], "pause": pause_json, "next_slot": 2,
            "waiting": waiting_json.into_iter().collect::<Vec<_>>(),
        });
        let mut limit: SharedLimit = serde_json::from_value(limit).unwrap();
        let pause_lua = pause.map_or("nil".to_owned(), |(from, until)| {
            format!("{{from = {from}, ['until'] = {until}}}")
        });
        let waiting_lua = waiting.map_or(String::new(), |(asked_at, ends_at)| {
            format!("{{'9', {asked_at}, {ends_at}, 1, false, {{}}}}")
        });
        let packed = format!(
            "redis.call('SET', 'limit', cmsgpack.pack({{used = {{1}}, times = {{{now}}}, polls = {{false}}, \
             pause = {pause_lua}, next_slot = 2, waiting = {{{waiting_lua}}}}}))"
        );
        server.run(&["EVAL", &packed, "1", "limit"]);
        // The first request finds the changed data. The second is made an hour later.
        let case = format!("{pause:?} {waiting:?}");
        for at in [now, now + hour] {
            let expected = limit.take(Duration::from_millis(at), &request);
            assert_eq!(script.take_at(at, &request), expected, "{case}");
            let is_taken = matches!(expected, SlotResponse::Taken { .. });
            assert!(is_taken || at == now, "{case}: {expected:?}");
        }
    }
}
