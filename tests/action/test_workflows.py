"""Tests of whole workflows: a workflow written for the vendor's action, and the examples in docs/examples."""

import re
import subprocess

import pytest
import yaml

from conftest import BLOCKS, VERSION
from runner import ROOT, Job, run_workflow

VENDOR = "BlocksOrg/blocks-ci-sessions@v1"
OURS = f"octo/blocks@v{VERSION}"
INPUTS = {"blocks_api_key", "prompt", "agent", "agent_id", "session_id", "title", "session_group_id", "is_private",
          "timeout_minutes", "poll_interval_seconds", "fail_on_timeout", "api_base_url"}
OUTPUTS = {"session_id", "thread_id", "final_message", "session_html_url", "pull_requests", "status"}


def test_the_vendors_workflow_changes_only_uses(tmp_path, mock, context):
    text = (ROOT / "tests/action/vendor-workflow.yml").read_text()
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    assert {name for step in steps for name in step.get("with", {})} == INPUTS
    assert set(re.findall(r"steps\.review\.outputs\.(\w+)", text)) == OUTPUTS
    mock.agents({"text": "Two findings.", "when": {"after": "0s"},
                 "steps": [{"at": "0s", "do": {"pull_request": "https://example.com/pull/2"}}]})
    context["github"].update({"event_name": "pull_request", "event": {"pull_request": {"html_url": "https://example.com/pull/1"}}})
    workflow = yaml.safe_load(text.replace(f"uses: {VENDOR}", f"uses: {OURS}"))
    jobs, results = run_workflow(workflow, tmp_path, {OURS: OURS}, **context)
    assert {name: result["result"] for name, result in results.items()} == {"review": "success", "fix": "success"}, \
        jobs["review"].log.text + jobs.get("fix", jobs["review"]).log.text
    outputs = jobs["review"].steps["review"]["outputs"]
    report = [outputs[name] for name in ("session_id", "thread_id", "session_html_url", "final_message", "status")]
    assert jobs["review"].log.text.endswith("\n".join([*report, "1"]))
    assert outputs["final_message"] == "Two findings."
    assert outputs["status"] == "completed"
    first, custom = mock.bodies("createSession")
    assert first == {"agent_name": "claude", "is_private": True, "title": "Review of https://example.com/pull/1",
                     "session_group_id": "3f0c6f5e-6f0e-4a47-93a3-0f6d4a1c9b11",
                     "message": "Review https://example.com/pull/1.\nRate each finding.\n"}
    assert custom["agent_id"] == "0b8f9d2c-8a53-4c3b-9a55-5b1c0a6d7e22"
    assert mock.bodies("createMessage") == [{"message": "Fix what you found."}]
    follow = jobs["fix"].steps["follow"]["outputs"]
    assert follow["session_id"] == outputs["session_id"]
    assert follow["thread_id"] != outputs["thread_id"]
    assert not any("unexpected input" in line for job in jobs.values() for line in job.log.lines)


# The event that starts each example, and the operations that the example calls, without polls and other reads.
EVENTS = {
    "ask.yml": ({"event_name": "workflow_dispatch"}, ["createSession", "createMessage"]),
    "review.yml": ({"event_name": "pull_request", "event": {"pull_request": {"html_url": "https://example.com/pull/1"}}},
                   ["createSession"]),
    "comment.yml": ({"event_name": "issue_comment", "event": {
        "comment": {"body": "/blocks fix it"}, "issue": {"html_url": "https://example.com/issues/1"}}}, ["createSession"]),
    "batch.yml": ({"event_name": "schedule"}, ["createSession"]),
    "mock.yml": ({}, ["createSession"]),
}
EXAMPLES = ROOT / "docs/examples"


def sent(mock):
    return [request["operation"] for request in mock.requests() if request["operation"] in ("createSession", "createMessage")]


def test_every_example_is_run():
    assert {path.name for path in (EXAMPLES / "github").iterdir()} == set(EVENTS)
    assert [path.name for path in (EXAMPLES / "gitlab").iterdir()] == [".gitlab-ci.yml"]


def run_example(name, tmp_path, mock, context):
    text = (EXAMPLES / "github" / name).read_text()
    assert set(re.findall(r"OWNER/REPOSITORY\S*", text)) <= {f"OWNER/REPOSITORY@v{VERSION}", f"OWNER/REPOSITORY:{VERSION}"}
    event, operations = EVENTS[name]
    context["github"].update(event)
    context["environment"]["BLOCKS_API_BASE_URL"] = mock.url
    workflow = yaml.safe_load(text.replace("OWNER/REPOSITORY@", "octo/blocks@").replace("http://localhost:8765", mock.url))
    for job in workflow["jobs"]:
        folder = tmp_path / job / "workspace"
        folder.mkdir(parents=True)
        (folder / "prompts.jsonl").write_text('{"id": "a", "agent_name": "claude", "message": "Go."}\n')
    jobs, results = run_workflow(workflow, tmp_path, {OURS: OURS}, inputs={"prompt": "Plan it."}, **context)
    logs = "\n".join(job.log.text for job in jobs.values())
    assert {name: result["result"] for name, result in results.items()} == {name: "success" for name in workflow["jobs"]}, logs
    assert sent(mock) == operations
    return jobs


@pytest.mark.parametrize("name", EVENTS)
def test_an_example_for_github_works(name, tmp_path, mock, context):
    run_example(name, tmp_path, mock, context)


def test_the_example_review_keeps_waiting(tmp_path, mock, context):
    mock.agents({"text": "Late.", "when": {"after": "1m"}})
    text = (EXAMPLES / "github/review.yml").read_text()
    # The first job times out immediately. The reply exists when the second job starts.
    text = text.replace("fail_on_timeout: false", "fail_on_timeout: false\n          timeout_minutes: 0")
    workflow = yaml.safe_load(text.replace("OWNER/REPOSITORY@", "octo/blocks@"))
    workflow["jobs"]["keep-waiting"]["steps"].insert(0, {
        "run": "curl --silent --fail -d '{\"advance\":\"1m\"}' \"$BLOCKS_API_BASE_URL/_mock/clock\""})
    context["github"].update(EVENTS["review.yml"][0])
    context["environment"]["BLOCKS_API_BASE_URL"] = mock.url
    jobs, results = run_workflow(workflow, tmp_path, {OURS: OURS}, **context)
    assert "Late." in jobs["keep-waiting"].log.text
    assert sent(mock) == ["createSession"]


def test_the_example_for_gitlab_works(tmp_path, mock):
    """Runs each script in a POSIX shell that finds the command in its search path, as in the image."""
    text = (EXAMPLES / "gitlab/.gitlab-ci.yml").read_text()
    images = set(re.findall(r"OWNER/REPOSITORY[^\s',]*", text))
    assert images == {f"OWNER/REPOSITORY:{VERSION}", f"OWNER/REPOSITORY:{VERSION}-shell"}
    pipeline = yaml.safe_load(text.replace("http://blocks:8765", mock.url))
    project = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "BLOCKS_API_KEY": mock.key, "GITLAB_CI": "true",
               "CI": "true", "BLOCKS_API_BASE_URL": mock.url, "CI_PROJECT_URL": "https://gitlab.example/octo/app",
               "CI_COMMIT_SHORT_SHA": "0123abc"}
    (tmp_path / "blocks").symlink_to(BLOCKS)
    for stage in pipeline.pop("stages"):
        for name, job in pipeline.items():
            if job["stage"] == stage:
                script = "\n".join(job["script"])
                variables = {**project, **job.get("variables", {})}
                result = subprocess.run(["dash", "-e", "-c", script], env=variables, cwd=tmp_path, text=True, capture_output=True)
                assert result.returncode == 0, f"{name}: {result.stderr}"
    assert (tmp_path / "reply.md").read_text() == "Done.\n"
    assert [body["message"] for body in mock.bodies("createSession")] == [
        "Review https://gitlab.example/octo/app/-/commit/0123abc.", "Go."]


def readme_names(heading):
    """Returns the names in the first column of a README table, in order, each with the text of the second column."""
    section = (ROOT / "README.md").read_text().partition("\n### In CI\n")[2].partition("\n### ")[0]
    rows = section.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    found = {}
    for row in rows:
        first, second = [cell.strip() for cell in row.split("|")[1:3]]
        found.update({name: second for name in re.findall(r"`([\w-]+)`", first)})
    return found


def test_the_readme_names_every_input_and_output():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    inputs = readme_names("input")
    assert list(inputs) == list(action["inputs"])
    defaults = {name: declared.get("default", "") for name, declared in action["inputs"].items()}
    defaults.update({"github-token": "the job's", "release-url": "the release page"})
    # The input `is_private` shares a row with another input, so its default is in the text and not in the column.
    defaults["is_private"] = ""
    assert inputs == defaults
    assert list(readme_names("output")) == list(action["outputs"])


def test_the_step_of_the_readme_works(tmp_path, mock, context):
    section = (ROOT / "README.md").read_text().partition("\n### In CI\n")[2]
    text = section.partition("```yaml\n")[2].partition("```")[0]
    assert f"uses: OWNER/REPOSITORY@v{VERSION}\n" in text
    context["github"].update(EVENTS["review.yml"][0])
    context["environment"]["BLOCKS_API_BASE_URL"] = mock.url
    job = Job(tmp_path / "job", **context).run(yaml.safe_load(text.replace("OWNER/REPOSITORY@", "octo/blocks@")), {OURS: OURS})
    assert not job.failed, job.log.text
    assert job.log.text.endswith("\nDone."), job.log.text


def test_drift_and_release_check_the_same_crates():
    drift = yaml.safe_load((ROOT / ".github/workflows/drift.yml").read_text())
    [checked] = [step["run"] for step in drift["jobs"]["interface"]["steps"] if "run" in step]
    [published] = re.findall(r"for crate in (.*); do", (ROOT / ".github/workflows/release.yml").read_text())
    assert re.findall(r"-p (\S+)", checked) == published.split()


# A part of a step, and the rights of the job's token that the step needs.
RIGHTS = {
    "actions/checkout@": {"contents": "read"},
    "actions/attest-build-provenance@": {"id-token": "write", "attestations": "write"},
    "rust-lang/crates-io-auth-action@": {"id-token": "write"},
    "gh release create": {"contents": "write"},
    "registry: ghcr.io": {"packages": "write"},
    "drift-issue.sh": {"issues": "write"},
}


@pytest.mark.parametrize("path", [*sorted((ROOT / ".github/workflows").iterdir()), *sorted((EXAMPLES / "github").iterdir())],
                         ids=lambda path: path.name)
def test_each_job_has_only_the_rights_that_it_needs(path):
    workflow = yaml.safe_load(path.read_text())
    for name, job in workflow["jobs"].items():
        steps = yaml.dump(job["steps"])
        needed = [rights for part, rights in RIGHTS.items() if part in steps]
        # The right to write includes the right to read, and is later in the alphabet.
        expected = {right: max(rights[right] for rights in needed if right in rights) for rights in needed for right in rights}
        assert job.get("permissions", workflow["permissions"]) == expected, name


def test_every_version_in_the_documents_is_this_one():
    for name in ["README.md", *(str(path.relative_to(ROOT)) for path in EXAMPLES.rglob("*.yml"))]:
        named = re.findall(r"OWNER/REPOSITORY[@:]v?(\d+\.\d+\.\d+)", (ROOT / name).read_text())
        assert named, name
        assert set(named) == {VERSION}, name
