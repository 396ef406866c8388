//! Serves a mock until the program is interrupted: `cargo run -p blocks-mock --example serve -- [PORT [CONFIG.json]]`.

use blocks_mock::{MockBuilder, MockConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().unwrap_or_default().parse().unwrap_or(0);
    let config: MockConfig = match arguments.next() {
        Some(path) => serde_json::from_str(&std::fs::read_to_string(path)?)?,
        None => MockConfig::default(),
    };
    let server = MockBuilder::from(config).port(port).start().await?;
    println!("export BLOCKS_API_BASE_URL={}", server.url());
    println!("export BLOCKS_API_KEY={}", server.key());
    std::future::pending().await
}
