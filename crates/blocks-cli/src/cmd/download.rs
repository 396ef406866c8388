//! `plan` and `artifact`: the bytes of what an agent made.

use std::io::Write;
use std::path::PathBuf;
use std::pin::pin;

use blocks_sdk::Artifact;
use futures_util::StreamExt;

use super::client;
use super::turn::interruptible;
use crate::args::{ArtifactArgs, PlanArgs};
use crate::exit::Exit;

pub async fn plan(args: PlanArgs) -> Result<(), Exit> {
    let session = client()?.get_session(args.session).await?;
    let latest = session
        .plan_ids()
        .last()
        .ok_or_else(|| Exit::failed(format!("session {} has no plan", args.session)))?;
    let plan = session.artifact(*latest).await?;
    download(&plan, args.output).await
}

pub async fn artifact(args: ArtifactArgs) -> Result<(), Exit> {
    let session = client()?.session(args.session);
    let artifact = session.artifact(args.artifact).await?;
    download(&artifact, args.output).await
}

/// To a new file that the user named, whole or not at all; or to standard output as it comes.
/// The name that the agent gave is not used for anything.
async fn download(artifact: &Artifact, output: Option<PathBuf>) -> Result<(), Exit> {
    if let Some(path) = output {
        return Ok(interruptible(artifact.save(path)).await??);
    }
    let mut stream = pin!(artifact.stream().await?);
    let mut out = std::io::stdout();
    while let Some(chunk) = interruptible(stream.next()).await? {
        out.write_all(&chunk?)
            .map_err(|e| Exit::failed(format!("standard output: {e}")))?;
    }
    Ok(())
}
