//! Sets a proxy and adds a certificate authority: `cargo run --features reqwest --example proxy_and_ca`.

use blocks_sdk::ClientBuilder;

mod support;

fn main() -> support::Result {
    let builder = match std::env::var_os("BLOCKS_API_KEY") {
        Some(_) => ClientBuilder::from_env()?,
        None => blocks_sdk::Client::builder("my-key"),
    };
    let proxy = reqwest::Proxy::https("http://proxy.example:3128")?;
    let authorities = match std::env::var_os("COMPANY_CA") {
        Some(path) => reqwest::Certificate::from_pem_bundle(&std::fs::read(path)?)?,
        None => Vec::new(),
    };
    let client = builder
        .configure_http(|http| http.proxy(proxy).tls_certs_merge(authorities))
        .build()?;
    println!("{client:?}");
    Ok(())
}
