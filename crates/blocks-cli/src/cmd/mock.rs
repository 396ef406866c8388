//! The command `mock`, which serves a mock of the service.

use std::io::ErrorKind;

use blocks_mock::{Capture, MockBuilder, MockConfig};

use crate::args::MockArgs;
use crate::exit::Exit;
use crate::input;
use crate::output::Output;

pub async fn mock(args: MockArgs, output: &Output) -> Result<(), Exit> {
    if args.schema {
        return output.print(&format!("{:#}", MockConfig::schema()));
    }
    // The command starts to receive signals before it prints the `export` lines, because a program that has read these
    // lines may send a signal immediately.
    output.host().listen();
    let mut config = match &args.script {
        Some(path) => {
            let text = input::read_text("--script", path, output.host())?;
            let path = path.display();
            MockConfig::parse(&text).map_err(|e| Exit::usage(format!("--script {path}: {e}")))?
        }
        None => MockConfig::default(),
    };
    config.port = args.port.unwrap_or(config.port);
    config.key = args.key.unwrap_or(config.key);
    if let Some(name) = args.dialect {
        config.dialect = blocks_mock::Dialect::from(name).into();
    }
    let port = config.port;
    let mut builder = MockBuilder::from(config);
    if let Some(path) = &args.replay {
        let capture = Capture::read(path).map_err(|e| Exit::usage(format!("--replay: {e}")))?;
        builder = builder.replay(capture);
    }
    if let Some(after) = args.reply_after {
        builder = builder.reply_after(after);
    }
    if let Some(address) = args.listen {
        builder = builder.listen(address);
    }
    if let Some(url) = args.public_url {
        builder = builder.public_url(url);
    }
    if args.control {
        builder = builder.control(true);
    }
    if !args.quiet {
        builder = builder.on_request(log);
    }
    let server = builder.start().await.map_err(|e| {
        // An error of the operating system has a number. The mock's error about its key or public URL has none.
        if e.kind() == ErrorKind::InvalidInput && e.raw_os_error().is_none() {
            return Exit::usage(e.to_string());
        }
        let port = match port {
            0 => String::new(),
            port => format!(" on port {port}"),
        };
        Exit::failed(format!("cannot start the mock server{port}: {e}"))
    })?;
    for (name, value) in [
        ("BLOCKS_API_BASE_URL", server.url().to_string()),
        ("BLOCKS_API_KEY", server.key().to_owned()),
    ] {
        output.print(&format!("export {name}={}", shell_word(&value)))?;
    }
    // The server runs until a signal such as Ctrl-C arrives. The command then ends without an error.
    let _ = output.host().interruption().await;
    Ok(())
}

/// Returns the value as one shell word, quoted if the shell might change it.
fn shell_word(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    match !value.is_empty() && value.chars().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

/// Logs a request in one line.
fn log(request: &blocks_mock::RecordedRequest) {
    let status = request.status.map(|status| status.to_string());
    let line = format!(
        "{} {} {}\n",
        request.method,
        request.target,
        status.as_deref().unwrap_or("connection closed"),
    );
    // A write error is ignored, so that the mock continues to serve when no process reads its log.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}
