"""Fixtures of the action's tests: `blocks mock`, a release in a folder, and GitHub's API for permissions."""

import http.server
import json
import os
import platform
import re
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from runner import ROOT, Job

# The output of `release.sh dry-run`: a release, and the folder that the Dockerfile copies from.
DRY_RUN = Path(os.environ.get("DRY_RUN", ROOT / "target/release-dry-run"))
RELEASE = DRY_RUN / "out"
# The dry run has no musl toolchain, so the archive whose name contains musl contains another static build.
BLOCKS = str(DRY_RUN / "bin/blocks")
VERSION = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
TARGET = f"{platform.machine()}-unknown-linux-musl"
ARCHIVE = f"blocks-v{VERSION}-{TARGET}.tar.gz"


class Mock:
    """`blocks mock` with its control plane."""

    def __init__(self):
        self.process = subprocess.Popen([BLOCKS, "mock", "--quiet", "--reply-after", "0s"], stdout=subprocess.PIPE, text=True)
        exports = self.process.stdout.readline() + self.process.stdout.readline()
        self.url = re.search(r"BASE_URL='?([^'\s]+)", exports)[1]
        self.key = re.search(r"API_KEY='?([^'\s]+)", exports)[1]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_mock{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def fault(self, operation, fault, times=1):
        self.call("POST", "/faults", {"operation": operation, "when": {"times": times}, "fault": fault})

    def agents(self, *rules):
        self.call("PUT", "/agents", [{"do": rule} if "do" not in rule else rule for rule in rules])

    def requests(self, operation=None):
        query = f"?operation={operation}" if operation else ""
        return self.call("GET", f"/requests{query}")["items"]

    def bodies(self, operation):
        bodies = [request["body"] for request in self.requests(operation)]
        return [json.loads(body) if isinstance(body, str) else body for body in bodies]


class Access:
    """Serves the part of GitHub's API that the action calls: the permission of each user."""

    def __init__(self):
        self.permissions, self.requests = {"writer": "write", "reader": "read"}, []
        access = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                access.requests.append((self.path, self.headers["Authorization"]))
                match = re.fullmatch(r"/repos/octo/app/collaborators/([^/]+)/permission", self.path)
                permission = access.permissions.get(urllib.parse.unquote(match[1])) if match else None
                # The user's name looks like the field `permission`, so a search that ignores the
                # escapes of JSON would find the wrong value.
                body = {"user": {"name": '"permission":"admin"', "permissions": {"admin": True}}, "permission": permission}
                self.send_response(200 if permission else 404)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="session")
def shared_mock():
    mock = Mock()
    yield mock
    mock.process.terminate()
    mock.process.wait()


@pytest.fixture
def mock(shared_mock):
    shared_mock.call("POST", "/reset")
    return shared_mock


@pytest.fixture
def access():
    access = Access()
    yield access
    access.server.shutdown()


@pytest.fixture
def tools(tmp_path):
    """Returns a folder of commands that a runner finds first. Its `curl` reaches only the release and loopback."""
    folder = tmp_path / "tools"
    folder.mkdir()

    def add(name, text):
        (folder / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (folder / name).chmod(0o755)

    add("curl", f"""
    for last; do :; done
    case $last in
      https://github.example/octo/blocks/releases/download/v{VERSION}/*)
        while [ "$1" != --output ]; do shift; done
        exec cp "{RELEASE}/${{last##*/}}" "$2" ;;
      http://127.0.0.1:*) exec /usr/bin/curl "$@" ;;
      *) echo "curl: no such page: $last" >&2; exit 22 ;;
    esac""")
    return type("Tools", (), {"folder": folder, "add": staticmethod(add), "path": f"{folder}:/usr/local/bin:/usr/bin:/bin"})


@pytest.fixture
def context(mock, access, tools):
    """Returns the context of a run that a user with write access started with a push."""
    return {
        "github": {"api_url": access.url},
        "secrets": {"BLOCKS_API_KEY": mock.key},
        "variables": {"BLOCKS_URL": mock.url},
        "environment": {"PATH": tools.path},
    }


@pytest.fixture
def step(tmp_path, mock, context):
    """Returns a function that runs one step with the action, and that returns the job, the outcome and the outputs."""

    def run(during=None, event=None, **inputs):
        context["github"].update(event or {})
        job = Job(tmp_path / "job", **context)
        job.during = during or {}
        given = {"blocks_api_key": "${{ secrets.BLOCKS_API_KEY }}", "api_base_url": "${{ vars.BLOCKS_URL }}"}
        given.update({name.replace("__", "-"): value for name, value in inputs.items()})
        job.run([{"id": "agent", "uses": "octo/blocks@v1", "with": given}], {"octo/blocks@v1": "octo/blocks@v1"})
        return job, job.steps["agent"]["outcome"], job.steps["agent"]["outputs"]

    return run


# The search path that a container engine sets in a container.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ROOT_RIGHTS = [] if os.getuid() == 0 else ["sudo", "--non-interactive"]


def chroot(root, command, user=None, environment=None):
    """Returns the command line that runs a command as in a container: in another root, with only this environment."""
    variables = {"PATH": SEARCH_PATH, "HOME": "/root", **(environment or {})}
    users = [f"--userspec={user}"] if user else []
    assignments = [f"{name}={value}" for name, value in variables.items()]
    # `env` is started outside the new root, because that root may contain only the command.
    return [*ROOT_RIGHTS, "env", "-i", *assignments, "/usr/sbin/chroot", *users, root, *command]


def add_null_device(root):
    """Adds the null device that every container has."""
    (root / "dev").mkdir()
    subprocess.run([*ROOT_RIGHTS, "mknod", "--mode=666", root / "dev/null", "c", "1", "3"], check=True)


def busybox_root(root):
    """Creates a root folder like that of the image `busybox:musl`, from Debian's static busybox."""
    for name in ("bin", "tmp", "root", "etc"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    add_null_device(root)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    applets = subprocess.run(["/bin/busybox", "--list"], text=True, capture_output=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    return root
