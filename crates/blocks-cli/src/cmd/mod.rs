//! One module for each kind of command.

pub mod batch;
pub mod download;
pub mod mock;
mod pending;
pub mod read;
pub mod turn;

use std::io::Read;

use crate::exit::Exit;

/// A text, a file (`@FILE`), or standard input (`-`).
fn text_of(argument: &str) -> Result<String, Exit> {
    if argument == "-" {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        return match read {
            Ok(_) => Ok(text),
            Err(error) => Err(Exit::wrong_use(format!("standard input: {error}"))),
        };
    }
    match argument.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| Exit::wrong_use(format!("{path}: {error}"))),
        None => Ok(argument.to_owned()),
    }
}
