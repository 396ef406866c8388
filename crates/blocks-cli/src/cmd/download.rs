//! The commands `plan` and `artifact`, which download files that an agent made.

use std::path::{Path, PathBuf};
use std::pin::pin;

use blocks_sdk::Artifact;
use futures_util::StreamExt;

use super::sessions::choose;
use crate::args::{ArtifactArgs, PlanArgs};
use crate::exit::{Code, Exit};
use crate::files::NewFile;
use crate::output::Output;
use crate::report::{DownloadReport, Status};

pub async fn plan(args: PlanArgs, output: &Output) -> Result<(), Exit> {
    let session = args.session.resolve(output.host())?;
    let file = new_file(args.output)?;
    let session = output.client()?.get_session(session).await?;
    let latest = session.plan_ids().last().ok_or_else(|| {
        Exit::new(
            Code::Failed,
            "no_plan",
            format!("session {} has no plan", session.id()),
        )
    })?;
    let artifact = session.artifact(latest).await?;
    let ids = (session.id().to_string(), latest.to_string());
    download(&artifact, ids, file, output).await
}

pub async fn artifact(mut args: ArtifactArgs, output: &Output) -> Result<(), Exit> {
    let (session, id) = args.parts().map_err(Exit::usage)?;
    let session = choose(session, args.last, output.host())?;
    let file = new_file(args.output)?;
    let session = output.client()?.session(&session);
    let artifact = session.artifact(id).await?;
    let ids = (session.id().to_string(), id.to_string());
    download(&artifact, ids, file, output).await
}

/// Returns the path of the file that the user named, or `None` for standard output. A file that exists or cannot be
/// created is a usage error.
fn new_file(output: Option<PathBuf>) -> Result<Option<PathBuf>, Exit> {
    let Some(path) = output.filter(|path| path != Path::new("-")) else {
        return Ok(None);
    };
    let wrong = |what: &str| Exit::usage(format!("--output {}: {what}", path.display()));
    if path.symlink_metadata().is_ok() {
        return Err(wrong("the file exists"));
    }
    // Creates and removes a temporary file. If the folder cannot be written, the command then fails before it sends a
    // request.
    NewFile::create(&path).map_err(|error| wrong(&error.to_string()))?;
    Ok(Some(path))
}

/// Saves the artifact to a new file, or writes it to standard output. A new file gets its name only when it is
/// complete. If standard output is a terminal, control characters are removed from the text, except with `--raw`. A
/// file or another program gets the bytes unchanged, also in CI. The file name that the agent chose is never used.
async fn download(
    artifact: &Artifact,
    (session_id, artifact_id): (String, String),
    file: Option<PathBuf>,
    output: &Output,
) -> Result<(), Exit> {
    if let Some(path) = file {
        artifact.save(&path).await?;
        return match output.is_json() {
            true => output.json(&DownloadReport {
                status: Status::Completed,
                exit_code: 0,
                session_id,
                artifact_id,
                file: path.display().to_string(),
            }),
            false => Ok(()),
        };
    }
    if output.out_is_terminal() {
        let bytes = artifact.bytes().await?;
        return output.text(String::from_utf8_lossy(&bytes).trim_end_matches('\n'));
    }
    let mut stream = pin!(artifact.stream().await?);
    while let Some(chunk) = stream.next().await {
        output.bytes(&chunk?)?;
    }
    Ok(())
}
