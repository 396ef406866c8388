//! Finds the operation of a request by its method and path.

use http::Method;

use crate::fault::Operation;

/// Contains the operation of a request, or the reason why the request has no operation.
#[derive(Debug, PartialEq)]
pub enum Route<'a> {
    Operation(Operation, Ids<'a>),
    /// The service has this path, but not with this method. The value lists the methods of the path.
    WrongMethod(&'static str),
    Nowhere,
}

/// Contains the ids in a path, as strings.
#[derive(Debug, Default, PartialEq)]
pub struct Ids<'a> {
    pub session: &'a str,
    /// Id of the thread, or of the artifact (a file of the session, such as a plan).
    pub part: &'a str,
}

pub fn route<'a>(method: &Method, path: &'a str) -> Route<'a> {
    use Operation::{
        CreateMessage, CreateSession, Download, GetArtifact, GetSession, ListSessionMessages,
        ListThreadMessages,
    };
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let (get, post, session, part) = match segments[..] {
        ["rest", "v1", "sessions"] => (None, Some(CreateSession), "", ""),
        ["rest", "v1", "sessions", id] => (Some(GetSession), None, id, ""),
        ["rest", "v1", "sessions", id, "messages"] => {
            (Some(ListSessionMessages), Some(CreateMessage), id, "")
        }
        ["rest", "v1", "sessions", id, "threads", thread, "messages"] => {
            (Some(ListThreadMessages), None, id, thread)
        }
        ["rest", "v1", "sessions", id, "artifacts", artifact] => {
            (Some(GetArtifact), None, id, artifact)
        }
        ["storage", artifact] => (Some(Download), None, "", artifact),
        _ => return Route::Nowhere,
    };
    let operation = match *method {
        Method::GET => get,
        Method::POST => post,
        _ => None,
    };
    match operation {
        Some(operation) => Route::Operation(operation, Ids { session, part }),
        None => Route::WrongMethod(match (get, post) {
            (Some(_), Some(_)) => "GET, POST",
            (Some(_), None) => "GET",
            _ => "POST",
        }),
    }
}
