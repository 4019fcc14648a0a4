"""One stack: its changes shown and made, waited for, and a failure told in one line."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.templates import Stack
from lfcore.errors import SettingsError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef

PAUSE_S = 5.0
CHANGE_SET_S = 300.0
CANCELLED = "cancelled"
NEVER_MADE = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
EMPTY_AGAIN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
"""After a first deployment that failed: such a stack can be removed, and nothing else."""


@dataclass(frozen=True)
class Deployer:
    """Makes, changes and removes stacks.

    ``tell`` takes lines for the user. ``may`` is asked, with a question, before a stack is changed; a no ends all with
    ``SettingsError``. ``tags`` go to every resource that takes tags.
    """

    client: "CloudFormationClient"
    prefix: str
    tell: Callable[[str], None]
    may: Callable[[str], bool]
    tags: Mapping[str, str] = field(default_factory=dict)
    pause_s: float = PAUSE_S

    def full_name(self, stack: Stack) -> str:
        """The stack's name in the account."""
        return f"{self.prefix}-{stack.name}"

    def find(self, stack: Stack) -> "StackTypeDef | None":
        """The stack as AWS describes it, or nothing when it was never made or is gone."""
        try:
            found = self.client.describe_stacks(StackName=self.full_name(stack))["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return found[0] if found and found[0]["StackStatus"] not in NEVER_MADE else None

    def outputs(self, stack: Stack) -> dict[str, str]:
        """What the stack says of itself; empty when it is not there."""
        found = self.find(stack)
        return {entry["OutputKey"]: entry["OutputValue"] for entry in found.get("Outputs", [])} if found else {}

    def put(self, stack: Stack, values: Mapping[str, str], role: str | None = None) -> None:
        """Make the stack or bring it up to date, by a change set that is shown first.

        ``values`` may hold more than the template declares; what it declares and ``values`` lack keeps its value.
        Raises ``SettingsError`` when a value is missing or the user says no, ``UnavailableError`` when AWS fails.
        """
        name = self.full_name(stack)
        found = self.find(stack)
        if found and found["StackStatus"] in EMPTY_AGAIN:
            self.tell(f"{name}: its first deployment failed; removing what is left of it")
            self.remove(stack)
            found = None
        change_set = f"change-{uuid.uuid4().hex}"
        options: dict[str, Any] = {"RoleARN": role} if role else {}
        self.client.create_change_set(
            StackName=name,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if found else "CREATE",
            TemplateBody=stack.body,
            Parameters=self._parameters(stack, values, found),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in self.tags.items()],
            **options,
        )
        changes = self._changes(name, change_set)
        if changes is None:
            self.client.delete_change_set(StackName=name, ChangeSetName=change_set)
            self.tell(f"{name}: no changes")
            return
        self._show(stack, name, changes)
        if not self.may(f"Change {name}?"):
            self.client.delete_change_set(StackName=name, ChangeSetName=change_set)
            raise SettingsError(f"{name}: left as it is; nothing after it was changed either")
        before = self._event_ids(name)
        self.client.execute_change_set(StackName=name, ChangeSetName=change_set)
        self._wait(stack, name, before)

    def remove(self, stack: Stack) -> None:
        """Remove the stack and wait until it is gone."""
        name = self.full_name(stack)
        found = self.find(stack)
        if not found:
            self.tell(f"{name}: not there")
            return
        before = self._event_ids(name)
        # By its id a stack can be asked after when it is gone.
        self.client.delete_stack(StackName=found.get("StackId", name))
        self._wait(stack, name, before)

    def _parameters(
        self, stack: Stack, values: Mapping[str, str], found: "StackTypeDef | None"
    ) -> "list[ParameterTypeDef]":
        before = {entry["ParameterKey"]: entry["ParameterValue"] for entry in (found["Parameters"] if found else [])}
        known = {**before, **values}
        given: list[ParameterTypeDef] = []
        for key, declared in stack.template["Parameters"].items():
            if key in known:
                given.append({"ParameterKey": key, "ParameterValue": known[key]})
            elif "Default" not in declared:
                raise SettingsError(f"{self.full_name(stack)}: {key} has no value; add it to the parameters")
        return given

    def _changes(self, name: str, change_set: str) -> list[dict[str, Any]] | None:
        """What would happen to each resource; none at all where nothing differs, outputs and tags included."""
        deadline = time.monotonic() + CHANGE_SET_S
        while True:
            answer = self.client.describe_change_set(StackName=name, ChangeSetName=change_set)
            reason = answer.get("StatusReason", "")
            if answer["Status"] == "FAILED":
                if "didn't contain changes" in reason or "No updates" in reason:
                    return None
                raise UnavailableError(f"{name}: AWS refuses the changes: {reason or 'no reason given'}")
            if answer["Status"].endswith("_COMPLETE"):
                return [dict(change["ResourceChange"]) for change in answer.get("Changes", [])]
            if time.monotonic() > deadline:
                raise UnavailableError(f"{name}: its changes were not worked out in {CHANGE_SET_S:.0f} s; run again")
            time.sleep(self.pause_s)

    def _show(self, stack: Stack, name: str, changes: list[dict[str, Any]]) -> None:
        self.tell(f"{name}: {len(changes)} resources change")
        for change in changes:
            replaced = " REPLACED" if change.get("Replacement") == "True" else ""
            self.tell(f"  {change['Action']:<7} {change['LogicalResourceId']} ({change['ResourceType']}){replaced}")
            if stack.holds_data and (replaced or change["Action"] == "Remove"):
                raise SettingsError(
                    f"{name}: {change['LogicalResourceId']} holds data and would be lost; nothing was changed"
                )

    def _event_ids(self, name: str) -> set[str]:
        try:
            return {event["EventId"] for event in self.client.describe_stack_events(StackName=name)["StackEvents"]}
        except ClientError:
            return set()

    def _wait(self, stack: Stack, name: str, before: set[str]) -> None:
        while True:
            # Right after the request the stack may still show the state of before.
            time.sleep(self.pause_s)
            found = self.find(stack)
            status = found["StackStatus"] if found else "DELETE_COMPLETE"
            if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"):
                self.tell(f"{name}: {status}")
                return
            if status.endswith(("_FAILED", "ROLLBACK_COMPLETE")):
                raise UnavailableError(f"{name}: {status}: {self._first_failure(name, before)}")

    def _first_failure(self, name: str, before: set[str]) -> str:
        """What failed first, in words; what was cancelled because of it is left out."""
        events = self.client.describe_stack_events(StackName=name)["StackEvents"]
        for event in reversed(events):
            reason = " ".join(event.get("ResourceStatusReason", "").split())
            failed = event.get("ResourceStatus", "").endswith("_FAILED") and event["EventId"] not in before
            if failed and reason and CANCELLED not in reason.lower():
                return f"{event.get('LogicalResourceId')} ({event.get('ResourceType')}): {reason}"
        return "AWS gives no reason; look at the stack's events in the console"
