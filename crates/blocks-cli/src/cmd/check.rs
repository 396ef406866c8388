//! The command `check`, which tests the API key and the connection to the service.

use blocks_sdk::{Error, LimitStoreStatus};
use serde_json::{Map, Value};

use crate::exit::{Code, Exit};
use crate::output::Output;
use crate::report::{CheckReport, Status};

const PROXIES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Checks the key by requesting a session with a random id, and prints the result. A response of the service with the
/// status 404 shows that the service accepted the key. The request costs nothing.
pub async fn check(output: &Output) -> Result<(), Exit> {
    let mut limit_is_shared = false;
    let result = match output.client() {
        Ok(client) => {
            let read = client.get_session(uuid::Uuid::new_v4());
            // Signals are handled here, so that the command prints a `CheckReport` even if a signal interrupts it.
            let result = match output.host().interruptible(read).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) if error.is_not_found() => not_found(error),
                Ok(Err(error)) => Err(Exit::from(error)),
                Err(by) => Err(by.into()),
            };
            limit_is_shared = client.rate_limit_status().store == LimitStoreStatus::Shared;
            result
        }
        Err(exit) => Err(exit),
    };
    let limit_store = output.limit_location();
    let limit_store = limit_store.map_or("not usable".to_owned(), |limit| limit.to_string());
    let host = output.host();
    let set = |name: &&str| host.var(name).is_some();
    let report = CheckReport {
        status: result
            .as_ref()
            .err()
            .map_or(Status::Completed, Exit::status),
        exit_code: result.as_ref().err().map_or(0, |exit| exit.code as u8),
        base_url: host.base_url(),
        proxy_variables: PROXIES
            .iter()
            .filter(|name| set(name))
            .map(|&n| n.to_owned())
            .collect(),
        limit_store,
        limit_is_shared,
        error: result.as_ref().err().map(|exit| (*exit.error).clone()),
    };
    if output.is_json() {
        output.json(&report)?;
        return match result {
            Ok(()) => Ok(()),
            Err(exit) => Err(exit.reported()),
        };
    }
    let proxies = match report.proxy_variables.is_empty() {
        true => "none".to_owned(),
        false => report.proxy_variables.join(", "),
    };
    let key = match &result {
        Ok(()) => "accepted",
        Err(exit) if matches!(exit.error.http_status, Some(401 | 403)) => "rejected",
        Err(exit) if exit.code == Code::Usage => "not usable",
        Err(_) => "not checked",
    };
    let limit = match (report.limit_store.as_str(), report.limit_is_shared) {
        ("off", _) => "not shared with other processes".to_owned(),
        (store, true) => format!("shared by {store}"),
        (store, false) => format!("not shared: {store} was not used"),
    };
    let lines = [
        format!("base URL         {}", report.base_url),
        format!("proxy variables  {proxies}"),
        format!("limit            {limit}"),
        format!("key              {key}"),
    ];
    output.text(&lines.join("\n"))?;
    result
}

/// Accepts a response with the status 404 only if its body is a JSON object. The errors of the service are JSON objects,
/// so any other response is from another server.
fn not_found(error: Error) -> Result<(), Exit> {
    let body = error.body().unwrap_or_default();
    if serde_json::from_str::<Map<String, Value>>(&body).is_ok() {
        return Ok(());
    }
    drop(body);
    let mut exit = Exit::from(error);
    exit.error.message =
        "the response with status 404 is not from the service; check the base URL".into();
    Err(exit)
}
