# Functions that the scripts of the action share. The scripts also run on macOS, which has bash 3.2.
# shellcheck shell=bash

# Escapes a text as the value of a workflow command.
escape() {
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '%s' "${text//$'\n'/%0A}"
}

warn() {
  echo "::warning title=Blocks::$(escape "$1")"
}

# Writes a step output of one line: output NAME VALUE
output() {
  printf '%s=%s\n' "$1" "${2//[$'\r\n']/ }" >> "$GITHUB_OUTPUT"
}

# Ends the step before `blocks` is started: refuse KIND MESSAGE
refuse() {
  local message=${2//[$'\r\n\t']/ }
  echo "::error title=Blocks::$(escape "$message; nothing was sent")"
  message=${message//\\/\\\\}
  output status refused
  output exit_code 2
  output error "{\"kind\":\"$1\",\"message\":\"${message//\"/\\\"}\"}"
  exit 2
}

# Removes the white space around a text.
trim() {
  local text=$1
  text=${text#"${text%%[![:space:]]*}"}
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

lower() {
  printf '%s' "$1" | tr '[:upper:]' '[:lower:]'
}
