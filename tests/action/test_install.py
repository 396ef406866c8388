"""Tests of install.sh in a root folder that contains only busybox, with the release of the dry run."""

import hashlib
import os
import shutil
import signal
import subprocess

import pytest

from conftest import ARCHIVE, RELEASE, VERSION, busybox_root, chroot

SCRIPT = (RELEASE / "install.sh").read_text()
FOLDER = ARCHIVE.removesuffix(".tar.gz")


def state(root):
    """Returns every file and folder with its content, except the folders `release` and `bin`."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.split("/")[0] not in ("release", "bin"):
            found[name] = path.read_bytes() if path.is_file() else None
    return found


@pytest.fixture
def root(tmp_path):
    """Returns a root folder with only busybox, and a copy of the release in /release."""
    root = busybox_root(tmp_path / "root")
    shutil.copytree(RELEASE, root / "release")
    return root


def install(root, *options):
    command = ["/bin/sh", "/release/install.sh", "--url", "/release", *options]
    return subprocess.run(chroot(root, command), text=True, capture_output=True)


def repack(root, change):
    """Changes the unpacked archive, packs it again and updates the checksum of the release."""
    subprocess.run(["tar", "-xzf", root / "release" / ARCHIVE, "-C", root / "release"], check=True)
    change(root / "release" / FOLDER)
    subprocess.run(["tar", "-czf", root / "release" / ARCHIVE, "-C", root / "release", FOLDER], check=True)
    old = hashlib.sha256((RELEASE / ARCHIVE).read_bytes()).hexdigest()
    new = hashlib.sha256((root / "release" / ARCHIVE).read_bytes()).hexdigest()
    (root / "release/install.sh").write_text(SCRIPT.replace(old, new))


def test_a_release_is_installed_in_an_empty_root(root):
    result = install(root, "--prefix", "/usr/local")
    assert (result.returncode, result.stdout) == (0, f"installed /usr/local/bin/blocks {VERSION}\n"), result.stderr
    reported = subprocess.run(chroot(root, ["/usr/local/bin/blocks", "--version"]), text=True, capture_output=True)
    assert reported.stdout == f"blocks {VERSION}\n"
    installed = {path for path, content in state(root).items() if content is not None}
    pages = {path for path in installed if "/man1/" in path}
    assert {"usr/local/share/man/man1/blocks.1", "usr/local/share/man/man1/blocks-run.1"} <= pages
    assert installed - pages == {
        "usr/local/bin/blocks",
        "usr/local/share/bash-completion/completions/blocks",
        "usr/local/share/zsh/site-functions/_blocks",
        "usr/local/share/fish/vendor_completions.d/blocks.fish",
        "usr/local/share/doc/blocks/LICENSE-APACHE",
        "usr/local/share/doc/blocks/LICENSE-MIT",
    }
    # No temporary file is left.
    assert list((root / "tmp").iterdir()) == []


def test_a_release_pins_version_and_checksum():
    digest = hashlib.sha256((RELEASE / ARCHIVE).read_bytes()).hexdigest()
    assert f"\nversion={VERSION}\n" in SCRIPT
    assert "\nrepository=https://github.example/octo/blocks\n" in SCRIPT
    assert f"\nchecksums='{digest}  {ARCHIVE}'\n" in SCRIPT


def test_an_archive_of_other_content_is_refused(root):
    (root / "release" / ARCHIVE).write_bytes((RELEASE / ARCHIVE).read_bytes()[:-1])
    # A matching list of checksums beside the archive changes nothing, because the script contains
    # its own checksums.
    digest = hashlib.sha256((root / "release" / ARCHIVE).read_bytes()).hexdigest()
    (root / "release/SHA256SUMS").write_text(f"{digest}  {ARCHIVE}\n")
    before = state(root)
    result = install(root, "--prefix", "/usr/local")
    assert result.returncode == 1
    assert f"has the SHA-256 {digest} instead of" in result.stderr
    assert state(root) == before


def remove_page(folder):
    (folder / "man/blocks.1").unlink()
    (folder / "completions/blocks.fish").unlink()


def replace_program(folder):
    (folder / "blocks").write_text("#!/bin/sh\necho blocks 9.9.9\n")


def break_program(folder):
    (folder / "blocks").write_bytes(b"\x7fELF of another machine")


@pytest.mark.parametrize(("change", "message"), [
    (remove_page, "has no completions/blocks.fish"),
    (replace_program, "says blocks 9.9.9 instead of"),
    (break_program, "does not run on this machine"),
])
def test_a_damaged_archive_leaves_nothing(root, change, message):
    repack(root, change)
    before = state(root)
    result = install(root, "--prefix", "/usr/local")
    assert result.returncode == 1, result.stderr
    assert message in result.stderr, result.stderr
    assert state(root) == before


@pytest.mark.parametrize("blocked", ["opt/share/zsh", "opt/bin", "opt"])
def test_a_place_that_cannot_be_used_leaves_nothing(root, blocked):
    (root / blocked).parent.mkdir(parents=True, exist_ok=True)
    (root / blocked).write_text("a file\n")
    before = state(root)
    result = install(root, "--prefix", "/opt")
    assert result.returncode != 0
    assert state(root) == before


def test_a_folder_in_place_of_the_command_is_kept(root):
    (root / "opt/bin/blocks").mkdir(parents=True)
    before = state(root)
    result = install(root, "--prefix", "/opt")
    assert result.returncode == 1
    assert "/opt/bin/blocks is a folder" in result.stderr
    assert state(root) == before


def test_a_failed_update_keeps_the_old_version(root):
    assert install(root, "--prefix", "/opt").returncode == 0
    (root / "opt/bin/blocks").write_text("the old one\n")
    before = state(root)
    repack(root, remove_page)
    assert install(root, "--prefix", "/opt").returncode == 1
    assert state(root) == before


def test_an_interrupted_download_leaves_nothing(root):
    before = state(root)
    (root / "release" / ARCHIVE).unlink()
    os.mkfifo(root / "release" / ARCHIVE)
    command = chroot(root, ["/bin/sh", "/release/install.sh", "--url", "/release", "--prefix", "/opt"])
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)
    # The archive is a named pipe, so this `open` returns once the script reads the archive.
    with open(root / "release" / ARCHIVE, "wb") as archive:
        archive.write(b"x")
        archive.flush()
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode != 0
    assert state(root) == before


def test_a_script_that_was_cut_does_nothing(tmp_path):
    lines = SCRIPT.splitlines(keepends=True)
    assert lines[-1] == 'main "$@"\n'
    home = tmp_path / "home"
    home.mkdir()
    for length in range(1, len(lines)):
        (tmp_path / "cut.sh").write_text("".join(lines[:length]))
        subprocess.run(["dash", tmp_path / "cut.sh", "--url", RELEASE], env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
                       capture_output=True)
        assert list(home.iterdir()) == [], f"after {length} lines"


@pytest.mark.parametrize(("options", "code", "message"), [
    (["--url", "http://example.com"], 2, "only https://, file:// or a folder"),
    (["--url", "/nowhere"], 1, f"cannot download /nowhere/{ARCHIVE}"),
    (["--prefix"], 2, "--prefix needs a value"),
    (["--colour", "red"], 2, "unknown option --colour"),
    (["--attestation", "perhaps"], 2, "auto, require or skip"),
    (["--attestation", "require"], 1, "gh is not installed"),
    (["--version", "9.9.9"], 1, "cannot download /release/blocks-v9.9.9-"),
])
def test_options_that_cannot_be_used_leave_nothing(root, options, code, message):
    before = state(root)
    result = install(root, *options)
    assert (result.returncode, message in result.stderr) == (code, True), result.stderr
    assert state(root) == before


@pytest.mark.parametrize(("options", "home"), [([], None), ([], ""), (["--prefix", ""], "/root")])
def test_a_missing_prefix_is_asked_for(root, options, home):
    before = state(root)
    command = chroot(root, ["/bin/sh", "/release/install.sh", "--url", "/release", *options])
    command = [part for part in command if part != "HOME=/root"] if home is None else command
    command = [f"HOME={home}" if part == "HOME=/root" else part for part in command]
    result = subprocess.run(command, text=True, capture_output=True)
    assert (result.returncode, "give --prefix FOLDER" in result.stderr) == (2, True), result.stderr
    assert state(root) == before


def installers(tmp_path, prefix, count=1, environment=None, url=RELEASE):
    """Starts several installers at the same time with dash, and returns the exit codes and the messages."""
    variables = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **(environment or {})}
    command = ["dash", RELEASE / "install.sh", "--url", url, "--prefix", prefix]
    started = [subprocess.Popen(command, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
               for _ in range(count)]
    outputs = [process.communicate(timeout=60)[0] for process in started]
    return [process.returncode for process in started], outputs


def test_simultaneous_runs_do_not_disturb_each_other(tmp_path):
    for attempt in range(3):
        prefix = tmp_path / str(attempt)
        codes, outputs = installers(tmp_path, prefix, 4)
        assert codes == [0] * 4, outputs
        reported = subprocess.run([prefix / "bin/blocks", "--version"], text=True, capture_output=True)
        assert reported.stdout == f"blocks {VERSION}\n"
        assert [path for path in prefix.rglob("*") if path.name.endswith(".new")] == []


def test_a_prefix_may_contain_a_backslash(tmp_path):
    prefix = tmp_path / "a\\tb\\c"
    codes, outputs = installers(tmp_path, prefix)
    assert (codes, (prefix / "bin/blocks").is_file()) == ([0], True), outputs
    assert f"installed {prefix}/bin/blocks" in outputs[0]
    assert list(tmp_path.iterdir()) == [prefix]


def test_a_missing_temporary_folder_is_named(tmp_path):
    codes, [output] = installers(tmp_path, tmp_path / "p", environment={"TMPDIR": "/nonexistent"})
    assert (codes, "install.sh: cannot create a temporary folder in /nonexistent" in output) == ([1], True), output


@pytest.mark.parametrize(("name", "limits"), [
    ("curl", ["--connect-timeout 30", "--speed-limit 1000 --speed-time 60"]), ("wget", ["-T 60 -t 3"])])
def test_a_download_has_a_time_limit(tmp_path, name, limits):
    # The folder has all commands that the script needs for this, but only one of curl and wget.
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("uname", "mktemp", "rm", "rmdir"):
        (tools / tool).symlink_to(shutil.which(tool))
    (tools / name).write_text('#!/bin/sh\necho "arguments: $*"\nexit 1\n')
    (tools / name).chmod(0o755)
    command = ["/usr/bin/dash", RELEASE / "install.sh", "--url", "https://release.example", "--prefix", tmp_path / "p"]
    result = subprocess.run(command, env={"PATH": str(tools)}, text=True, capture_output=True)
    assert result.returncode == 1
    assert [limit for limit in limits if limit not in result.stdout] == [], result.stdout


def test_a_copy_without_a_release_asks_for_one(root):
    unreleased = (RELEASE.parent / "source/install.sh").read_text()
    (root / "release/install.sh").write_text(unreleased)
    result = install(root)
    assert result.returncode == 2
    assert "give --version" in result.stderr
