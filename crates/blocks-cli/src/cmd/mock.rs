//! `mock`: the service on a loopback port, to try things on.

use blocks_mock::{MockBuilder, MockConfig};

use super::turn::interruptible;
use crate::args::MockArgs;
use crate::exit::Exit;
use crate::output::Output;

pub async fn mock(args: MockArgs, output: &Output) -> Result<(), Exit> {
    if args.schema {
        return output.print(&format!("{:#}", MockConfig::schema()));
    }
    let mut config = match &args.script {
        Some(path) => {
            let wrong =
                |e: &dyn std::fmt::Display| Exit::wrong_use(format!("{}: {e}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
            MockConfig::parse(&text).map_err(|e| wrong(&e))?
        }
        None => MockConfig::default(),
    };
    config.port = args.port.unwrap_or(config.port);
    config.key = args.key.unwrap_or(config.key);
    if let Some(name) = args.dialect {
        config.dialect = blocks_mock::Dialect::from(name).into();
    }
    let mut builder = MockBuilder::from(config);
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
    let server = builder
        .start()
        .await
        .map_err(|e| Exit::failed(format!("the mock cannot be served: {e}")))?;
    output.print(&format!("export BLOCKS_API_BASE_URL={}", server.url()))?;
    output.print(&format!("export BLOCKS_API_KEY={}", server.key()))?;
    // Serves until it is interrupted, which is its proper end.
    let _ = interruptible(std::future::pending::<()>()).await;
    Ok(())
}

/// One line for each request.
fn log(request: &blocks_mock::Received) {
    let status = request.status.map(|status| status.to_string());
    let line = format!(
        "{} {} {}\n",
        request.method,
        request.target,
        status.as_deref().unwrap_or("connection closed"),
    );
    // The mock serves on when nothing reads its log.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
}
