"""What linters do not see, asserted on the parsed templates."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.commands import COMPUTE_ENVIRONMENTS
from infra.templates import ENVIRONMENTS, FOLDER, STACKS, Stack, parameters

LARGEST_TEMPLATE_BYTES = 51_200

each_stack = pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """All resources of a type by ``stack.name``: their properties."""
    return {
        f"{stack.name}.{name}": resource["Properties"]
        for stack in STACKS
        for name, resource in stack.template["Resources"].items()
        if resource["Type"] == kind
    }


def nodes(tree: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever YAML holds
    """``tree`` and everything below it."""
    yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from nodes(child)


def imports(tree: Any) -> set[str]:  # noqa: ANN401 - whatever YAML holds
    return {
        node["Fn::ImportValue"]["Fn::Sub"]
        for node in nodes(tree)
        if isinstance(node, dict) and "Fn::ImportValue" in node
    }


def exports(stack: Stack) -> set[str]:
    outputs = stack.template.get("Outputs", {}).values()
    return {output["Export"]["Name"]["Fn::Sub"] for output in outputs if "Export" in output}


@pytest.mark.slow
def test_cfn_lint_finds_nothing() -> None:
    files = sorted(map(str, (FOLDER / "templates").glob("*.yaml")))
    regions = ["us-east-1", "eu-central-1"]
    found = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "--template", *files, "--regions", *regions],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_every_template_is_a_stack() -> None:
    assert {path.stem for path in (FOLDER / "templates").iterdir()} == {stack.name for stack in STACKS}


@each_stack
def test_cloudformation_takes_the_file(stack: Stack) -> None:
    assert len(stack.body.encode()) < LARGEST_TEMPLATE_BYTES
    # CloudFormation's YAML has no anchors, aliases and merges.
    tokens = {type(token).__name__ for token in yaml.scan(stack.body)}
    assert not tokens & {"AnchorToken", "AliasToken"}
    assert "<<:" not in stack.body


@each_stack
def test_imports_come_from_earlier_stacks(stack: Stack) -> None:
    before = set().union(*(exports(other) for other in STACKS[: STACKS.index(stack)]))
    assert imports(stack.template) <= before


def test_every_export_is_used() -> None:
    used = set().union(*(imports(stack.template) for stack in STACKS))
    assert set().union(*(exports(stack) for stack in STACKS)) == used


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_parameters_fit_what_the_templates_declare(environment: str) -> None:
    values = parameters(environment)
    declared = {key: entry for stack in STACKS for key, entry in stack.template["Parameters"].items()}
    looked_up = {"CpuImage", "GpuImage", *COMPUTE_ENVIRONMENTS}
    assert set(values) == {key for key, entry in declared.items() if "Default" not in entry} - looked_up
    for key, value in values.items():
        entry = declared[key]
        if "AllowedPattern" in entry:
            assert re.fullmatch(entry["AllowedPattern"], value), key
        if "AllowedValues" in entry:
            assert value in map(str, entry["AllowedValues"]), key
        if entry["Type"] == "Number":
            assert entry.get("MinValue", float(value)) <= float(value) <= entry.get("MaxValue", float(value)), key
    assert values["Environment"] == environment


def test_a_parameter_of_several_stacks_is_declared_alike() -> None:
    declared: dict[str, dict[str, Any]] = {}
    for stack in STACKS:
        for key, entry in stack.template["Parameters"].items():
            rules = {rule: value for rule, value in entry.items() if rule != "Description"}
            assert declared.setdefault(key, rules) == rules, key


def test_environments_share_no_name_and_no_addresses() -> None:
    first, second = map(parameters, ENVIRONMENTS)
    assert first["Prefix"] != second["Prefix"]
    assert first["NetworkBytes"] != second["NetworkBytes"]


def test_no_account_is_named() -> None:
    for path in FOLDER.rglob("*"):
        if path.suffix in (".yaml", ".json", ".py", ".sh"):
            assert not re.search(r"(?<![0-9])[0-9]{12}(?![0-9])", path.read_text()), path


def test_nothing_may_come_in_and_only_tls_may_go_out() -> None:
    assert not of_type("AWS::EC2::SecurityGroupIngress")
    for properties in of_type("AWS::EC2::SecurityGroup").values():
        assert "SecurityGroupIngress" not in properties
        assert [(rule["FromPort"], rule["ToPort"]) for rule in properties["SecurityGroupEgress"]] == [(443, 443)]
    endpoints = [properties["VpcEndpointType"] for properties in of_type("AWS::EC2::VPCEndpoint").values()]
    assert endpoints == ["Gateway"]


def test_no_part_costs_money_while_idle_by_itself() -> None:
    types = {resource["Type"] for stack in STACKS for resource in stack.template["Resources"].values()}
    assert not types & {
        "AWS::EC2::NatGateway",
        "AWS::EC2::EIP",
        "AWS::EC2::Instance",
        "AWS::KMS::Key",
        "AWS::EC2::FlowLog",
    }


def test_the_bucket_is_closed_encrypted_and_kept() -> None:
    ((name, bucket),) = of_type("AWS::S3::Bucket").items()
    assert name == "storage.Bucket"
    blocks = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    assert bucket["PublicAccessBlockConfiguration"] == dict.fromkeys(blocks, True)
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    ((_, policy),) = of_type("AWS::S3::BucketPolicy").items()
    (deny,) = policy["PolicyDocument"]["Statement"]
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "s3:*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(deny["Resource"]) == 2


def test_scratch_goes_and_data_stays() -> None:
    rules = of_type("AWS::S3::Bucket")["storage.Bucket"]["LifecycleConfiguration"]["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    assert [rule.get("Prefix") for rule in rules if "ExpirationInDays" in rule] == ["scratch/"]
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)
    assert any("NoncurrentVersionExpiration" in rule and "Prefix" not in rule for rule in rules)


def test_what_holds_data_survives_its_stack() -> None:
    for stack in STACKS:
        if stack.holds_data:
            for name, resource in stack.template["Resources"].items():
                if resource["Type"] != "AWS::S3::BucketPolicy":
                    kept = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
                    assert kept == ("Retain", "Retain"), name


def test_images_cannot_be_changed_and_do_not_pile_up() -> None:
    repository = of_type("AWS::ECR::Repository")["storage.Repository"]
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    text = repository["LifecyclePolicy"]["LifecyclePolicyText"]["Fn::Sub"].replace("${KeptImages}", "30")
    rules = json.loads(text)["rules"]
    assert [rule["selection"]["tagStatus"] for rule in sorted(rules, key=lambda rule: rule["rulePriority"])] == [
        "untagged",
        "any",
    ]


def test_every_log_ends() -> None:
    groups = of_type("AWS::Logs::LogGroup")
    assert len(groups) == 2
    assert all(group["RetentionInDays"] == {"Ref": "LogDays"} for group in groups.values())


def test_somebody_is_told() -> None:
    alarms = {name.removeprefix("watch."): properties for name, properties in of_type("AWS::CloudWatch::Alarm").items()}
    idle = {"CpuSpotIdle", "CpuOnDemandIdle", "GpuSpotIdle", "GpuOnDemandIdle"}
    assert set(alarms) == {"FailedJobsAlarm", "BlockedQueueAlarm"} | idle
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [{"Ref": "Topic"}], name
        assert alarm["TreatMissingData"] == "notBreaching", name
    rules = {name.removeprefix("watch."): rule for name, rule in of_type("AWS::Events::Rule").items()}
    assert rules["FailedJobs"]["EventPattern"]["detail"]["status"] == ["FAILED"]
    for name, rule in rules.items():
        assert alarms[f"{name}Alarm"]["Dimensions"] == [{"Name": "RuleName", "Value": {"Ref": name}}]
        assert len(rule["EventPattern"]["detail"]["jobQueue"]) == 2
    budget = of_type("AWS::Budgets::Budget")["watch.Budget"]
    kinds = [entry["Notification"]["NotificationType"] for entry in budget["NotificationsWithSubscribers"]]
    assert sorted(kinds) == ["ACTUAL", "FORECASTED"]


# AWS takes no resource for these; Batch's Describe... and List... among them.
WITHOUT_RESOURCE = {
    "batch:DescribeComputeEnvironments",
    "batch:DescribeJobDefinitions",
    "batch:DescribeJobQueues",
    "batch:DescribeJobs",
    "batch:ListJobs",
    "ec2:DescribeSpotPriceHistory",
    "ecr:GetAuthorizationToken",
    "pricing:GetProducts",
}


def identity_statements() -> list[tuple[str, dict[str, Any]]]:
    """Every statement that gives a role or user rights, with the name of what holds it."""
    found = []
    for name, properties in {**of_type("AWS::IAM::ManagedPolicy"), **of_type("AWS::IAM::Role")}.items():
        inline = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for document in [properties.get("PolicyDocument", {"Statement": []}), *inline]:
            found += [(name, statement) for statement in document["Statement"]]
    return found


def test_no_right_is_given_on_everything_but_where_aws_takes_nothing_less() -> None:
    statements = identity_statements()
    assert len(statements) > 15
    for name, statement in statements:
        assert statement["Effect"] == "Allow", name
        assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement), name
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not [action for action in actions if "*" in action or "?" in action], name
        if statement["Resource"] == "*":
            assert set(actions) <= WITHOUT_RESOURCE, name
        if "iam:PassRole" in actions:
            assert "iam:PassedToService" in statement["Condition"]["StringEquals"], name


def test_a_role_trusts_one_service_or_one_provider() -> None:
    for name, properties in of_type("AWS::IAM::Role").items():
        document = properties["AssumeRolePolicyDocument"]
        if "Fn::Sub" in document:
            document = json.loads(document["Fn::Sub"][0])
        (statement,) = document["Statement"]
        (kind,) = statement["Principal"]
        assert kind in ("Service", "Federated"), name
        assert statement["Principal"][kind] != "*", name
        # EC2 sends no account, and gives a role only to machines of its own account.
        assert "Condition" in statement or statement["Principal"] == {"Service": "ec2.amazonaws.com"}, name


def test_of_awss_own_policies_only_that_of_the_ecs_agent_is_used() -> None:
    attached = [
        policy["Fn::Sub"]
        for properties in of_type("AWS::IAM::Role").values()
        for policy in properties.get("ManagedPolicyArns", [])
        if "Fn::Sub" in policy
    ]
    agent = "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
    assert attached == [agent]
