//! `plan` and `artifact`: the bytes of what an agent made.

use std::path::PathBuf;
use std::pin::pin;

use blocks_sdk::Artifact;
use futures_util::StreamExt;

use super::turn::interruptible;
use crate::args::{ArtifactArgs, PlanArgs};
use crate::exit::Exit;
use crate::output::Output;

pub async fn plan(args: PlanArgs, output: &Output) -> Result<(), Exit> {
    let session = output.client()?.get_session(args.session).await?;
    let latest = session
        .plan_ids()
        .last()
        .ok_or_else(|| Exit::failed(format!("session {} has no plan", args.session)))?;
    let plan = session.artifact(latest).await?;
    download(&plan, args.output, output).await
}

pub async fn artifact(args: ArtifactArgs, output: &Output) -> Result<(), Exit> {
    let session = output.client()?.session(args.session);
    let artifact = session.artifact(args.artifact).await?;
    download(&artifact, args.output, output).await
}

/// To a new file that the user named, whole or not at all; or to standard output: as it comes
/// to a file or a program, as a text to a terminal or a log. The name that the agent gave is not
/// used for anything.
async fn download(artifact: &Artifact, file: Option<PathBuf>, output: &Output) -> Result<(), Exit> {
    if let Some(path) = file {
        return Ok(interruptible(artifact.save(path)).await??);
    }
    if output.is_watched() {
        let bytes = interruptible(artifact.bytes()).await??;
        return output.text(String::from_utf8_lossy(&bytes).trim_end_matches('\n'));
    }
    let mut stream = pin!(artifact.stream().await?);
    while let Some(chunk) = interruptible(stream.next()).await? {
        output.bytes(&chunk?)?;
    }
    Ok(())
}
