#!/bin/sh
# Installs the released command `blocks`, its man pages and its completions: sh install.sh [--prefix FOLDER]
# Downloads one archive and compares its SHA-256. Files are put into place only after every earlier step succeeded.
#
#   --prefix FOLDER       where to install [default: ~/.local]
#   --version VERSION     which version [default: the one that this script was released with]
#   --repository URL      the page of the repository whose release is installed [default: the one in this script]
#   --url URL             where the archives are: https://, file:// or a folder [default: that repository's release]
#   --attestation MODE    `auto` checks who built the archive if the command gh is installed and logged in;
#                         `require` fails when that cannot be checked; `skip` does not check it
set -eu

# The release fills in these variables, so that its copy of this script installs one version and
# accepts one checksum for each archive.
version=
repository=
checksums=

# All code is in functions, which the last line calls. A script that was cut off during its download
# therefore does nothing.
# Texts are printed with `printf`, because the `echo` of some shells changes a text with a backslash.
fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 1
}

usage() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 2
}

# Prints a text that is not an error. The action reports the last line that starts with `install.sh:` as the error.
note() {
  printf 'note: %s\n' "$1" >&2
}

# Runs a command that prints nothing unless it fails. If it fails, its message is the error.
try() {
  problem=$("$@" 2>&1) || fail "${problem:-$1 failed}"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# Prints the target of the archive for this machine.
target() {
  case $(uname -s) in
    Linux) system=unknown-linux-musl ;;
    Darwin) system=apple-darwin ;;
    MINGW* | MSYS* | CYGWIN*) system=pc-windows-msvc ;;
    *) system= ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) machine= ;;
  esac
  case $machine-$system in
    *- | -* | aarch64-pc-windows-msvc)
      fail "there is no archive for $(uname -s) on $(uname -m); with Rust installed, cargo install blocks-cli builds the command" ;;
  esac
  echo "$machine-$system"
}

# Copies the file NAME of the release to the working folder.
download() {
  case $url in
    https://*)
      if has curl; then
        # The time limits are for a connection that is not made, and for one that delivers almost nothing.
        curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --retry 3 --connect-timeout 30 \
          --speed-limit 1000 --speed-time 60 --output "$work/$1" "$url/$1"
      elif has wget; then
        wget -q -T 60 -t 3 -O "$work/$1" "$url/$1"
      else
        fail "curl or wget is needed to download $url/$1"
      fi ;;
    file://*) cp "${url#file://}/$1" "$work/$1" ;;
    *://*) usage "--url $url: only https://, file:// or a folder" ;;
    *) cp "$url/$1" "$work/$1" ;;
  esac || fail "cannot download $url/$1"
}

# Prints the SHA-256 checksum of a file.
checksum() {
  if has sha256sum; then
    sum=$(sha256sum "$1")
  elif has shasum; then
    sum=$(shasum -a 256 "$1")
  else
    fail "sha256sum or shasum is needed to check the download"
  fi
  # If the file's path contains a backslash, as on Windows, a backslash precedes the checksum.
  sum=${sum#\\}
  printf '%s\n' "${sum%% *}"
}

# Reads a list of checksums from standard input, and prints the checksum of the file with the given name.
listed_checksum() {
  while read -r sum name; do
    if [ "${name#\*}" = "$1" ]; then
      printf '%s\n' "$sum"
    fi
  done
}

check_checksum() {
  if [ -z "$checksums" ]; then
    download SHA256SUMS
    checksums=$(cat "$work/SHA256SUMS")
  fi
  expected=$(printf '%s\n' "$checksums" | listed_checksum "$archive")
  [ -n "$expected" ] || fail "the release has no checksum of $archive"
  actual=$(checksum "$work/$archive")
  [ "$actual" = "$expected" ] || fail "$archive has the SHA-256 $actual instead of $expected; nothing was installed"
}

check_attestation() {
  [ "$attestation" != skip ] || return 0
  reason=
  if ! has gh; then
    reason="the command gh is not installed"
  elif ! gh attestation verify --help >/dev/null 2>&1; then
    reason="this version of gh cannot check attestations"
  elif [ -z "${GH_TOKEN:-}" ] && ! gh auth token >/dev/null 2>&1; then
    reason="gh is not logged in"
  elif [ -z "$repository" ]; then
    reason="--repository names no repository"
  fi
  if [ -z "$reason" ]; then
    name=${repository#*://*/}
    gh attestation verify "$work/$archive" --repo "$name" >/dev/null ||
      fail "$archive has no valid attestation of $name; nothing was installed"
  elif [ "$attestation" = require ]; then
    fail "cannot check who built $archive: $reason"
  else
    note "who built $archive was not checked: $reason"
  fi
}

unpack() {
  case $archive in
    *.zip)
      if has unzip; then
        unzip -q "$work/$archive" -d "$work"
      else
        "${SYSTEMROOT:-}/System32/tar.exe" -xf "$work/$archive" -C "$work"
      fi ;;
    *) tar -xzf "$work/$archive" -C "$work" ;;
  esac || fail "cannot unpack $archive"
  content=$work/${archive%"$suffix"}
  # The command `--version` also shows that the program runs on this machine.
  reported=$("$content/$program" --version) || fail "the downloaded $program does not run on this machine"
  [ "$reported" = "blocks $version" ] || fail "the downloaded $program says $reported instead of blocks $version"
}

# Creates a folder and its missing parent folders, and adds each created folder to $made.
make_folder() {
  [ ! -d "$1" ] || return 0
  make_folder "$(dirname "$1")"
  # Another run may create the same folder at the same time.
  if problem=$(mkdir "$1" 2>&1); then
    made="$1
$made"
  elif [ ! -d "$1" ]; then
    fail "$problem"
  fi
}

# Copies a file of the archive to a temporary name beside its final place: stage FILE PLACE
stage() {
  [ -f "$content/$1" ] || fail "$archive has no $1"
  place=$prefix/$2
  [ ! -d "$place" ] || fail "$place is a folder"
  make_folder "$(dirname "$place")"
  printf '%s\n' "$place" >> "$work/places"
  try cp "$content/$1" "$(staged "$place")"
}

# Prints the temporary name of a file. It is in the file's final folder, so that one move replaces the old file. The
# name contains the random name of the working folder, so that simultaneous runs do not use the same file.
staged() {
  printf '%s\n' "$(dirname "$1")/.$(basename "$1").${work##*/}.new"
}

stage_all() {
  : > "$work/places"
  for page in "$content"/man/*.1; do
    name=$(basename "$page")
    stage "man/$name" "share/man/man1/$name"
  done
  stage completions/blocks.bash share/bash-completion/completions/blocks
  stage completions/_blocks share/zsh/site-functions/_blocks
  stage completions/blocks.fish share/fish/vendor_completions.d/blocks.fish
  stage LICENSE-APACHE share/doc/blocks/LICENSE-APACHE
  stage LICENSE-MIT share/doc/blocks/LICENSE-MIT
  # The command comes last, so that it is replaced only after all other files.
  stage "$program" "bin/$program"
  try chmod 755 "$(staged "$prefix/bin/$program")"
}

put_into_place() {
  while IFS= read -r place; do
    try mv -f "$(staged "$place")" "$place"
  done < "$work/places"
}

# Removes temporary files and new empty folders when the script ends, whatever the reason.
clean_up() {
  [ -n "$work" ] || return 0
  if [ -f "$work/places" ]; then
    while IFS= read -r place; do
      rm -f "$(staged "$place")"
    done < "$work/places"
  fi
  rm -rf "$work"
  # The deepest folder comes first in $made. A folder that is not empty remains.
  printf '%s\n' "$made" | while IFS= read -r folder; do
    [ -z "$folder" ] || rmdir "$folder" 2>/dev/null || true
  done
}

main() {
  prefix=${HOME:+$HOME/.local} url='' attestation=auto work='' made=''
  while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage "$1 needs a value; the options are --prefix, --version, --repository, --url and --attestation"
    case $1 in
      --prefix) prefix=$2 ;;
      --version) version=$2 ;;
      --repository) repository=$2 ;;
      --url) url=$2 ;;
      --attestation) attestation=$2 ;;
      *) usage "unknown option $1; the options are --prefix, --version, --repository, --url and --attestation" ;;
    esac
    shift 2
  done
  case $attestation in auto | require | skip) ;; *) usage "--attestation $attestation: auto, require or skip" ;; esac
  [ -n "$prefix" ] || usage "HOME is not set, or --prefix is empty: give --prefix FOLDER"
  case $prefix in /* | [A-Za-z]:*) ;; *) prefix=$PWD/$prefix ;; esac
  [ -n "$version" ] || usage "this copy is not of a release: give --version"
  [ -n "$url$repository" ] || usage "this copy is not of a release: give --repository or --url"
  url=${url:-$repository/releases/download/v$version}

  target=$(target)
  suffix=.tar.gz program=blocks
  case $target in *-windows-*) suffix=.zip program=blocks.exe ;; esac
  archive=blocks-v$version-$target$suffix

  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  work=$(mktemp -d) || fail "cannot create a temporary folder in ${TMPDIR:-/tmp}"
  download "$archive"
  check_checksum
  check_attestation
  unpack
  stage_all
  put_into_place
  printf 'installed %s\n' "$prefix/bin/$program $version"
  case :$PATH: in *":$prefix/bin:"*) ;; *) note "$prefix/bin is not in PATH" ;; esac
}

main "$@"
