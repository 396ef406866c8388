"""Executes jobs and the steps of composite actions as a GitHub runner does: environment files, masks, commands in the
log, conditions, outputs and failing steps. The runner rejects unknown keys of jobs and steps, unknown actions, and
unknown parts of expressions, so that no test passes by accident."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import yaml

from expressions import evaluate, fill, is_true, text

ROOT = Path(__file__).parents[2]
# The files and folders of this repository that the action reads.
ACTION_FILES = ["action.yml", "install.sh", "Cargo.toml", ".github/action"]
COMMAND = re.compile(r"::(?P<name>[a-z-]+)(?: (?P<properties>[^:]*))?::(?P<value>.*)")
SHELLS = {
    "bash": ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail"],
    None: ["bash", "-e"],
}


def parse_environment_file(content):
    """Parses `name=value` lines, and `name<<DELIMITER` with lines until the delimiter."""
    found, lines = {}, iter(content.split("\n"))
    for line in lines:
        if not line:
            continue
        heredoc = re.fullmatch(r"([^=]*?)<<(.+)", line)
        if heredoc:
            values = []
            for value in lines:
                if value == heredoc[2]:
                    break
                values.append(value)
            else:
                raise ValueError(f"no end of {heredoc[1]} in an environment file")
            found[heredoc[1]] = "\n".join(values)
        elif "=" in line:
            name, value = line.split("=", 1)
            found[name] = value
        else:
            raise ValueError(f"cannot read the line of an environment file: {line}")
    return found


class Log:
    """The log as the runner shows it: secrets are masked, `add-mask` is left out, other commands are texts."""

    def __init__(self):
        self.lines, self.masks, self.commands = [], [], []

    def add(self, output):
        for line in output.splitlines():
            match = COMMAND.match(line.lstrip())
            if match:
                value = match["value"].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
                self.commands.append((match["name"], value))
                if match["name"] == "add-mask":
                    self.masks.append(value)
                    continue
                line = f"{match['name']}: {value}"
            self.lines.append(self.masked(line))

    def add_header(self, environment):
        """Adds the environment of a step, which the runner prints before it starts the script of the step."""
        for name, value in environment.items():
            self.lines += self.masked(f"  {name}: {value}").splitlines()

    def masked(self, value):
        for mask in self.masks:
            value = value.replace(mask, "***")
        return value

    @property
    def text(self):
        # A mask has no effect on earlier lines.
        return "\n".join(self.lines)

    def values(self, command):
        return [value for name, value in self.commands if name == command]


class Job:
    """One job on a separate runner."""

    def __init__(self, folder, github, secrets=None, needs=None, inputs=None, environment=None, variables=None):
        self.folder = Path(folder)
        self.workspace, self.temp = self.folder / "workspace", self.folder / "temp"
        for made in (self.workspace, self.temp, self.folder / "home"):
            made.mkdir(parents=True, exist_ok=True)
        self.github = {"server_url": "https://github.example", "repository": "octo/app", "actor": "writer",
                       "event_name": "push", "event": {}, "token": "job-token", "action_repository": None, **github}
        self.secrets, self.inputs, self.variables = secrets or {}, inputs or {}, variables or {}
        self.runner = {"os": "Linux", "arch": "X64", "temp": str(self.temp)}
        self.needs, self.steps, self.log = needs or {}, {}, Log()
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder / "home"), **(environment or {})}
        # A runner masks the secrets even without the command `add-mask`.
        self.log.masks += [value for value in self.secrets.values() if value]
        self.path, self.summary, self.failed = [], "", False
        # Maps a step id to a function that is called with the process of the step while the process runs.
        self.during = {}

    def contexts(self):
        return {"github": self.github, "secrets": self.secrets, "runner": self.runner, "needs": self.needs,
                "steps": self.steps, "inputs": self.inputs, "vars": self.variables, "env": self.environment}

    def run(self, steps, actions=None):
        for step in steps:
            self.run_step(step, self.contexts(), self.steps, actions or {}, {})
        return self

    def condition(self, step, contexts, failed):
        functions = {"success": lambda: not failed, "failure": lambda: failed, "always": lambda: True, "cancelled": lambda: False}
        source = text(step.get("if", "success()")).strip()
        source = source[3:-2] if source.startswith("${{") else source
        if not re.search(r"\b(success|failure|always|cancelled)\(", source):
            source = f"success() && ({source})"
        return is_true(evaluate(source, contexts, functions))

    def run_step(self, step, contexts, results, actions, action_environment, failed=None):
        unknown = set(step) - {"id", "name", "if", "run", "shell", "env", "uses", "with", "continue-on-error"}
        assert not unknown, f"the runner does not know {unknown}"
        failed = self.failed if failed is None else failed
        if not self.condition(step, contexts, failed):
            outcome, outputs = "skipped", {}
        else:
            environment = {name: fill(value, contexts) for name, value in (step.get("env") or {}).items()}
            if "uses" in step:
                outcome, outputs = self.use(step, contexts, actions, environment)
            else:
                outcome, outputs = self.execute(step, contexts, {**action_environment, **environment})
        if outcome == "failure" and not is_true(step.get("continue-on-error")):
            self.failed = True
        if step.get("id"):
            results[step["id"]] = {"outputs": outputs, "outcome": outcome,
                                   "conclusion": "success" if is_true(step.get("continue-on-error")) else outcome}
        return outcome

    def use(self, step, contexts, actions, environment):
        name = step["uses"]
        # These actions are only imitated: each job already has a workspace, and an artifact only has to exist.
        if name.startswith("actions/checkout@"):
            return "success", {}
        if name.startswith("actions/upload-artifact@"):
            path = self.workspace / fill(step["with"]["path"], contexts)
            return ("success" if path.exists() else "failure"), {}
        assert name in actions, f"the runner has no action {name}"
        given = {key: fill(value, contexts) for key, value in (step.get("with") or {}).items()}
        return self.use_action(actions[name], given, environment)

    def use_action(self, reference, given, environment=None):
        """Runs a copy of this action, in the folder where a runner would put `reference` (`owner/name@ref`)."""
        repository, ref = reference.split("@")
        place = self.folder / "_actions" / repository / ref
        for name in ACTION_FILES:
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, target, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / name, target)
        action = yaml.safe_load((place / "action.yml").read_text())
        assert action["runs"]["using"] == "composite"
        # Within another composite action, a runner sets the repository of the outer action.
        outer = self.github["action_repository"]
        github = {**self.github, "action_repository": outer or repository, "action_ref": ref, "action_path": str(place)}
        inputs = {}
        for name, declared in action["inputs"].items():
            inputs[name] = given.pop(name) if name in given else fill(declared.get("default", ""), {"github": github})
        for name in given:
            self.log.lines.append(f"warning: unexpected input {name}")
        steps, failed = {}, False
        for inner in action["runs"]["steps"]:
            assert inner.get("shell") or "uses" in inner, "a composite action names the shell of each step"
            contexts = {"github": github, "inputs": inputs, "steps": steps, "runner": self.runner, "env": self.environment}
            # In a composite action, a runner sets the action's folder and leaves the action's other
            # variables empty.
            own = {**(environment or {}), "GITHUB_ACTION_PATH": str(place), "GITHUB_ACTION_REPOSITORY": "", "GITHUB_ACTION_REF": ""}
            outcome = self.run_step(inner, contexts, steps, {}, own, failed)
            failed = failed or outcome == "failure"
        outputs = {name: fill(output["value"], {"steps": steps, "inputs": inputs}) for name, output in action["outputs"].items()}
        return ("failure" if failed else "success"), outputs

    def execute(self, step, contexts, environment):
        files = {}
        for name in ("ENV", "OUTPUT", "PATH", "STEP_SUMMARY"):
            files[name] = self.temp / f"_file_{name.lower()}"
            files[name].write_text("")
        script = self.temp / "_script.sh"
        script.write_text(fill(step["run"], contexts))
        variables = {
            **self.environment, **environment, "CI": "true", "GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(self.temp),
            "RUNNER_OS": self.runner["os"], "RUNNER_ARCH": self.runner["arch"], "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_ACTOR": self.github["actor"], "GITHUB_EVENT_NAME": self.github["event_name"],
            **{f"GITHUB_{name}": str(path) for name, path in files.items()},
        }
        variables["PATH"] = ":".join([*reversed(self.path), variables["PATH"]])
        self.log.add_header(environment)
        process = subprocess.Popen([*SHELLS[step.get("shell")], str(script)], cwd=self.workspace, env=variables, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        if step.get("id") in self.during:
            self.during[step["id"]](process)
        try:
            output, _ = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        self.log.add(output)
        outcome = "success" if process.returncode == 0 else "failure"
        try:
            self.environment.update(parse_environment_file(files["ENV"].read_text()))
            outputs = parse_environment_file(files["OUTPUT"].read_text())
        except ValueError as error:
            self.log.lines.append(f"error: {error}")
            outcome, outputs = "failure", {}
        self.path += [line for line in files["PATH"].read_text().splitlines() if line]
        self.summary += files["STEP_SUMMARY"].read_text()
        return outcome, outputs


def interrupt(process):
    """Sends the first signal of a cancelled job, as a runner does: only to the process of the step itself."""
    process.send_signal(signal.SIGINT)


def run_workflow(workflow, folder, actions, **context):
    """Runs the jobs of a workflow one by one, in the order of their needs. Returns jobs and results by name."""
    done, results = {}, {}
    waiting = dict(workflow["jobs"])
    while waiting:
        name = next(name for name, job in waiting.items() if set(needs_of(job)) <= set(done))
        job = waiting.pop(name)
        unknown = set(job) - {"runs-on", "needs", "outputs", "steps", "if", "permissions", "timeout-minutes", "name", "env",
                              "services", "concurrency"}
        assert not unknown, f"the runner does not know {unknown}"
        needs = {need: results[need] for need in needs_of(job)}
        runner = Job(Path(folder) / name, needs=needs, **context)
        upstream_failed = any(need["result"] != "success" for need in needs.values())
        if not runner.condition(job, runner.contexts(), upstream_failed):
            done[name], results[name] = runner, {"result": "skipped", "outputs": {}}
            continue
        runner.environment.update({key: fill(value, runner.contexts()) for key, value in (job.get("env") or {}).items()})
        runner.run(job["steps"], actions)
        outputs = {key: fill(value, runner.contexts()) for key, value in (job.get("outputs") or {}).items()}
        done[name] = runner
        results[name] = {"result": "failure" if runner.failed else "success", "outputs": outputs}
    return done, results


def needs_of(job):
    needs = job.get("needs") or []
    return [needs] if isinstance(needs, str) else needs
