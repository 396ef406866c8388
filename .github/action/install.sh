#!/usr/bin/env bash
# Installs `blocks` in the version of the action, for this step and for later steps of the job.
set -euo pipefail
# Without a trap, bash continues after a SIGINT that arrives while it runs a short command.
trap 'exit 130' INT
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

action=$(cd "$(dirname "$0")/../.." && pwd)
# The version comes from the manifest, because the ref of the action may also be a branch or a commit.
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$action/Cargo.toml")
# If another composite action uses this action, ACTION_REPOSITORY names the other action's repository. The path of a
# downloaded action's folder contains the correct repository. The path of a local action, such as `./`, does not.
repository=$ACTION_REPOSITORY
if [[ ${GITHUB_ACTION_PATH//\\//} =~ /_actions/([^/]+/[^/]+)/ ]]; then
  repository=${BASH_REMATCH[1]}
fi

prefix=$RUNNER_TEMP/blocks-$version
options=(--version "$version" --prefix "$prefix" --repository "$SERVER_URL/$repository" --attestation "$ATTESTATION")
if [ -n "$RELEASE_URL" ]; then
  options+=(--url "$RELEASE_URL")
fi
log=$RUNNER_TEMP/blocks-install.log
if ! PATH=$prefix/bin:$PATH sh "$action/install.sh" "${options[@]}" 2>&1 | tee "$log"; then
  reason=$(sed -n 's/^install.sh: //p' "$log" | tail -n 1)
  # If a program ended the installer, its message is the last line.
  reason=${reason:-$(tail -n 1 "$log")}
  refuse install "${reason:-the installer ended without a message}"
fi

program=$prefix/bin/blocks
if [ ! -f "$program" ]; then
  program=$program.exe
fi
output blocks "$program"
echo "$prefix/bin" >> "$GITHUB_PATH"
