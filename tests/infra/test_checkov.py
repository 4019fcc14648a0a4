"""How checkov's findings are judged; checkov itself is too heavy for the tests, and runs by ``make checkov``."""

import json

import pytest

from infra.checkov import verdict
from infra.templates import FOLDER, STACKS

FINDING = {
    "check_id": "CKV_AWS_1",
    "check_name": "Ensure something",
    "file_path": "/storage.yaml",
    "resource": "AWS::S3::Bucket.Bucket",
}
KEY = "CKV_AWS_1 storage.yaml AWS::S3::Bucket.Bucket"


@pytest.mark.parametrize(
    ("exceptions", "unread", "expected"),
    [
        ({KEY: "Because."}, [], []),
        ({}, [], [f"not listed: {KEY}: Ensure something"]),
        ({KEY: " "}, [], [f"without a reason: {KEY}"]),
        ({KEY: "Because.", "CKV_AWS_2 x": "Gone."}, [], ["listed, and not found: CKV_AWS_2 x"]),
        ({KEY: "Because."}, ["/batch.yaml"], ["not read: /batch.yaml"]),
    ],
)
def test_a_finding_needs_a_listed_reason(exceptions: dict[str, str], unread: list[str], expected: list[str]) -> None:
    report = {"results": {"failed_checks": [FINDING], "parsing_errors": unread}}
    assert verdict(report, exceptions) == expected


def test_the_listed_exceptions_are_of_resources_that_exist() -> None:
    for key, reason in json.loads((FOLDER / "checkov-exceptions.json").read_text()).items():
        _, file, resource = key.split()
        kind, name = resource.rsplit(".", 1)
        (stack,) = (stack for stack in STACKS if f"{stack.name}.yaml" == file)
        assert stack.template["Resources"][name]["Type"] == kind
        assert len(reason) > 30
