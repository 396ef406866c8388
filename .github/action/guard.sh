#!/usr/bin/env bash
# Refuses to use the API key for people without write access to the repository. Anybody can cause some kinds of events,
# such as a comment, an issue, or a pull request from a fork.
set -euo pipefail
# Without a trap, bash continues after a SIGINT that arrives while it runs a short command.
trap 'exit 130' INT
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

key=$(trim "$BLOCKS_API_KEY")
if [ -n "$key" ]; then
  echo "::add-mask::$(escape "$key")"
fi

# Returns whether GitHub's API says that the user may write.
has_write_access() {
  local name=${1//[/%5B}
  name=${name//]/%5D}
  # The token goes through standard input, because other users of the machine can read a command line.
  local response
  response=$(printf 'header = "Authorization: Bearer %s"\n' "$TOKEN" |
    curl --config - --fail --silent --show-error --max-time 60 --retry 2 --header 'Accept: application/vnd.github+json' \
      "$API_URL/repos/$REPOSITORY/collaborators/$name/permission") ||
    refuse access "whether $1 has write access to $REPOSITORY could not be read; to allow $1 by name, set allowed-users"
  # A quote in a user's name is escaped in JSON, so the pattern matches only the field `permission`.
  printf '%s' "$response" | grep -Eq '"permission" *: *"(admin|maintain|write)"'
}

is_allowed_by_name() {
  local rest=$ALLOWED_USERS, name
  while [ -n "$rest" ]; do
    name=$(lower "$(trim "${rest%%,*}")")
    rest=${rest#*,}
    [ "$name" != "$(lower "$1")" ] || return 0
  done
  return 1
}

check() {
  # Names that GitHub allows match this pattern. Any other text would not be safe in a URL.
  [[ $1 =~ ^[A-Za-z0-9_-]+(\[bot\])?$ ]] || refuse access "the event names no usual user: $1"
  if is_allowed_by_name "$1"; then
    echo "$1 is allowed by name."
  elif [[ $1 == *"[bot]" ]]; then
    refuse access "$1 is a bot that started this with the event $EVENT; to allow it by name, set allowed-users"
  elif ! has_write_access "$1"; then
    refuse access "$1 has no write access to $REPOSITORY and started this with the event $EVENT; to allow $1 by name, set allowed-users"
  fi
}

case $ALLOWED_USERS in
  *'*'*) refuse usage "allowed-users takes names, not *" ;;
esac
case $EVENT in
  # Only people with write access can cause these events.
  push | schedule | workflow_dispatch | repository_dispatch | release | create | delete | deployment | deployment_status | merge_group) ;;
  *)
    check "$ACTOR"
    [ -z "$FOLLOWED_ACTOR" ] || check "$FOLLOWED_ACTOR" ;;
esac
# The key is checked last. A run from a fork has no secrets, and its error should say that the user was refused, not
# that the key is missing.
[ -n "$key" ] || refuse usage "the input blocks_api_key is empty; is the secret set, and may this event read it"
