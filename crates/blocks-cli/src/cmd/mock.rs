//! `mock`: the service on a loopback port, to try things on.

use blocks_mock::{MockBuilder, MockConfig};

use crate::args::MockArgs;
use crate::exit::Exit;
use crate::output::Output;

pub async fn mock(args: MockArgs, output: &Output) -> Result<(), Exit> {
    let mut config = match &args.script {
        Some(path) => {
            let wrong = |e: &dyn std::fmt::Display| Exit::usage(format!("{}: {e}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
            serde_json::from_str(&text).map_err(|e| wrong(&e))?
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
    let server = builder
        .start()
        .await
        .map_err(|e| Exit::failed(format!("the mock cannot be served: {e}")))?;
    output.print(&format!("export BLOCKS_API_BASE_URL={}", server.url()))?;
    output.print(&format!("export BLOCKS_API_KEY={}", server.key()))?;
    // Serves until it is interrupted, which is its proper end.
    let _ = output.host().interruption().await;
    Ok(())
}
