"""Tests of the Dockerfile, which is executed in empty root folders, because the tests have no Docker engine.

The content of a base image comes from Debian's packages, and everything else from the Dockerfile. Building and running
with an engine is not tested."""

import json
import platform
import re
import shlex
import shutil
import socket
import subprocess
import urllib.request

import pytest

from conftest import DRY_RUN, ROOT_RIGHTS, SEARCH_PATH, VERSION, add_null_device, busybox_root, chroot
from runner import ROOT


def certificates(root):
    (root / "etc/ssl/certs").mkdir(parents=True)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs")


def scratch(root):
    root.mkdir()


BASES = {"alpine:3.22": certificates, "busybox:1.37-musl": busybox_root, "scratch": scratch}


class Image:
    """One stage of the Dockerfile: its root folder, and the settings with which its container starts."""

    def __init__(self, root):
        self.root, self.environment, self.user, self.folder = root, {}, "0:0", "/"
        self.entrypoint, self.command = [], []

    def start(self, *arguments):
        """Returns the command line of a container with these arguments, or else with the image's own arguments."""
        command = [*self.entrypoint, *(arguments or self.command)]
        # A container engine looks the command up in the image's PATH.
        for place in self.environment.get("PATH", SEARCH_PATH).split(":"):
            if (self.root / place.lstrip("/") / command[0]).exists():
                command[0] = f"{place}/{command[0]}"
                break
        return chroot(self.root, command, user=self.user, environment=self.environment)


def build(folder, architecture):
    """Builds the stages of the Dockerfile, and returns them by name. The last stage has no name: its key is `None`."""
    context, stages, current = DRY_RUN / "source", {}, None
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction, rest = line.split(None, 1)
        rest = rest.replace("${TARGETARCH}", architecture)
        if instruction == "FROM":
            base, _, name = rest.partition(" AS ")
            current = stages[name or None] = Image(folder / (name or "last"))
            BASES[base](current.root)
        elif instruction == "COPY":
            words = shlex.split(rest)
            options = dict(word[2:].split("=") for word in words if word.startswith("--"))
            source, target = [word for word in words if not word.startswith("--")]
            origin = stages[options.pop("from")].root if "from" in options else context
            owner = options.pop("chown", "0:0")
            assert not options
            place = current.root / target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (origin / source.lstrip("/")).is_dir() else shutil.copy
            copy(origin / source.lstrip("/"), place)
            subprocess.run([*ROOT_RIGHTS, "chown", "-R", owner, place], check=True)
        elif instruction == "ENV":
            current.environment.update(word.split("=", 1) for word in shlex.split(rest))
        elif instruction == "WORKDIR":
            assert (current.root / rest.lstrip("/")).is_dir()
        elif instruction == "USER":
            current.user = rest
        elif instruction in ("ENTRYPOINT", "CMD"):
            setattr(current, {"ENTRYPOINT": "entrypoint", "CMD": "command"}[instruction], json.loads(rest))
        else:
            assert instruction in ("ARG", "EXPOSE"), f"the test does not know {instruction}"
    return stages


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    # The image's user must have access to the image's root folder.
    for parent in (folder, folder.parent):
        parent.chmod(0o755)
    stages = build(folder, {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()])
    for image in stages.values():
        if not (image.root / "dev").exists():
            add_null_device(image.root)
    return stages


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_the_image_has_command_and_certificates_only(stages):
    files = {str(path.relative_to(stages[None].root)) for path in stages[None].root.rglob("*") if path.is_file()}
    assert files == {"usr/local/bin/blocks", "etc/ssl/certs/ca-certificates.crt"}


def test_the_mock_starts_as_an_unprivileged_user(stages):
    image, port = stages[None], free_port()
    assert image.command == ["mock", "--listen", "0.0.0.0", "--port", "8765", "--control"]
    arguments = [str(port) if word == "8765" else word for word in image.command]
    process = subprocess.Popen(image.start(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        # The mock listens once it has printed two lines.
        lines = process.stdout.readline() + process.stdout.readline()
        assert "BLOCKS_API_KEY" in lines, process.stderr.read()
        users = subprocess.run(["ps", "-o", "uid=,gid=,comm=", "-C", "blocks"], text=True, capture_output=True).stdout
        assert "65532 65532 blocks" in [" ".join(line.split()) for line in users.splitlines()]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/rest/v1/sessions", b'{"agent_name":"claude","message":"Go."}',
            {"Authorization": "ApiKey test-key", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as response:
            session = json.load(response)["id"]
        # A job that uses a service container also calls the mock's control plane.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_mock/sessions", timeout=10) as response:
            assert [item["id"] for item in json.load(response)["items"]] == [session]
    finally:
        subprocess.run([*ROOT_RIGHTS, "kill", str(process.pid)])
        process.wait()


def test_a_container_runs_a_given_command(stages):
    result = subprocess.run(stages[None].start("--version"), text=True, capture_output=True)
    assert result.stdout == f"blocks {VERSION}\n", result.stderr


@pytest.mark.parametrize("name", [None, "shell"])
@pytest.mark.parametrize(("place", "code"), [("/home/blocks", 0), ("/", 1), ("/usr/local", 1)])
def test_only_the_home_can_be_written(stages, name, place, code):
    command = [] if stages[name].entrypoint else ["blocks"]
    result = subprocess.run(stages[name].start(*command, "man", "--output-dir", place), capture_output=True, text=True)
    assert result.returncode == code, result.stderr


def test_a_job_of_gitlab_finds_a_shell(stages):
    script = 'test "$(id -u)" = 65532 && blocks --version && printf %s "$HOME"'
    result = subprocess.run(stages["shell"].start("sh", "-c", script), text=True, capture_output=True)
    assert result.stdout == f"blocks {VERSION}\n/home/blocks", result.stderr
