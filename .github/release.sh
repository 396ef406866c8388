#!/usr/bin/env bash
# Runs steps of a release that need no other machine. The workflow release.yml runs these steps one by one, and others.
# `dry-run` runs all of these steps. No step publishes anything.
#
#   check [TAG]                    checks that everything that a release needs exists
#   published                      prints the names of the crates that are published
#   archive BINARY TARGET FOLDER   makes an archive with the command, its man pages and its completions
#   finish FOLDER                  adds the archives' checksums, an install.sh of this release, and its notes to FOLDER
#   image FOLDER                   makes the folder image for the Dockerfile, from the archives in FOLDER
#   crates FOLDER                  packs the published crates, unpacks them in FOLDER, builds them and their
#                                  documentation there, and runs an example
#   dry-run FOLDER [ADDRESS]       runs all of these in a copy of the repository, without a network. The files of the
#                                  release are then in FOLDER/out. ADDRESS replaces the address of the repository
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  # In a workflow, the message is also an annotation.
  [ -z "${GITHUB_ACTIONS:-}" ] || echo "::error::$1"
  echo "release: $1" >&2
  exit 1
}

metadata() {
  # On Windows, jq ends lines with a carriage return.
  cargo metadata --no-deps --format-version 1 | jq --raw-output "$1" | tr -d '\r'
}

# Prints the names of the crates that are published.
published() {
  metadata '.packages[] | select(.publish != []).name'
}

version() {
  metadata '[.packages[] | select(.publish != []).version] | unique | join(" ")'
}

# Prints the address of the repository. Only the workspace's Cargo.toml contains this address.
address() {
  metadata '[.packages[] | select(.publish != []).repository] | unique | map(. // "") | join(" ")'
}

# Prints the section of the changelog for a version, or for Unreleased.
notes() {
  awk -v head="## $1" 'index($0 " ", head " ") == 1 { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md
}

check() {
  local version address crate files guide
  version=$(version)
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || fail "the published crates have no version in common: $version"
  if [ -n "${1:-}" ]; then
    [ "$1" = "v$version" ] || fail "the tag is $1, and the workspace is at $version"
    ! notes Unreleased | grep -q '[^[:space:]]' || fail "CHANGELOG.md has changes under \"Unreleased\" that belong to $version"
  fi
  address=$(address)
  [[ $address =~ ^https://[^/[:space:]]+/[^/[:space:]]+/[^/[:space:]]+$ ]] ||
    fail "the address of the repository is not set: [workspace.package] repository in Cargo.toml, and repository.workspace in each published crate"
  grep -qE "^## ${version//./\\.} - [0-9]{4}-[0-9]{2}-[0-9]{2}$" CHANGELOG.md ||
    fail "CHANGELOG.md has no section \"## $version - DATE\""
  [ -n "$(notes "$version" | tr -d '[:space:]')" ] || fail "the section $version of CHANGELOG.md is empty"
  for crate in $(published); do
    files=$(cargo package --list --allow-dirty --quiet --package "$crate")
    for file in LICENSE-APACHE LICENSE-MIT README.md; do
      grep -qx "$file" <<< "$files" || fail "the package of $crate has no $file"
    done
    for file in LICENSE-APACHE LICENSE-MIT; do
      cmp --silent "$file" "crates/$crate/$file" || fail "crates/$crate/$file is not the $file of the repository"
    done
  done
  files=$(cargo package --list --allow-dirty --quiet --package blocks-sdk)
  # The loop covers both existing guides and linked guides, so that it finds a missing file and a missing link.
  for guide in $(grep -o 'crates/blocks-sdk/guide/[a-z-]*\.md' README.md | sort -u) crates/blocks-sdk/guide/*.md; do
    grep -qx "${guide#crates/blocks-sdk/}" <<< "$files" || fail "the package of blocks-sdk has no ${guide#crates/blocks-sdk/}"
    grep -qF "$guide" README.md || fail "README.md does not link $guide"
  done
  echo "release: $version can be released from $address"
}

archive() {
  local binary=$1 target=$2 folder=$3 name shell
  name=blocks-v$(version)-$target
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
  rm -rf "${folder:?}/$name"
  mkdir -p "$folder/$name/completions" "$folder/$name/man"
  cp "$binary" "$folder/$name/"
  cp LICENSE-APACHE LICENSE-MIT README.md CHANGELOG.md "$folder/$name/"
  binary=$folder/$name/$(basename "$binary")
  [ "$("$binary" --version)" = "blocks $(version)" ] || fail "$1 is not version $(version)"
  "$binary" man --output-dir "$folder/$name/man"
  # Each shell looks for a different file name.
  while read -r shell file; do
    "$binary" completions "$shell" > "$folder/$name/completions/$file"
  done << 'FILES'
bash blocks.bash
elvish blocks.elv
fish blocks.fish
powershell _blocks.ps1
zsh _blocks
FILES
  case $target in
    *-windows-*) (cd "$folder" && 7z a "$name.zip" "$name" > /dev/null) ;;
    *) tar -czf "$folder/$name.tar.gz" -C "$folder" "$name" ;;
  esac
  rm -rf "${folder:?}/$name"
}

finish() {
  local folder=$1 version address
  version=$(version)
  address=$(address)
  (cd "$folder" && if command -v sha256sum > /dev/null; then sha256sum blocks-v*; else shasum -a 256 blocks-v*; fi > SHA256SUMS)
  awk -v version="$version" -v address="$address" -v sums="$folder/SHA256SUMS" '
    /^version=$/ { print "version=" version; next }
    /^repository=$/ { print "repository=" address; next }
    /^checksums=$/ {
      printf "checksums=\x27"
      while ((getline line < sums) > 0) { printf "%s%s", separator, line; separator = "\n" }
      print "\x27"
      next
    }
    { print }' install.sh > "$folder/install.sh"
  notes "$version" > "$folder/notes.md"
}

image() {
  local archive machine platform
  rm -rf image
  mkdir -p image/home
  for archive in "$1"/blocks-v*-unknown-linux-musl.tar.gz; do
    machine=${archive%-unknown-linux-musl.tar.gz}
    case ${machine##*-} in
      x86_64) platform=amd64 ;;
      aarch64) platform=arm64 ;;
      *) fail "the Dockerfile has no platform for $archive" ;;
    esac
    mkdir "image/$platform"
    tar -xzf "$archive" -C "image/$platform" --strip-components 1 "$(basename "$archive" .tar.gz)/blocks"
  done
}

crates() {
  local folder=$1 crate file packages=()
  mkdir -p "$folder"
  folder=$(cd "$folder" && pwd)
  for crate in $(published); do
    packages+=(--package "$crate")
  done
  cargo package --no-verify --allow-dirty --quiet --target-dir "$folder/pack" "${packages[@]}"
  rm -rf "$folder/crates"
  mkdir "$folder/crates"
  for file in "$folder"/pack/package/*.crate; do
    # `-m` gives the unpacked files the current time. All packed files have the same time, so cargo would otherwise
    # reuse the build of an earlier package.
    tar -xzmf "$file" -C "$folder/crates"
  done
  # This workspace contains the crates as users get them. Each crate depends on the packed form of the other crates.
  {
    echo '[workspace]'
    echo 'resolver = "3"'
    echo 'members = ["*"]'
    echo '[patch.crates-io]'
    for crate in $(published); do
      echo "$crate = { path = \"$crate-$(version)\" }"
    done
    # With the same profiles, cargo reuses the builds of the dependencies. The crates themselves are not optimised,
    # because only an example and the tests of the action run this build.
    awk '/^\[/ { on = /^\[profile\./ } on && !/^blocks-/' Cargo.toml
  } > "$folder/crates/Cargo.toml"
  cp Cargo.lock "$folder/crates/"
  cd "$folder/crates"
  # One command builds the command and an example, because cargo would build the dependencies of each with other features.
  cargo build --quiet --workspace --bins --example quickstart
  RUSTDOCFLAGS='-D warnings' cargo doc --quiet --workspace --no-deps
  env -u BLOCKS_API_KEY -u BLOCKS_API_BASE_URL "$(metadata .target_directory)/debug/examples/quickstart"
  cd - > /dev/null
}

dry_run() {
  local folder=$1 address=${2:-} source
  [ ! -e "$folder" ] || [ -d "$folder/source/.github" ] || fail "$folder is there, and not of an earlier dry run"
  rm -rf "$folder"
  mkdir -p "$folder/source"
  folder=$(cd "$folder" && pwd)
  source=$folder/source
  git ls-files -z --cached --others --exclude-standard --deduplicate |
    while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    tar -cf - --null --files-from - | tar -xf - -C "$source"
  if [ -n "$address" ]; then
    sed -i "s|^repository = \".*\"$|repository = \"$address\"|" "$source/Cargo.toml"
  fi
  # With the target folder of this repository, cargo reuses the builds of the dependencies.
  CARGO_TARGET_DIR=$(metadata .target_directory)
  export CARGO_TARGET_DIR CARGO_NET_OFFLINE=true
  # The following commands run the copy's own script, so that they check the copied files.
  cd "$source"
  bash .github/release.sh check
  bash .github/release.sh crates "$folder"
  # A release builds a static binary for the musl target. This machine may lack that target, so the dry run links this
  # system's C library statically.
  cd "$folder/crates"
  cargo rustc --quiet --package blocks-cli --bin blocks -- -C target-feature=+crt-static
  mkdir "$folder/bin"
  strip -o "$folder/bin/blocks" "$CARGO_TARGET_DIR/debug/blocks"
  cd "$source"
  bash .github/release.sh archive "$folder/bin/blocks" "$(uname -m)-unknown-linux-musl" "$folder/out"
  bash .github/release.sh finish "$folder/out"
  bash .github/release.sh image "$folder/out"
}

case ${1:-} in
  check) check "${2:-}" ;;
  published) published ;;
  archive) archive "$2" "$3" "$4" ;;
  finish) finish "$2" ;;
  image) image "$2" ;;
  crates) crates "$2" ;;
  dry-run) dry_run "$2" "${3:-}" ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
