//! Starts a separate Redis server for a test, on a free port of the loopback address.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use redis::Connection;
use tempfile::TempDir;

pub struct RedisServer {
    process: Child,
    folder: TempDir,
    port: u16,
    options: Vec<String>,
}

impl RedisServer {
    /// Starts a server with these options. Returns `None` if `redis-server` cannot be executed, for example because it
    /// is not installed. In CI, this function panics instead, so that the tests fail.
    pub fn start(options: &[&str]) -> Option<Self> {
        // Another process may take the free port before the server does. Then another port is tried.
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let port = free_port();
            let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
            let process = match start(port, &folder, &options) {
                Ok(process) => process,
                Err(error) if std::env::var_os("CI").is_some() => panic!("redis-server: {error}"),
                Err(error) => {
                    eprintln!("not tested: redis-server: {error}; install Debian's package");
                    return None;
                }
            };
            let mut server = Self {
                process,
                folder,
                port,
                options,
            };
            if server.wait() {
                return Some(server);
            }
        }
        panic!("no free port");
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the server accepts connections and has read its data. Returns whether it runs.
    fn wait(&mut self) -> bool {
        let client = redis::Client::open(self.url()).unwrap();
        while self.process.try_wait().unwrap().is_none() {
            if let Ok(mut connection) = client.get_connection() {
                let reply = redis::cmd("INFO")
                    .arg("server")
                    .query::<String>(&mut connection);
                match reply {
                    Err(error) if error.to_string().contains("LOADING") => {}
                    // An error response, such as for a missing password, also shows that the server runs.
                    Err(_) => return true,
                    Ok(info) => {
                        return info.contains(&format!("process_id:{}\r\n", self.process.id()));
                    }
                }
            }
            std::thread::yield_now();
        }
        false
    }

    /// Returns a separate connection, with which the test itself can send commands.
    pub fn connection(&self) -> Connection {
        let client = redis::Client::open(self.url()).unwrap();
        client.get_connection().unwrap()
    }

    pub fn run(&self, command: &[&str]) {
        let mut redis = redis::cmd(command[0]);
        redis
            .arg(&command[1..])
            .exec(&mut self.connection())
            .unwrap();
    }

    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.process = start(self.port, &self.folder, &self.options).unwrap();
        assert!(self.wait(), "the port is taken");
    }

    pub fn signal(&self, signal: &str) {
        let process = self.process.id().to_string();
        let status = Command::new("kill").args([signal, &process]).status();
        assert!(status.unwrap().success());
    }
}

/// Returns a free port below the range that the system uses for outgoing connections. If the port were in that range,
/// the system could also give the port to a client for its own end of the connection. The client would then connect to
/// itself.
fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(20_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn start(port: u16, folder: &TempDir, options: &[String]) -> std::io::Result<Child> {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"])
        .arg(folder.path())
        .args(["--save", "", "--enable-debug-command", "yes"])
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
