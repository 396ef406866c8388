"""Tests of the action, which runs step by step as on a runner, against `blocks mock` and a release in a folder."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
import yaml

from conftest import ARCHIVE, RELEASE, VERSION
from runner import ROOT, Job, interrupt, run_workflow

REFUSED = {"status": "refused", "exit_code": "2", "session_id": "", "thread_id": "", "session_html_url": "",
           "final_message": "", "pull_requests": "", "structured_output": "", "results": ""}


def refused(result, mock, kind, part):
    """Checks that the step failed before anything was sent, and that its outputs and the log say why."""
    job, outcome, outputs = result
    error = json.loads(outputs.pop("error"))
    assert (outcome, outputs) == ("failure", REFUSED), job.log.text
    assert error["kind"] == kind, error
    assert part in error["message"], error
    assert part in "\n".join(job.log.values("error"))
    assert mock.requests() == []
    return error["message"]


def test_a_reply_is_in_outputs_log_and_summary(step, mock):
    mock.agents({"text": "All good.", "when": {"after": "0s"}, "steps": [{"at": "0s", "do": {"pull_request": "https://example.com/pull/1"}}]})
    job, outcome, outputs = step(prompt="Review it.", agent="Claude", title="Review", is_private="yes")
    assert outcome == "success", job.log.text
    [session] = mock.call("GET", "/sessions")["items"]
    assert outputs["session_id"] == session["id"]
    assert outputs["session_html_url"].endswith(session["id"])
    assert len(outputs["thread_id"]) == 36
    assert outputs["final_message"] == "All good."
    assert [pull["url"] for pull in json.loads(outputs["pull_requests"])] == ["https://example.com/pull/1"]
    assert (outputs["status"], outputs["exit_code"], outputs["error"]) == ("completed", "0", "")
    assert mock.bodies("createSession") == [
        {"agent_name": "claude", "is_private": True, "message": "Review it.", "title": "Review"}]
    assert "All good." in job.log.text
    assert "### Blocks: completed" in job.summary
    assert "All good." in job.summary


def test_a_later_step_reads_a_long_reply(step, mock):
    mock.agents({"text": "x" * 200_000, "when": {"after": "0s"}})
    job, outcome, outputs = step(prompt="Go.", agent="claude")
    assert (outcome, len(outputs["final_message"])) == ("success", 200_000)
    job.run([{"id": "later", "shell": "bash", "run": 'blocks wait "$SESSION" --thread "$THREAD" --output reply.md',
              "env": {"SESSION": "${{ steps.agent.outputs.session_id }}", "THREAD": "${{ steps.agent.outputs.thread_id }}",
                      "BLOCKS_API_KEY": "${{ secrets.BLOCKS_API_KEY }}", "BLOCKS_API_BASE_URL": "${{ vars.BLOCKS_URL }}"}}])
    assert job.steps["later"]["outcome"] == "success", job.log.text
    assert (job.workspace / "reply.md").read_text().strip() == "x" * 200_000


def test_a_key_that_is_no_secret_is_masked_after_the_first_header(step, mock, context):
    context["secrets"] = {}
    mock.agents({"text": f"The key is {mock.key}.", "when": {"after": "0s"}})
    job, outcome, _ = step(prompt="Show it.", agent="claude", blocks_api_key=f" {mock.key}\n")
    assert outcome == "success"
    assert job.log.values("add-mask") == [mock.key]
    # The runner prints the environment of the first script before this script can mask the key.
    assert [line for line in job.log.text.splitlines() if mock.key in line] == [f"  BLOCKS_API_KEY:  {mock.key}"]


def test_a_key_from_a_secret_is_never_in_the_log(step, mock):
    mock.agents({"text": f"The key is {mock.key}.", "when": {"after": "0s"}})
    job, outcome, _ = step(prompt="Show it.", agent="claude")
    assert outcome == "success"
    assert "  BLOCKS_API_KEY: ***" in job.log.text
    assert mock.key not in job.log.text


def test_the_key_is_masked_before_anything_else(step, mock):
    job, outcome, _ = step(prompt="Go.", agent="claude", allowed__users="*")
    assert (outcome, job.log.commands[0]) == ("failure", ("add-mask", mock.key))


def test_later_steps_have_the_command(step):
    job, _, _ = step(prompt="Go.", agent="claude")
    job.run([{"id": "later", "shell": "bash", "run": 'blocks --version; blocks show "$SESSION"',
              "env": {"SESSION": "${{ steps.agent.outputs.session_id }}", "BLOCKS_API_KEY": "${{ secrets.BLOCKS_API_KEY }}",
                      "BLOCKS_API_BASE_URL": "${{ vars.BLOCKS_URL }}"}}])
    assert job.steps["later"]["outcome"] == "success", job.log.text


def test_a_time_out_is_resumed_by_a_second_job(tmp_path, mock, context):
    mock.agents({"text": "Late.", "when": {"after": "1h"}})
    workflow = yaml.safe_load("""
    jobs:
      ask:
        runs-on: ubuntu-latest
        outputs:
          session: ${{ steps.agent.outputs.session_id }}
          thread: ${{ steps.agent.outputs.thread_id }}
          status: ${{ steps.agent.outputs.status }}
        steps:
          - id: agent
            uses: octo/blocks@v1
            with:
              blocks_api_key: ${{ secrets.BLOCKS_API_KEY }}
              api_base_url: ${{ vars.BLOCKS_URL }}
              agent: claude
              prompt: Plan it.
              timeout_minutes: 0.001
              fail_on_timeout: false
          - if: steps.agent.outputs.status == 'timed_out'
            run: curl --silent --fail -d '{"advance":"1h"}' "$URL/_mock/clock"
            env: { URL: '${{ vars.BLOCKS_URL }}' }
      resume:
        needs: ask
        if: needs.ask.outputs.status == 'timed_out'
        runs-on: ubuntu-latest
        steps:
          - id: agent
            uses: octo/blocks@v1
            with:
              blocks_api_key: ${{ secrets.BLOCKS_API_KEY }}
              api_base_url: ${{ vars.BLOCKS_URL }}
              session: ${{ needs.ask.outputs.session }}
              thread: ${{ needs.ask.outputs.thread }}
    """)
    jobs, results = run_workflow(workflow, tmp_path, {"octo/blocks@v1": "octo/blocks@v1"}, **context)
    assert results["ask"]["result"] == "success", jobs["ask"].log.text
    first, second = (jobs[name].steps["agent"]["outputs"] for name in ("ask", "resume"))
    assert (first["status"], first["exit_code"], first["final_message"]) == ("timed_out", "3", "")
    assert "still be working" in "\n".join(jobs["ask"].log.values("warning"))
    assert (second["status"], second["final_message"]) == ("completed", "Late."), jobs["resume"].log.text
    assert [second[name] for name in ("session_id", "thread_id")] == [first[name] for name in ("session_id", "thread_id")]
    assert len(mock.requests("createSession")) == 1
    assert mock.requests("createMessage") == []


def test_a_time_out_fails_the_step_by_default(step, mock):
    mock.agents({"when": {"after": "1h"}})
    _, outcome, outputs = step(prompt="Go.", agent="claude", timeout_minutes="0")
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "timed_out", "3")
    assert outputs["session_id"]
    assert outputs["thread_id"]
    assert outputs["session_html_url"]
    assert json.loads(outputs["error"])["resume"].startswith("blocks wait ")


def test_a_refusal_of_the_service_is_a_failure(step, mock):
    mock.fault("createSession", {"status": {"status": 422, "body": '{"error": "no such agent"}'}})
    job, outcome, outputs = step(prompt="Go.", agent="claude")
    assert (outcome, outputs["status"], outputs["exit_code"], outputs["session_id"]) == ("failure", "failed", "1", "")
    error = json.loads(outputs["error"])
    assert (error["http_status"], error["may_have_taken_effect"]) == (422, False)
    assert "no such agent" in job.log.text
    assert "no such agent" in job.summary


def test_an_unknown_outcome_is_not_sent_again(step, mock):
    mock.fault("createSession", "reset_after")
    _, outcome, outputs = step(prompt="Go.", agent="claude")
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "unknown", "4")
    assert json.loads(outputs["error"])["may_have_taken_effect"] is True
    assert len(mock.requests("createSession")) == 1


def test_a_cancelled_job_reports_its_session(step, mock):
    mock.agents({"when": {"after": "1h"}})

    def cancel(process):
        mock.call("GET", "/requests/wait?operation=listThreadMessages")
        interrupt(process)

    _, outcome, outputs = step(during={"run": cancel}, prompt="Go.", agent="claude")
    # Every signal is passed on as SIGTERM.
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "interrupted", "143")
    assert outputs["session_id"] == mock.call("GET", "/sessions")["items"][0]["id"]


@pytest.mark.parametrize("kind", ["INT", "TERM"])
@pytest.mark.parametrize("command", ["output status interrupted", "output exit_code 143", "child=$!", "code=0"])
def test_a_job_that_is_cancelled_early_sends_nothing(step, mock, context, tmp_path, command, kind):
    """Sends the signal just before one command of the script. Every shell reads the file BASH_ENV at its start."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job/signal.sh").write_text(
        f"""case $0 in */run.sh) trap '[ "$BASH_COMMAND" != '\\''{command}'\\'' ] || kill -s {kind} $$' DEBUG ;; esac\n""")
    context["environment"]["BASH_ENV"] = str(tmp_path / "job/signal.sh")
    job, outcome, outputs = step(prompt="Go.", agent="claude")
    assert (outcome, outputs["final_message"]) == ("failure", ""), job.log.text
    assert "not a pid" not in job.log.text
    # A command that has lost its script would send the prompt now.
    time.sleep(1)
    assert mock.requests("createSession") == []


def test_a_signal_need_not_wait_for_a_short_command(step, mock, tools, tmp_path):
    # The script runs `tr` several times before it starts `blocks`.
    tools.add("tr", 'touch "$RUNNER_TEMP/started"; sleep 5; exec /usr/bin/tr "$@"')

    def cancel(process):
        while not (tmp_path / "job/temp/started").exists():
            time.sleep(0.01)
        interrupt(process)
        process.wait(3)

    _, outcome, outputs = step(during={"run": cancel}, prompt="Go.", agent="claude")
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "interrupted", "143")
    assert mock.requests() == []


def test_a_killed_batch_has_an_unknown_outcome(step, mock, tmp_path):
    mock.agents({"when": {"after": "1h"}})
    prompts = tmp_path / "job/workspace/prompts.jsonl"
    prompts.parent.mkdir(parents=True)
    prompts.write_text('{"id": "a", "agent_name": "claude", "message": "Go."}\n')

    def kill(process):
        mock.call("GET", "/requests/wait?operation=listThreadMessages")
        os.kill(command_of(process), signal.SIGKILL)

    _, outcome, outputs = step(during={"run": kill}, prompts="prompts.jsonl")
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "unknown", "4")


def command_of(process):
    """Returns the id of the `blocks` process that a step has started."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def test_a_killed_command_has_an_unknown_outcome(step, mock):
    mock.agents({"when": {"after": "1h"}})

    def kill(process):
        mock.call("GET", "/requests/wait?operation=listThreadMessages")
        os.kill(command_of(process), signal.SIGKILL)

    _, outcome, outputs = step(during={"run": kill}, prompt="Go.", agent="claude")
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "unknown", "4")
    assert outputs["session_id"] == mock.call("GET", "/sessions")["items"][0]["id"]


@pytest.mark.parametrize("event", [
    "issue_comment", "issues", "pull_request_review", "pull_request_review_comment", "discussion", "discussion_comment",
    "pull_request_target", "watch", "fork", "an_event_of_next_year",
])
def test_people_without_write_access_are_refused(step, mock, access, event):
    result = step(event={"event_name": event, "actor": "reader"}, prompt="Go.", agent="claude")
    refused(result, mock, "access", "reader has no write access to octo/app")
    assert access.requests == [("/repos/octo/app/collaborators/reader/permission", "Bearer job-token")]


@pytest.mark.parametrize("permission", ["admin", "maintain", "write"])
def test_people_with_write_access_may_comment(step, access, permission):
    access.permissions["writer"] = permission
    job, outcome, _ = step(event={"event_name": "issue_comment"}, prompt="Go.", agent="claude")
    assert outcome == "success", job.log.text


@pytest.mark.parametrize("event", [
    "push", "schedule", "workflow_dispatch", "repository_dispatch", "release", "create", "delete", "deployment",
    "deployment_status", "merge_group",
])
def test_events_of_writers_need_no_request(step, access, event):
    job, outcome, _ = step(event={"event_name": event, "actor": "anyone"}, prompt="Go.", agent="claude")
    assert (outcome, access.requests) == ("success", []), job.log.text


def test_a_fork_is_refused_for_its_author_not_its_key(step, mock, context):
    # GitHub passes no secrets to the runs of a fork.
    context["secrets"] = {"BLOCKS_API_KEY": ""}
    result = step(event={"event_name": "pull_request", "actor": "reader"}, prompt="Go.", agent="claude")
    refused(result, mock, "access", "reader has no write access")


def test_the_run_that_is_followed_counts_too(step, mock):
    event = {"event_name": "workflow_run", "event": {"workflow_run": {"actor": {"login": "reader"}}}}
    refused(step(event=event, prompt="Go.", agent="claude"), mock, "access", "reader has no write access")


def test_people_are_allowed_by_name(step, access):
    event = {"event_name": "issues", "actor": "Reader"}
    job, outcome, _ = step(event=event, prompt="Go.", agent="claude", allowed__users="another, reader")
    assert (outcome, access.requests) == ("success", []), job.log.text


def test_a_part_of_an_allowed_name_is_not_enough(step, mock):
    event = {"event_name": "issues", "actor": "reader"}
    result = step(event=event, prompt="Go.", agent="claude", allowed__users="reader2,areader,read")
    refused(result, mock, "access", "reader has no write access")


def test_a_star_allows_no_user(step, mock):
    event = {"event_name": "issues", "actor": "reader"}
    refused(step(event=event, prompt="Go.", agent="claude", allowed__users="*"), mock, "usage", "names, not *")


def test_a_bot_is_allowed_only_by_name(step, mock, access):
    access.permissions["helper[bot]"] = "write"
    event = {"event_name": "pull_request", "actor": "helper[bot]"}
    refused(step(event=event, prompt="Go.", agent="claude"), mock, "access", "helper[bot] is a bot")
    job, outcome, _ = step(event=event, prompt="Go.", agent="claude", allowed__users="helper[bot]")
    assert outcome == "success", job.log.text


def test_an_unknown_permission_is_refused(step, mock):
    event = {"event_name": "issues", "actor": "stranger"}
    refused(step(event=event, prompt="Go.", agent="claude"), mock, "access", "could not be read")


@pytest.mark.parametrize("name", ["../collaborators/writer", "writer/../owner", "writer?a=b", "writer[bot]/x", ""])
def test_a_name_cannot_change_the_address(step, mock, access, name):
    event = {"event_name": "issues", "actor": name}
    refused(step(event=event, prompt="Go.", agent="claude"), mock, "access", "no usual user")
    assert access.requests == []


HOSTILE = """--help
$(touch pwned) `touch pwned` ; touch pwned | "'${PATH}
::set-output name=status::forged
::add-mask::a
::error::forged
EOF
status=forged
status<<EOF
forged
EOF
@/etc/passwd ${{ secrets.BLOCKS_API_KEY }} %0A::error::forged
\u202e \u0007 end """


def test_a_hostile_comment_stays_a_text(step, mock):
    mock.agents({"text": "Echo: {{message}}"})
    event = {"event_name": "issue_comment", "event": {"comment": {"body": HOSTILE}}}
    job, outcome, outputs = step(event=event, prompt="${{ github.event.comment.body }}", agent="claude")
    assert outcome == "success", job.log.text
    assert [body["message"] for body in mock.bodies("createSession")] == [HOSTILE]
    assert outputs["final_message"] == f"Echo: {HOSTILE}"
    assert (outputs["status"], outputs["exit_code"]) == ("completed", "0")
    assert job.log.commands == [("add-mask", mock.key)]
    assert list(job.workspace.iterdir()) == []


def test_no_script_contains_an_expression():
    for step in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_a_missing_key_is_named(step, mock, context):
    context["secrets"] = {}
    refused(step(prompt="Go.", agent="claude"), mock, "usage", "blocks_api_key is empty")


def test_a_wrong_checksum_is_not_installed(step, mock, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / ARCHIVE).write_bytes((RELEASE / ARCHIVE).read_bytes() + b"x")
    (folder / "SHA256SUMS").write_bytes((RELEASE / "SHA256SUMS").read_bytes())
    result = step(prompt="Go.", agent="claude", release__url=str(folder))
    refused(result, mock, "install", "has the SHA-256")
    assert not list((result[0].temp).glob("blocks-0*"))


def test_a_release_without_an_archive_is_named(step, mock, tmp_path):
    message = refused(step(prompt="Go.", agent="claude", release__url=str(tmp_path)), mock, "install", "cannot download")
    assert ARCHIVE in message


def test_a_full_disk_is_the_error_of_the_installation(step, mock, tools):
    tools.add("cp", """case $* in *.1.*new) echo "cp: error writing '$2': No space left on device" >&2; exit 1 ;; esac
    exec /bin/cp "$@" """)
    refused(step(prompt="Go.", agent="claude"), mock, "install", "No space left on device")


def test_a_prefix_that_is_a_file_is_the_error_of_the_installation(step, mock, tmp_path):
    (tmp_path / "job/temp").mkdir(parents=True)
    (tmp_path / f"job/temp/blocks-{VERSION}").write_text("a file")
    refused(step(prompt="Go.", agent="claude"), mock, "install", "File exists")


def test_an_installer_without_a_message_has_an_error(step, mock, tools):
    tools.add("mktemp", "kill -9 $PPID")
    assert refused(step(prompt="Go.", agent="claude"), mock, "install", "")


def test_an_unknown_platform_is_named(step, mock, tools):
    tools.add("uname", '[ "$1" = -m ] && echo riscv64 || echo Linux')
    message = refused(step(prompt="Go.", agent="claude"), mock, "install", "no archive for Linux on riscv64")
    assert "cargo install blocks-cli" in message


GH = """[ "$*" != "attestation verify --help" ] || exit 0
echo "$*" >> "$(dirname "$0")/calls"
exit {code}"""


def test_an_attestation_is_of_the_actions_repository(step, tools):
    tools.add("gh", GH.format(code=0))
    job, outcome, _ = step(prompt="Go.", agent="claude")
    assert outcome == "success", job.log.text
    [call] = (tools.folder / "calls").read_text().splitlines()
    assert call.startswith("attestation verify ")
    assert call.endswith(f"/{ARCHIVE} --repo octo/blocks")


def test_an_invalid_attestation_is_not_installed(step, mock, tools):
    tools.add("gh", GH.format(code=1))
    refused(step(prompt="Go.", agent="claude"), mock, "install", "no valid attestation of octo/blocks")


def test_an_attestation_can_be_required(step, mock):
    refused(step(prompt="Go.", agent="claude", attestation="require"), mock, "install", "gh is not installed")


def test_a_batch_writes_a_file_of_results(step, mock, tmp_path):
    prompts = tmp_path / "job/workspace/prompts.jsonl"
    prompts.parent.mkdir(parents=True)
    lines = [{"id": name, "agent_name": "claude", "message": f"Do {name}."} for name in ("a", "b", "c")]
    prompts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    job, outcome, outputs = step(prompts="prompts.jsonl", max__running="2", journal="journal")
    assert outcome == "success", job.log.text
    assert (outputs["status"], outputs["exit_code"]) == ("completed", "0")
    with open(outputs["results"]) as file:
        results = {line["id"]: line["status"] for line in map(json.loads, file)}
    assert results == {"a": "completed", "b": "completed", "c": "completed"}
    # A second run with the same journal creates no session.
    step(prompts="prompts.jsonl", journal="journal")
    assert len(mock.requests("createSession")) == 3


@pytest.mark.parametrize("inputs", [{"prompts": "missing.jsonl"}, {"prompts": "/dev/null", "follow": "true"}])
def test_a_usage_error_of_a_batch_is_in_outputs(step, mock, inputs):
    _, outcome, outputs = step(**inputs)
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "refused", "2")
    assert json.loads(outputs["error"])["kind"] == "usage"
    assert mock.requests() == []


def test_options_of_the_shell_do_not_fail_a_batch(step, context, tmp_path):
    context["environment"]["SHELLOPTS"] = "noclobber"
    prompts = tmp_path / "job/workspace/prompts.jsonl"
    prompts.parent.mkdir(parents=True)
    prompts.write_text('{"id": "a", "agent_name": "claude", "message": "Go."}\n')
    job, outcome, outputs = step(prompts="prompts.jsonl")
    assert (outcome, outputs["status"], outputs["error"]) == ("success", "completed", ""), job.log.text


def test_a_failed_prompt_fails_the_batch(step, mock, tmp_path):
    mock.fault("createSession", {"status": {"status": 422}})
    prompts = tmp_path / "job/workspace/prompts.jsonl"
    prompts.parent.mkdir(parents=True)
    prompts.write_text('{"id": "a", "agent_name": "claude", "message": "Go."}\n')
    _, outcome, outputs = step(prompts="prompts.jsonl")
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "failed", "1")


@pytest.mark.parametrize(("faults", "outcome"), [(0, "success"), (1, "failure")])
def test_a_time_out_does_not_hide_a_failed_prompt(step, mock, tmp_path, faults, outcome):
    mock.agents({"when": {"after": "1h"}})
    if faults:
        mock.fault("createSession", {"status": {"status": 422}}, faults)
    prompts = tmp_path / "job/workspace/prompts.jsonl"
    prompts.parent.mkdir(parents=True)
    lines = [{"id": name, "agent_name": "claude", "message": "Go."} for name in ("a", "b")]
    prompts.write_text("".join(json.dumps(line) + "\n" for line in lines))
    job, ended, outputs = step(prompts="prompts.jsonl", timeout_minutes="0", fail_on_timeout="false")
    assert (ended, outputs["status"], outputs["exit_code"]) == (outcome, "timed_out", "3"), job.log.text
    with open(outputs["results"]) as file:
        codes = sorted(line["exit_code"] for line in map(json.loads, file))
    assert codes == [1] * faults + [3] * (2 - faults)


SCHEMA = {"type": "object", "required": ["bug"], "properties": {"bug": {"type": "boolean"}}}


@pytest.mark.parametrize("from_file", [False, True])
def test_a_reply_that_matches_a_schema_is_an_output(step, mock, tmp_path, from_file):
    mock.agents({"text": 'It is.\n```json\n{"bug": true}\n```\n', "when": {"after": "0s"}})
    schema = json.dumps(SCHEMA)
    if from_file:
        (tmp_path / "job/workspace").mkdir(parents=True)
        (tmp_path / "job/workspace/schema.json").write_text(schema)
        schema = "schema.json"
    job, outcome, outputs = step(prompt="Is it a bug?", agent="claude", schema=schema)
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("success", "completed", "0"), job.log.text
    assert json.loads(outputs["structured_output"]) == {"bug": True}


def test_a_reply_that_breaks_a_schema_fails_the_step(step, mock):
    mock.agents({"text": '{"bug": "perhaps"}', "when": {"after": "0s"}})
    job, outcome, outputs = step(prompt="Is it a bug?", agent="claude", schema=json.dumps(SCHEMA))
    assert (outcome, outputs["exit_code"], outputs["structured_output"]) == ("failure", "6", ""), job.log.text
    # The reply is billed, so it must not be lost.
    assert outputs["final_message"] == '{"bug": "perhaps"}'


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(("text", "inputs", "code"), [
    ("authentication failed", {"fail__on__notice": "true"}, "5"),
    ('{"bug": "perhaps"}', {"schema": json.dumps(SCHEMA)}, "6"),
])
def test_a_batch_has_the_status_of_a_prompt(step, mock, tmp_path, batch, text, inputs, code):
    mock.agents({"text": text, "when": {"after": "0s"}})
    prompts = tmp_path / "job/workspace/prompts.jsonl"
    prompts.parent.mkdir(parents=True)
    prompts.write_text('{"id": "a", "agent_name": "claude", "message": "Go."}\n')
    what = {"prompts": "prompts.jsonl"} if batch else {"prompt": "Go.", "agent": "claude"}
    job, outcome, outputs = step(**what, **inputs)
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "completed", code), job.log.text


def test_following_shows_the_messages(step, mock):
    mock.agents({"text": "Done.", "when": {"after": "2s"}, "steps": [{"at": "0s", "do": {"message": "Looking."}}]})
    job, outcome, _ = step(prompt="Go.", agent="claude", follow="true")
    assert outcome == "success", job.log.text
    assert job.log.text.index("Looking.") < job.log.text.index("Done.")


def test_a_long_prompt_comes_from_a_file(step, mock, tmp_path):
    text = "-" + "x" * 300_000
    (tmp_path / "job/workspace").mkdir(parents=True)
    (tmp_path / "job/workspace/prompt.md").write_text(text)
    job, outcome, _ = step(prompt__file="prompt.md", agent="claude")
    assert outcome == "success", job.log.text
    assert [body["message"] for body in mock.bodies("createSession")] == [text]


ID = "3f0c6f5e-6f0e-4a47-93a3-0f6d4a1c9b11"


@pytest.mark.parametrize(("inputs", "part"), [
    ({}, "exactly one of the inputs prompt"),
    ({"prompt": "  \n"}, "exactly one of the inputs prompt"),
    ({"prompt": "Go.", "prompts": "file"}, "exactly one of the inputs prompt"),
    ({"prompt": "Go.", "session": "x"}, "exactly one of the inputs prompt"),
    ({"prompt": "Go.", "agent": "claude", "is_private": "perhaps"}, "is_private must be true or false"),
    ({"prompt": "Go.", "agent": "claude", "fail_on_timeout": "perhaps"}, "fail_on_timeout must be true or false"),
    ({"prompt": "Go.", "agent": "claude", "timeout_minutes": "soon"}, "timeout_minutes must be a number"),
    ({"prompt": "Go.", "agent": "claude", "timeout_minutes": "-1"}, "timeout_minutes must be a number"),
    ({"prompt": "Go.", "agent": "claude", "timeout_minutes": "."}, "timeout_minutes must be a number"),
    *[({"prompts": "prompts.jsonl", name: value}, f"{name} has no effect with prompts") for name, value in [
        ("is_private", "true"), ("session_id", ID), ("agent", "codex"), ("agent_id", ID), ("title", "T"),
        ("session_group_id", ID), ("thread", ID)]],
    *[({"session": ID, name: value}, f"{name.replace('__', '-')} has no effect with session") for name, value in [
        ("is_private", "true"), ("session_id", ID), ("agent", "codex"), ("title", "T"), ("journal", "j"),
        ("max__running", "2")]],
    *[({"prompt": "Go.", "agent": "claude", name: "2"}, f"{name.replace('__', '-')} has no effect with a single prompt")
      for name in ("journal", "max__running", "thread")],
    ({"prompt": "Go.", "session_id": ID, "journal": "j"}, "journal has no effect with session_id"),
])
def test_inputs_that_cannot_be_used_are_refused(step, mock, inputs, part):
    refused(step(**inputs), mock, "usage", part)


def test_inputs_of_the_vendors_action_for_a_follow_up_are_not_refused(step, mock):
    _, _, first = step(prompt="Go.", agent="claude")
    job, outcome, _ = step(prompt="More.", session_id=first["session_id"], title="T", is_private="true")
    assert outcome == "success", job.log.text
    [warning] = job.log.values("warning")
    assert warning == "title, session_group_id and is_private are not used: they are for a new session"


@pytest.mark.parametrize("title", ["- fix the parser", "-5 is parsed as 5", "--private", "-"])
def test_a_title_may_start_with_a_hyphen(step, mock, title):
    job, outcome, _ = step(prompt="Go.", agent="claude", title=title)
    assert outcome == "success", job.log.text
    assert [(body["title"], body.get("is_private")) for body in mock.bodies("createSession")] == [(title, None)]


def test_files_may_start_with_a_hyphen(step, mock, tmp_path):
    workspace = tmp_path / "job/workspace"
    workspace.mkdir(parents=True)
    (workspace / "-prompt.md").write_text("Go.")
    (workspace / "-prompts.jsonl").write_text('{"id": "a", "agent_name": "claude", "message": "Go."}\n')
    for inputs in ({"prompt__file": "-prompt.md", "agent": "claude"}, {"prompts": "-prompts.jsonl", "journal": "-j"}):
        job, outcome, _ = step(**inputs)
        assert outcome == "success", job.log.text
    assert (workspace / "-j").exists()


def test_a_blank_input_has_its_default(step, mock):
    mock.agents({"when": {"after": "1h"}})
    _, outcome, outputs = step(prompt="Go.", agent="claude", timeout_minutes="0", fail_on_timeout=" ")
    assert (outcome, outputs["status"]) == ("failure", "timed_out")


@pytest.mark.parametrize(("minutes", "milliseconds"), [
    ("1.5", "90000ms"), (" 30 ", "1800000ms"), ("0.25", "15000ms"), (".5", "30000ms"), ("5.", "300000ms"),
    ("", "1800000ms"), ("0.33333333", "19999ms"),
])
def test_the_command_line_shows_no_secret(step, mock, minutes, milliseconds):
    mock.agents({"when": {"after": "1h"}})
    line = []

    def look(process):
        mock.call("GET", "/requests/wait?operation=listThreadMessages")
        line.extend(Path(f"/proc/{command_of(process)}/cmdline").read_text().split("\0"))
        interrupt(process)

    step(during={"run": look}, prompt="Go.", agent="claude", timeout_minutes=minutes)
    assert line[line.index("--timeout") + 1] == milliseconds
    # Other users of the machine can read the command line.
    assert mock.key not in " ".join(line)
    assert "Go." not in line


def test_a_usage_error_of_the_command_is_in_outputs(step, mock):
    _, outcome, outputs = step(prompt="Go.", agent="clyde")
    assert (outcome, outputs["status"], outputs["exit_code"]) == ("failure", "refused", "2")
    assert "clyde" in json.loads(outputs["error"])["message"]
    assert mock.requests() == []


def test_the_folder_names_the_repository(tmp_path, mock, context):
    """Checks that an action within another composite action installs the release of its own repository."""
    context["github"]["action_repository"] = "octo/another"
    job = Job(tmp_path / "job", **context)
    job.run([{"id": "agent", "uses": "octo/blocks@v1", "with": {
        "blocks_api_key": mock.key, "api_base_url": mock.url, "agent": "claude", "prompt": "Go."}}],
        {"octo/blocks@v1": "octo/blocks@0123456789abcdef"})
    assert job.steps["agent"]["outcome"] == "success", job.log.text
