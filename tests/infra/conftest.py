"""Fixtures: an AWS of this process's own, with what moto lacks of change sets."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws
from moto.cloudformation.models import CloudFormationBackend
from moto.cloudformation.responses import CloudFormationResponse
from moto.ec2.models import EC2Backend

from infra.__main__ import main

BATCH_SERVICE_ROLE = "arn:aws:iam::123456789012:role/batch"


def _complete_change_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stacks that change sets make import, export and say their outputs, and show a change set without changes.

    moto 5.2 does the former for CreateStack only, and refuses the latter before it is a change set.
    """
    execute = CloudFormationBackend.execute_change_set

    def execute_wholly(self: CloudFormationBackend, change_set_name: str, stack_name: str | None = None) -> None:
        (change_set,) = (entry for entry in self.change_sets.values() if entry.change_set_name == change_set_name)
        stack = change_set.stack
        stack.resource_map.cross_stack_resources = self.exports
        execute(self, change_set_name, stack_name)
        stack.parameters = change_set.parameters
        stack._parse_template()
        stack.output_map = stack._create_output_map()
        for export in stack.exports:
            self.exports[export.name] = export

    monkeypatch.setattr(CloudFormationBackend, "execute_change_set", execute_wholly)
    monkeypatch.setattr(CloudFormationResponse, "_validate_different_update", lambda *_: None)


@pytest.fixture(scope="module")
def monkeypatch_of_module() -> Iterator[pytest.MonkeyPatch]:
    """Patches that hold for a module's tests."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield monkeypatch


@pytest.fixture(scope="module")
def aws(monkeypatch_of_module: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Clients of an AWS that is empty when a module's tests begin; a function from a service's name."""
    monkeypatch = monkeypatch_of_module
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    _complete_change_sets(monkeypatch)
    # moto keeps a stack's security group when the stack goes, and then does not let the network go.
    monkeypatch.setattr(EC2Backend, "delete_vpc", lambda self, vpc_id: self.vpcs.pop(vpc_id))
    with mock_aws():
        # moto does not know the service-linked role that Batch makes for itself.
        boto3.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")
        yield boto3.client


@pytest.fixture(scope="module")
def infra(aws: Callable[[str], Any], monkeypatch_of_module: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line, against that AWS; exceptions pass."""
    del aws
    import infra.__main__ as program
    from infra.templates import parameters

    monkeypatch_of_module.setattr(
        program, "parameters", lambda name: {**parameters(name), "BatchServiceRole": BATCH_SERVICE_ROLE}
    )

    def invoke(*words: str, answer: str | None = None) -> Result:
        verb, *options = words
        result = CliRunner().invoke(main, [verb, "--pause-s", "0", *options], input=answer)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke
