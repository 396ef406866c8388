#!/usr/bin/env bash
# Runs `blocks` with the inputs of the action, and writes the outputs however `blocks` ends.
set -euo pipefail
# When a job is cancelled, the runner sends signals only to this script, which passes them on to `blocks`. After a
# signal, `blocks` reports what it knows. Bash can lose a SIGINT while it waits for a command in the foreground, such as
# `tr`. So until `blocks` has ended, all commands run in the function `start`, in the background. There, SIGINT is
# ignored at first, so both signals are passed on as SIGTERM. `$!` is set as soon as the function runs; a variable of this
# script would be set only later.
cancelled=$RUNNER_TEMP/blocks-cancelled-$$
: >| "$cancelled"
trap 'echo cancelled >| "$cancelled"; [ -z "${!:-}" ] || kill -s TERM "$!" || true' INT TERM
# shellcheck source=common.sh
source "${0%/*}/common.sh"

# Returns whether an input is true: is_true NAME VALUE
is_true() {
  case $(lower "$(trim "$2")") in
    true | yes | y | on | 1) return 0 ;;
    false | no | n | off | 0 | '') return 1 ;;
    *) refuse usage "the input $1 must be true or false" ;;
  esac
}

is_set() {
  [[ $1 == *[![:space:]]* ]]
}

fails_on_timeout() {
  ! is_set "$FAIL_ON_TIMEOUT" || is_true fail_on_timeout "$FAIL_ON_TIMEOUT"
}

# Prints the time-out in milliseconds. Bash has no fractions, so the digits are converted.
timeout_milliseconds() {
  local minutes
  minutes=$(trim "$TIMEOUT_MINUTES")
  minutes=${minutes:-30}
  # As in the vendor's action, `.5` and `5.` are numbers.
  [[ $minutes =~ ^([0-9]{0,6})(\.([0-9]*))?$ && $minutes == *[0-9]* ]] || return 1
  local fraction=${BASH_REMATCH[3]:-}000000
  echo $((10#0${BASH_REMATCH[1]} * 60000 + 10#${fraction:0:6} * 60 / 1000))
}

# Adds an option if the input is set. The value is joined to the option's name, because it may start with a hyphen.
option() {
  local value
  value=$(trim "$2")
  if [ -n "$value" ]; then
    arguments+=("$1=$value")
  fi
}

# Refuses inputs that would have no effect, because the step would not do what they ask for:
# without_effect MODE NAME VALUE [NAME VALUE]...
without_effect() {
  local mode=$1
  shift
  while [ $# -gt 0 ]; do
    # An input that is false asks for nothing.
    if is_set "$2" && { [ "$1" != is_private ] || is_true "$1" "$2"; }; then
      refuse usage "the input $1 has no effect with $mode"
    fi
    shift 2
  done
}

# Checks the inputs, and starts `blocks` in place of the shell that runs this function, so that signals reach `blocks`.
start() {
  # A signal that arrives before bash has reset the traps of this copy of the shell is lost, so the file is read too.
  [ ! -s "$cancelled" ] || exit 143

  BLOCKS_API_KEY=$(trim "$BLOCKS_API_KEY")
  export BLOCKS_API_KEY
  if is_set "$API_BASE_URL"; then
    BLOCKS_API_BASE_URL=$(trim "$API_BASE_URL")
    export BLOCKS_API_BASE_URL
  fi
  # The inputs fail_on_timeout and timeout_minutes are checked before anything is sent.
  fails_on_timeout || true
  timeout=$(timeout_milliseconds) || refuse usage "the input timeout_minutes must be a number of minutes, such as 30 or 0.5"
  if [ "$(trim "$POLL_INTERVAL_SECONDS")" != 5 ]; then
    echo "poll_interval_seconds has no effect: polls share the rate limit of the key by themselves."
  fi

  given=0
  for value in "$PROMPT" "$PROMPT_FILE" "$PROMPTS" "$SESSION"; do
    ! is_set "$value" || given=$((given + 1))
  done
  [ "$given" = 1 ] || refuse usage "give exactly one of the inputs prompt, prompt-file, prompts and session"

  # These values are the outputs if `blocks` is killed before it can report a result.
  lost_status=unknown lost_code=4
  if is_set "$PROMPTS"; then
    without_effect prompts session_id "$SESSION_ID" agent "$AGENT" agent_id "$AGENT_ID" title "$TITLE" \
      session_group_id "$SESSION_GROUP_ID" is_private "$IS_PRIVATE" thread "$THREAD"
    arguments=(batch)
    option --max-running "$MAX_RUNNING"
    option --journal "$JOURNAL"
    output results "$results"
  elif is_set "$SESSION"; then
    without_effect session session_id "$SESSION_ID" agent "$AGENT" agent_id "$AGENT_ID" title "$TITLE" \
      session_group_id "$SESSION_GROUP_ID" is_private "$IS_PRIVATE" max-running "$MAX_RUNNING" journal "$JOURNAL"
    arguments=(wait)
    option --thread "$THREAD"
    # `blocks wait` sends no prompt, so it cannot leave the outcome of a create or follow-up unknown.
    lost_status=failed lost_code=1
  elif is_set "$SESSION_ID"; then
    without_effect session_id thread "$THREAD" max-running "$MAX_RUNNING" journal "$JOURNAL"
    arguments=(send)
    # The vendor's action accepts these inputs for a follow-up, so they are not refused.
    if is_set "$AGENT$AGENT_ID"; then
      warn "agent and agent_id are not used: a session keeps its agent"
    fi
    if is_set "$TITLE$SESSION_GROUP_ID" || is_true is_private "$IS_PRIVATE"; then
      warn "title, session_group_id and is_private are not used: they are for a new session"
    fi
  else
    without_effect "a single prompt" thread "$THREAD" max-running "$MAX_RUNNING" journal "$JOURNAL"
    arguments=(run)
    option --agent "$(lower "$AGENT")"
    option --agent-id "$AGENT_ID"
    option --title "$TITLE"
    option --session-group "$SESSION_GROUP_ID"
    if is_true is_private "$IS_PRIVATE"; then
      arguments+=(--private)
    fi
  fi
  arguments+=(--timeout "${timeout}ms")
  if is_true fail-on-notice "$FAIL_ON_NOTICE"; then
    arguments+=(--fail-on-notice)
  fi
  if is_true follow "$FOLLOW"; then
    arguments+=(--follow)
  fi
  case $(trim "$SCHEMA") in
    '{'*)
      file=$(mktemp "$RUNNER_TEMP/blocks-schema-XXXXXX")
      printf '%s\n' "$SCHEMA" >| "$file"
      arguments+=(--schema "$file") ;;
    *) option --schema "$SCHEMA" ;;
  esac

  # The input `prompt` goes through standard input, because other users of the machine can read a command line.
  input=/dev/null
  case ${arguments[0]} in
    batch) arguments+=(-- "$(trim "$PROMPTS")") ;;
    wait) arguments+=(--github-output -- "$(trim "$SESSION")") ;;
    *)
      arguments+=(--github-output)
      if is_set "$PROMPT_FILE"; then
        option --prompt-file "$PROMPT_FILE"
      else
        input=prompt
        arguments+=(--prompt-file=-)
      fi
      if [ "${arguments[0]}" = send ]; then
        arguments+=(-- "$(trim "$SESSION_ID")")
      fi ;;
  esac

  # GitHub uses the last value of each output, so the values that `blocks` writes replace these.
  output status "$lost_status"
  output exit_code "$lost_code"
  if [ -n "$results" ]; then
    exec "$BLOCKS" "${arguments[@]}" < /dev/null >| "$results"
  elif [ "$input" = prompt ]; then
    exec "$BLOCKS" "${arguments[@]}" < <(printf '%s' "$PROMPT")
  else
    exec "$BLOCKS" "${arguments[@]}" < /dev/null
  fi
}

# Returns whether a prompt of the batch failed, also if another prompt had no reply before the time-out: `blocks batch`
# then ends with the exit code 3. The first exit_code of a line is that of the prompt: the texts and values of the agent
# come later in the line, and quotation marks in other texts are escaped.
any_prompt_failed() {
  local line exit_code
  while IFS= read -r line; do
    exit_code=${line#*'"exit_code":'}
    case ${exit_code%%[!0-9]*} in
      0 | 3) ;;
      *) return 0 ;;
    esac
  done < "$results"
  return 1
}

# Prints the status of a batch. It is the status that a single prompt has with this exit code. Prints nothing for a code
# with which `blocks` never ends by itself.
status_of() {
  case $1 in
    0 | 5 | 6) echo completed ;;
    1) echo failed ;;
    2) echo refused ;;
    3) echo timed_out ;;
    4) echo unknown ;;
    129 | 130 | 141 | 143) echo interrupted ;;
  esac
}

# The outputs if a signal arrives before `blocks` is started.
output status interrupted
output exit_code 143
results=''
! is_set "$PROMPTS" || results=$RUNNER_TEMP/blocks-results-$$-$RANDOM$RANDOM.jsonl
start &
child=$!
code=0
wait "$child" || code=$?
# A signal ends the shell's `wait`, but not the command `blocks`.
while kill -0 "$child" 2>/dev/null; do
  code=0
  wait "$child" || code=$?
done

if [ -n "$results" ]; then
  status=$(status_of "$code")
  # Without a status, the command was killed, and the values that were written before the start are true.
  if [ -n "$status" ]; then
    output status "$status"
    output exit_code "$code"
  fi
  # The file exists only if `blocks` was started. If the inputs were refused before that, the error is written already.
  if [ "$code" = 2 ] && [ -f "$results" ]; then
    output error '{"kind":"usage","message":"blocks batch ended with a usage error; the log of the step shows it"}'
  fi
fi
if [ "$code" = 3 ] && ! fails_on_timeout && { [ -z "$results" ] || ! any_prompt_failed; }; then
  warn "there was no reply before the time-out; the agent may still be working"
  exit 0
fi
exit "$code"
