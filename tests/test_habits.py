"""What a project keeps beside its code: changelog, citation, hooks, workflows, releases; and what a newcomer does."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import yaml

import backsight
from documents import ROOT

GIT = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}


def read(name):
    return (ROOT / name).read_text()


def read_yaml(name):
    return yaml.safe_load(read(name))


def test_the_version_is_the_same_everywhere():
    assert f'\nversion = "{backsight.__version__}"\n' in read("pyproject.toml")
    assert read_yaml("CITATION.cff")["version"] == backsight.__version__


def test_types_are_shipped():
    assert (Path(backsight.__file__).parent / "py.typed").exists()
    assert "Typing :: Typed" in read("pyproject.toml")


def test_the_licence_is_the_one_that_is_named():
    assert read("LICENSE").startswith("MIT License")
    assert 'license = "MIT"' in read("pyproject.toml")
    assert read_yaml("CITATION.cff")["license"] == "MIT"


def test_the_citation_has_what_the_format_asks_for():
    citation = read_yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "type", "version", "date-released"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert isinstance(citation["date-released"], date)
    assert all({"name"} == set(author) or {"family-names"} <= set(author) for author in citation["authors"])


def changelog_problems(text):
    """What is wrong with a changelog: its headings, their order, or sections that say nothing."""
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    problems = [h for h in headings if not re.fullmatch(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", h)]
    versions = [tuple(map(int, v.split("."))) for v in re.findall(r"^## \[(\d+\.\d+\.\d+)\]", text, re.MULTILINE)]
    problems += [] if headings[:1] == ["[Unreleased]"] else ["[Unreleased] does not come first"]
    problems += [] if versions == sorted(set(versions), reverse=True) else ["versions are not in order"]
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    problems += [k for k in re.findall(r"^### (.*)$", text, re.MULTILINE) if k not in kinds]
    problems += [s for s in re.split(r"^### ", text, flags=re.MULTILINE)[1:] if not re.search(r"^- ", s, re.MULTILINE)]
    return problems


def test_the_changelog_keeps_its_form():
    assert changelog_problems(read("CHANGELOG.md")) == []
    planted = "## [0.1.0] - 2026-01-01\n### News\n\n## [0.2.0] - soon\n"
    assert len(changelog_problems(planted)) == 5


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda p: p.name)
def test_issue_templates_are_forms(path):
    form = yaml.safe_load(path.read_text())
    if path.name == "config.yml":
        assert set(form) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= set(form)
    names = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert names
    assert len(names) == len(set(names))
    for field in form["body"]:
        assert field["type"] in {"textarea", "input", "dropdown", "checkboxes", "markdown"}
        assert field["attributes"].get("label") or field["attributes"].get("value")


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda p: p.name)
def test_workflows_name_things_that_are_there(path):
    workflow = yaml.safe_load(path.read_text())
    assert {"name", "permissions", "jobs", True} <= set(workflow)  # YAML reads "on" as true
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    for job in workflow["jobs"].values():
        assert {"runs-on", "steps"} <= set(job)
        assert set([job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])) <= set(
            workflow["jobs"]
        )
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert "uses" not in step or re.fullmatch(r"[\w./-]+@[\w./-]+", step["uses"])
            if step.get("run", "").startswith("make "):
                assert set(step["run"].split()[1:]) <= targets


def test_wheels_are_made_for_three_systems_and_every_python_is_tested():
    wheels, tests = (read_yaml(f".github/workflows/{name}.yml") for name in ("wheels", "tests"))
    systems = wheels["jobs"]["wheels"]["strategy"]["matrix"]["os"]
    assert {name.partition("-")[0] for name in systems} == {"ubuntu", "macos", "windows"}
    promised = re.findall(r"Programming Language :: Python :: (3\.\d+)", read("pyproject.toml"))
    assert tests["jobs"]["tests"]["strategy"]["matrix"]["python"] == promised


def test_hooks_fetch_nothing_and_run_what_make_check_runs():
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    tools = {hook["entry"].split()[0] for hook in repository["hooks"]}
    assert tools >= {"ruff", "mypy"}
    for tool in tools - {"python"}:
        assert f"$(BIN)/{tool}" in read("Makefile")


@pytest.fixture
def repository(tmp_path):
    """A copy of this tree as a repository of its own, with nothing uncommitted."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("this is no clone: releases are made from one")
    folder = tmp_path / "repository"
    for name in filter(None, git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return folder


def git(folder, *arguments):
    run = subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **GIT}, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def release(folder, *arguments):
    """Run the release script without a compiler, which takes half a minute for all copies of the kernels."""
    return subprocess.run(
        [sys.executable, "scripts/release", *arguments],
        cwd=folder,
        env={**os.environ, **GIT, "CXX": "/bin/false", "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_release_that_is_only_tried_changes_nothing(repository):
    before = git(repository, "rev-parse", "HEAD")
    tried = release(repository, "9.1.0", "--dry-run")
    assert tried.returncode == 0, tried.stderr
    wheel, sdist = re.findall(r"backsight-\S+", tried.stdout)
    assert (wheel, sdist) == ("backsight-9.1.0-py3-none-any.whl", "backsight-9.1.0.tar.gz")
    assert git(repository, "status", "--porcelain") == ""
    assert (git(repository, "rev-parse", "HEAD"), git(repository, "tag")) == (before, "")


def test_a_release_commits_and_tags(repository, monkeypatch):
    script = runpy.run_path(str(repository / "scripts" / "release"))
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    script["finish"](script["check"]("9.1.0"), [repository / "LICENSE"], "9.1.0")
    assert git(repository, "tag") == "v9.1.0"
    assert git(repository, "status", "--porcelain") == ""
    assert [p.name for p in (repository / "dist").iterdir()] == ["LICENSE"]
    for name, says in [("src/backsight/__init__.py", '__version__ = "9.1.0"'), ("CITATION.cff", "version: 9.1.0")]:
        assert says in (repository / name).read_text()
    changelog = (repository / "CHANGELOG.md").read_text()
    assert re.search(r"## \[Unreleased\]\n\n## \[9\.1\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- ", changelog)
    assert changelog_problems(changelog) == []
    assert "nothing under [Unreleased]" in release(repository, "9.2.0").stderr


def test_releases_are_refused(repository):
    for version, why in [("next", "no version"), ("0.0.1", "does not come after")]:
        run = release(repository, version)
        assert run.returncode == 2
        assert why in run.stderr
    page = repository / "docs" / "commands.md"
    page.write_text(page.read_text() + "more\n")
    assert "not clean" in release(repository, "9.0.0").stderr
    git(repository, "commit", "--quiet", "--all", "--message", "stale")
    assert "not up to date" in release(repository, "9.0.0").stderr


def test_a_newcomer_gets_a_report_with_what_the_readme_says():
    """The whole of it, installation included, takes minutes: scripts/newcomer."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["bash", str(ROOT / "scripts" / "newcomer"), "--here"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "backsight audit sales.csv --target units" in run.stdout
    assert re.search(r"^newcomer: a report of \d{5,} bytes$", run.stdout, re.MULTILINE)
