"""What contributors and package indexes read: version, metadata, citation, forms, hooks and workflows."""

from __future__ import annotations

import ast
import datetime as dt
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import netdissect
from netdissect.results.citation import PAPER

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = [path for path in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"]
#: Permissions that a job may have besides reading the repository, by workflow and job.
PERMISSIONS = {
    ("docs", "publish"): {"pages": "write", "id-token": "write"},
    ("release", "publish"): {"id-token": "write"},
}
#: Actions that workflows may use, each pinned to a major version.
ACTIONS = {
    "actions/checkout@v4", "actions/setup-python@v5", "actions/upload-artifact@v4", "actions/download-artifact@v4",
    "actions/upload-pages-artifact@v3", "actions/deploy-pages@v4", "pypa/gh-action-pypi-publish@release/v1",
}  # fmt: skip


def read_yaml(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_changelog_has_this_version_below_the_unreleased_changes():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    versions = [heading.split(" - ") for heading in headings[1:]]
    assert netdissect.__version__ in [version for version, _ in versions]
    for _, date in versions:
        dt.date.fromisoformat(date)


def test_the_citation_file_is_valid_and_agrees_with_the_package_and_its_reports():
    citation = read_yaml(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "type", "license", "version"} <= set(citation)
    assert citation["version"] == netdissect.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["authors"] == project["authors"]
    assert citation["license"] == project["license"]
    assert citation["keywords"][0] in project["keywords"]
    for one in citation["references"]:
        assert {"type", "title", "authors", "year", "doi"} <= set(one)
        assert all(set(author) == {"family-names", "given-names"} for author in one["authors"])
    paper = citation["references"][0]
    names = " and ".join(f"{author['family-names']}, {author['given-names']}" for author in paper["authors"])
    for value in (paper["title"], names, paper["collection-title"], str(paper["year"])):
        assert f"= {{{value}}}" in PAPER


def test_the_build_takes_the_version_from_the_package_and_the_addresses_from_the_environment():
    pytest.importorskip("hatchling")
    script = (
        "from hatchling.metadata.core import ProjectMetadata; from hatchling.plugin.manager import PluginManager; "
        "found = ProjectMetadata('.', PluginManager()); print(found.version); print(found.core.urls)"
    )
    for repository, names in (
        ("", {"Paper"}),
        ("https://host/a/b/", {"Paper", "Source", "Issues", "Documentation", "Changelog"}),
    ):
        lines = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True,
            env={"NETDISSECT_REPOSITORY": repository, "PATH": "/usr/bin:/bin"},
        ).stdout.splitlines()  # fmt: skip
        urls = ast.literal_eval(lines[1])
        assert lines[0] == netdissect.__version__
        assert set(urls) == names
        assert all(url.startswith("https://host/a/b") for name, url in urls.items() if name != "Paper")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_use_pinned_actions_and_the_permissions_they_need(path):
    workflow = read_yaml(path)
    assert {"name", True, "permissions", "jobs"} <= set(workflow)  # YAML reads `on` as true
    assert workflow["name"] == path.stem
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job.get("permissions", {}) == PERMISSIONS.get((path.stem, name), {})
        assert "timeout-minutes" in job
        needs = job.get("needs", [])
        assert {needs} if isinstance(needs, str) else set(needs) <= set(workflow["jobs"])
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert step.get("uses") in ACTIONS | {None}
            assert "${{" not in step.get("run", ""), "values go through env, so that no shell reads them"
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


def test_workflows_run_tasks_that_exist():
    commands = {
        command
        for path in WORKFLOWS
        for command in re.findall(r"dev\.py (\w+)", path.read_text(encoding="utf-8"))
    }  # fmt: skip
    assert {"check", "test", "lowest", "docs", "demo"} <= commands
    tasks = set(re.findall(r'^        "(\w+)": ', (ROOT / "dev.py").read_text(encoding="utf-8"), re.MULTILINE))
    assert commands <= tasks


def test_every_python_is_tried_on_every_system():
    workflow = read_yaml(GITHUB / "workflows" / "tests.yml")["jobs"]
    matrix = workflow["systems"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f">={matrix['python'][0]}" == project["requires-python"]
    tried = {name.rpartition(" ")[2] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)}
    assert tried <= set(matrix["python"])


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_forms(path):
    form = read_yaml(path)
    assert {"name", "description", "body"} <= set(form)
    names = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert names
    assert len(set(names)) == len(names)
    for field in form["body"]:
        assert field["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert "value" in field["attributes"] if field["type"] == "markdown" else "label" in field["attributes"]
    if path.stem != "feature":
        assert "netdissect doctor" in [field["attributes"].get("label") for field in form["body"]]


def test_dependabot_looks_at_actions_and_libraries():
    found = read_yaml(GITHUB / "dependabot.yml")
    assert found["version"] == 2
    assert {one["package-ecosystem"] for one in found["updates"]} == {"github-actions", "pip"}


def test_hooks_run_the_versions_that_the_checks_run():
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    (local,) = read_yaml(ROOT / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        assert hook["language"] == "python"
        assert set(hook["additional_dependencies"]) <= set(pinned)


def test_pages_of_the_front_door_exist_and_name_the_way_in():
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for name in ("CODE_OF_CONDUCT.md", "SECURITY.md", "docs/versioning.md", "docs/extending.md"):
        assert (ROOT / name).is_file()
        assert f"]({name})" in contributing
    paths = re.findall(
        r"`((?:networks|probe_sets|results|report|cli|run|engine)/[\w/.]+|api\.py|config\.py)`", contributing
    )
    assert len(paths) > 12
    assert [path for path in paths if not (ROOT / "src" / "netdissect" / path).exists()] == []
