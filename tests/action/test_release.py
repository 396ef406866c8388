"""Tests of the checks before a release. Also tests that the workflow release.yml runs every step of the dry run."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from conftest import ARCHIVE, BLOCKS, DRY_RUN, TARGET, VERSION
from runner import ROOT

ADDRESS = "https://github.example/octo/blocks"


@pytest.fixture
def repository(tmp_path):
    """Returns a copy of the repository whose manifest names no repository address."""
    copy = tmp_path / "repository"
    copy.mkdir()
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"], cwd=ROOT,
                            check=True, text=True, capture_output=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    manifest = copy / "Cargo.toml"
    manifest.write_text(re.sub(r'^repository = ".*"$', 'repository = ""', manifest.read_text(), flags=re.MULTILINE))
    subprocess.run("git init --quiet && git add --all", shell=True, cwd=copy, check=True)
    return copy


def dry_run(repository, *address):
    command = ["bash", ".github/release.sh", "dry-run", repository.parent / "out", *address]
    return subprocess.run(command, cwd=repository, text=True, capture_output=True, timeout=120)


def edit(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(("change", "message"), [
    (lambda r: (r / "crates/blocks-sdk/guide/waiting.md").unlink(), "the package of blocks-sdk has no guide/waiting.md"),
    (lambda r: edit(r / "crates/blocks-sdk/Cargo.toml", '"guide/**", ', ""), "the package of blocks-sdk has no guide/"),
    (lambda r: (r / "crates/blocks-sdk/guide/new.md").write_text("# New\n"), "README.md does not link crates/blocks-sdk/guide/new.md"),
    (lambda r: (r / "crates/blocks-mock/LICENSE-MIT").unlink(), "the package of blocks-mock has no LICENSE-MIT"),
    (lambda r: (r / "crates/blocks-cli/LICENSE-APACHE").write_text("Another.\n"), "crates/blocks-cli/LICENSE-APACHE is not the"),
    (lambda r: edit(r / "CHANGELOG.md", f"## {VERSION} - ", "## 9.9.9 - "), f'CHANGELOG.md has no section "## {VERSION} - DATE"'),
    (lambda r: (r / "CHANGELOG.md").write_text(f"## {VERSION} - 2026-11-24\n\n## 0.0.1 - 2026-11-23\n\nOld.\n"), "is empty"),
    (lambda r: edit(r / "crates/blocks-api/Cargo.toml", "repository.workspace = true\n", ""), "the address of the repository is not set"),
    (lambda r: edit(r / "crates/blocks-cli/Cargo.toml", "version.workspace = true\nedition", 'version = "9.9.9"\nedition'),
     f"no version in common: {VERSION} 9.9.9"),
])
def test_a_dry_run_refuses_what_is_missing(repository, change, message):
    change(repository)
    result = dry_run(repository, ADDRESS)
    assert result.returncode != 0, result.stderr
    assert message in result.stderr, result.stderr
    assert not (repository.parent / "out/out").exists()


def test_a_dry_run_without_an_address_is_refused(repository):
    result = dry_run(repository)
    assert result.returncode == 1
    assert "the address of the repository is not set" in result.stderr


@pytest.mark.parametrize("address", ["octo/blocks", "http://github.example/octo/blocks", "https://github.example", f"{ADDRESS}/"])
def test_an_address_that_is_none_is_refused(repository, address):
    result = dry_run(repository, address)
    assert result.returncode == 1
    assert "the address of the repository is not set" in result.stderr


@pytest.mark.parametrize(("tag", "unreleased", "message"), [
    (f"v{VERSION}", "", ""),
    ("v9.9.9", "", "the tag is v9.9.9"),
    (VERSION, "", f"the tag is {VERSION}"),
    (f"v{VERSION}", "- New.\n", 'changes under "Unreleased"'),
])
def test_the_tag_is_the_version(repository, tag, unreleased, message):
    edit(repository / "Cargo.toml", 'repository = ""', f'repository = "{ADDRESS}"')
    changelog = repository / "CHANGELOG.md"
    changelog.write_text(f"# Changelog\n\n## Unreleased\n\n{unreleased}\n## {VERSION} - 2026-11-24\n\nThe first release.\n")
    result = subprocess.run(["bash", ".github/release.sh", "check", tag], cwd=repository, text=True, capture_output=True)
    assert (result.returncode, message in result.stderr) == (1 if message else 0, True), result.stderr


def test_a_folder_of_something_else_is_not_replaced(repository):
    (repository.parent / "out").mkdir()
    (repository.parent / "out/precious").write_text("x")
    result = dry_run(repository, ADDRESS)
    assert result.returncode == 1
    assert "not of an earlier dry run" in result.stderr
    assert (repository.parent / "out/precious").exists()


def test_the_workflow_runs_every_step_of_the_dry_run():
    script = (ROOT / ".github/release.sh").read_text()
    steps = set(re.findall(r"^  bash \.github/release\.sh (\w+)", script, re.MULTILINE))
    assert steps == {"check", "crates", "archive", "finish", "image"}
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    commands = [step.get("run", "") for job in workflow["jobs"].values() for step in job["steps"]]
    run = {name for command in commands for name in re.findall(r"\.github/release\.sh (\w+)", command)}
    assert steps - run == set()


def test_the_archives_are_for_what_the_installer_knows():
    """Checks that the release builds each target that install.sh requests."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
    built = {entry["target"] for entry in workflow["jobs"]["binaries"]["strategy"]["matrix"]["include"]}
    asked = {f"{machine}-{system}" for machine in ("x86_64", "aarch64") for system in ("unknown-linux-musl", "apple-darwin")}
    asked.add("x86_64-pc-windows-msvc")
    assert asked <= built


def test_binstall_finds_the_command_in_the_archive():
    metadata = subprocess.run(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=DRY_RUN / "source", check=True,
                              text=True, capture_output=True)
    [package] = [found for found in json.loads(metadata.stdout)["packages"] if found["name"] == "blocks-cli"]
    binstall = package["metadata"]["binstall"]
    values = {"repo": package["repository"], "version": VERSION, "target": TARGET, "archive-suffix": ".tar.gz", "bin": "blocks",
              "binary-ext": ""}

    def fill(template):
        return re.sub(r"\{ ([a-z-]+) \}", lambda match: values[match[1]], template)

    assert fill(binstall["pkg-url"]) == f"{ADDRESS}/releases/download/v{VERSION}/{ARCHIVE}"
    names = subprocess.run(["tar", "-tzf", DRY_RUN / "out" / ARCHIVE], check=True, text=True, capture_output=True).stdout.split()
    assert fill(binstall["bin-dir"]) in names
    assert binstall["pkg-fmt"] == "tgz"
    assert binstall["overrides"]["x86_64-pc-windows-msvc"] == {"pkg-fmt": "zip"}


def test_an_archive_has_everything():
    names = subprocess.run(["tar", "-tzf", DRY_RUN / "out" / ARCHIVE], check=True, text=True, capture_output=True).stdout.split()
    folder = ARCHIVE.removesuffix(".tar.gz")
    assert all(name.startswith(f"{folder}/") for name in names)
    files = {name.removeprefix(f"{folder}/") for name in names if not name.endswith("/")}
    pages = {name for name in files if name.startswith("man/")}
    help = subprocess.run([BLOCKS, "--help"], check=True, text=True, capture_output=True).stdout
    commands = re.findall(r"^  ([a-z]+)  ", help.partition("Commands:")[2].partition("Options:")[0], re.MULTILINE)
    assert pages == {"man/blocks.1", *(f"man/blocks-{name}.1" for name in commands if name != "help")}
    assert files - pages == {
        "blocks", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md", "completions/blocks.bash", "completions/blocks.elv",
        "completions/blocks.fish", "completions/_blocks", "completions/_blocks.ps1"}


def test_every_archive_is_attested_before_it_is_published():
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    steps = [step for name in ("binaries", "page") for step in jobs[name]["steps"]]
    uses = [(step["uses"].split("@")[0], step["with"].get("subject-path", step["with"].get("path")))
            for step in steps if "uses" in step and "checkout" not in step["uses"]]
    assert uses == [
        ("actions/attest-build-provenance", "out/*"),
        ("actions/upload-artifact", "out"),
        ("actions/download-artifact", "out"),
        ("actions/attest-build-provenance", "out/install.sh"),
    ]
    assert "gh release create" in steps[-1]["run"]
