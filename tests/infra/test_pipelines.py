"""The CI definitions: nothing more permitted than needed, nothing of others unpinned, no stored key."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
CIRCLE = ROOT / ".circleci/config.yml"
KEYS = re.compile(r"AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|\bsecrets\.|aws-access-key-id")

each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    # By YAML 1.1 the key "on" is true.
    return {"on" if key is True else key: value for key, value in yaml.safe_load(path.read_text()).items()}


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in load(path)["jobs"].values():
        yield from job.get("steps", [])


@each_workflow
def test_a_workflow_may_only_read_but_where_it_says(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        allowed = {"contents": "read"} | ({"id-token": "write"} if name == "deliver" else {})
        assert job.get("permissions", {"contents": "read"}) == allowed


@each_workflow
def test_what_comes_from_others_cannot_start_a_workflow_with_rights(path: Path) -> None:
    workflow = load(path)
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(workflow["on"])
    for job in workflow["jobs"].values():
        if "id-token" in job.get("permissions", {}):
            assert "github.ref == 'refs/heads/main'" in job["if"]
            assert "pull_request" not in workflow["on"] or "github.event_name == 'push'" in job["if"]


@each_workflow
def test_actions_are_pinned_by_commit(path: Path) -> None:
    for line in path.read_text().splitlines():
        if (match := re.search(r"uses:\s*(\S+)(.*)", line)) and not match[1].startswith("./"):
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", match[1]), line
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", match[2]), line


def test_an_action_has_one_commit_everywhere() -> None:
    pins: dict[str, str] = {}
    for path in WORKFLOWS:
        for name, commit in re.findall(r"uses:\s*([\w.-]+/[\w./-]+)@([0-9a-f]{40})", path.read_text()):
            assert pins.setdefault(name, commit) == commit


@pytest.mark.parametrize("path", [*WORKFLOWS, CIRCLE], ids=lambda path: path.stem)
def test_no_key_is_stored(path: Path) -> None:
    assert not KEYS.search(path.read_text())


@each_workflow
def test_no_text_of_others_becomes_a_command(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", ""), step


@each_workflow
def test_a_checkout_leaves_no_token_behind(path: Path) -> None:
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_workflow
def test_every_job_ends_some_time(path: Path) -> None:
    for name, job in load(path)["jobs"].items():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 120, name


def test_github_gets_its_session_after_everything_that_it_runs_of_the_repository_was_tried() -> None:
    texts = [step.get("run", step.get("uses", "")) for step in steps(ROOT / ".github/workflows/deliver.yml")]
    order = ["infra/build_images.sh", "infra/try_image.sh", "configure-aws-credentials", "infra push", "infra update"]
    places = [next(index for index, text in enumerate(texts) if part in text) for part in order]
    assert places == sorted(places)
    assert "--only jobs" in texts[places[-1]]
    assert "--stack-role" in texts[places[-1]]


def test_delivery_waits_for_tests_templates_and_images() -> None:
    ci = load(ROOT / ".github/workflows/ci.yml")["jobs"]
    assert set(ci["deliver"]["needs"]) == set(ci) - {"deliver"} == {"test", "templates", "images"}
    delivery = load(CIRCLE)["workflows"]["delivery"]["jobs"]
    named = {
        name: job
        for entry in delivery
        if isinstance(entry, dict)
        for job in entry.values()
        for name in [job.get("name")]
    }
    assert set(named["deliver-dev"]["requires"]) == {"test", "templates", "images"}
    assert named["deliver-prod"]["requires"] == ["approve"]
    assert all(named[name]["filters"] == {"branches": {"only": "main"}} for name in ("deliver-dev", "deliver-prod"))


def test_both_services_run_the_same_commands() -> None:
    pattern = r"(\.ci/run|make checkov|infra/build_images\.sh|infra/try_image\.sh|-m infra \w+)"
    github = {name for path in WORKFLOWS for name in re.findall(pattern, path.read_text())}
    assert github == set(re.findall(pattern, CIRCLE.read_text()))
    for script in ("infra/build_images.sh", "infra/try_image.sh", ".ci/run"):
        assert (ROOT / script).stat().st_mode & 0o111


def test_the_images_that_are_built_are_in_the_dockerfile() -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\w+)", (ROOT / "containers/Dockerfile").read_text(), re.MULTILINE))
    (built,) = re.findall(r"for target in ([\w ]+); do", (ROOT / "infra/build_images.sh").read_text())
    assert set(built.split()) <= targets


def test_circleci_runs_nothing_of_others() -> None:
    assert "orbs" not in load(CIRCLE)
