"""What the deployed roles may do and may not: a simulation on the documents as CloudFormation resolves them."""

import functools
import random
import string
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from infra.stacks import Deployer
from infra.templates import STACKS, parameters
from tests.infra.policies import allowed, as_list, matches

ACCOUNT = "123456789012"
BUCKET = f"arn:aws:s3:::lightfield-dev-{ACCOUNT}-us-east-1"
BATCH = f"arn:aws:batch:us-east-1:{ACCOUNT}"
SUBJECT = "repo:lab@1/lfcore@2:environment:dev"
CIRCLE = "00000000-0000-0000-0000-000000000001"
TAGGED = {"aws:ResourceTag/lightfield:run": "manual__2026"}

Documents = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def deployed(aws: Callable[[str], Any]) -> None:
    """The stacks that hold roles, with both ways of CI, and what they import."""
    given = {
        "SubmitterHostRole": "true",
        "GitHubSubject": SUBJECT,
        "GitHubProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
        "CircleOrganisation": CIRCLE,
        "CircleProject": CIRCLE,
        "CircleProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.circleci.com/org/{CIRCLE}",
    }
    deployer = Deployer(aws("cloudformation"), "lightfield-dev", lambda _: None, lambda _: True, pause_s=0)
    for stack in STACKS:
        if stack.name in ("storage", "access", "ci"):
            deployer.put(stack, {**parameters("dev"), **given})


@pytest.fixture(scope="module")
def documents(aws: Callable[[str], Any], deployed: None) -> Documents:
    """The policy documents of a role, or of a policy, by its logical name in the templates."""
    iam = aws("iam")

    def physical(name: str) -> str:
        for stack in ("access", "ci"):
            resources = aws("cloudformation").list_stack_resources(StackName=f"lightfield-dev-{stack}")
            for entry in resources["StackResourceSummaries"]:
                if entry["LogicalResourceId"] == name:
                    return str(entry["PhysicalResourceId"])
        raise KeyError(name)

    def decoded(found: Any) -> dict[str, Any]:  # noqa: ANN401 - as moto stores it: JSON, or Python's repr of a dict
        return yaml.safe_load(found) if isinstance(found, str) else found

    def policy(arn: str) -> dict[str, Any]:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return decoded(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])

    @functools.cache
    def find(name: str) -> list[dict[str, Any]]:
        known = physical(name)
        if known.startswith("arn:"):
            return [policy(known)]
        inline = iam.list_role_policies(RoleName=known)["PolicyNames"]
        # moto attaches no policy of a template to a role of the same: the template says which.
        attached = next(
            stack.template["Resources"][name]["Properties"].get("ManagedPolicyArns", [])
            for stack in STACKS
            if name in stack.template["Resources"]
        )
        return [policy(physical(entry["Ref"])) for entry in attached] + [
            decoded(iam.get_role_policy(RoleName=known, PolicyName=each)["PolicyDocument"]) for each in inline
        ]

    return find


@pytest.mark.parametrize(
    ("action", "key", "expected"),
    [
        ("s3:GetObject", "data/fish/raw.tif", True),
        ("s3:PutObject", "data/fish/raw.tif", False),
        ("s3:DeleteObject", "data/fish/raw.tif", False),
        ("s3:PutObject", "runs/fish/run.json", True),
        ("s3:DeleteObject", "runs/fish/failures/plan.json", True),
        ("s3:PutObject", "runs/transforms/abc/plane.npz", True),
        ("s3:GetObject", "private/secret", False),
        ("s3:GetObject", "runs-of-others/x", False),
        ("s3:GetObject", "data", False),
        ("s3:PutObjectAcl", "runs/fish/run.json", False),
        # With versions kept, what a job overwrites or deletes can be had back, and no job can prevent that.
        ("s3:DeleteObjectVersion", "runs/fish/run.json", False),
    ],
)
@pytest.mark.parametrize("role", ["JobRole", "SubmitterRole"])
def test_reads_recordings_and_writes_runs(
    documents: Documents, role: str, action: str, key: str, expected: bool
) -> None:
    assert allowed(documents(role), action, f"{BUCKET}/{key}") is expected
    assert not allowed(documents(role), action, f"arn:aws:s3:::another-bucket/{key}")


def test_a_job_reads_nothing_outside_its_prefixes_whatever_the_name(documents: Documents) -> None:
    """200 random keys, seed 6."""
    generator = random.Random(6)
    for _ in range(200):
        key = "".join(generator.choices(string.ascii_lowercase + "/.-_*?", k=generator.randint(1, 30)))
        inside = key.startswith(("data/", "runs/", "scratch/"))
        assert allowed(documents("JobRole"), "s3:GetObject", f"{BUCKET}/{key}") is inside, key


@pytest.mark.parametrize(
    ("prefix", "expected"), [("data/fish/", True), ("runs", True), ("private/", False), ("", False), (None, False)]
)
def test_lists_its_prefixes_only(documents: Documents, prefix: str | None, expected: bool) -> None:
    context = {} if prefix is None else {"s3:prefix": prefix}
    assert allowed(documents("JobRole"), "s3:ListBucket", BUCKET, context) is expected


def test_a_submitter_can_ask_whether_the_bucket_is_there(documents: Documents) -> None:
    """HeadBucket is allowed by s3:ListBucket, and a request for it has no prefix."""
    assert allowed(documents("SubmitterPolicy"), "s3:ListBucket", BUCKET)
    assert not allowed(documents("SubmitterPolicy"), "s3:ListBucket", "arn:aws:s3:::another-bucket")
    assert not allowed(documents("SubmitterPolicy"), "s3:GetObject", f"{BUCKET}/data/fish/raw.tif")


@pytest.mark.parametrize(
    "action", ["batch:SubmitJob", "batch:TerminateJob", "iam:PassRole", "sts:AssumeRole", "logs:GetLogEvents"]
)
def test_a_job_can_do_nothing_but_storage(documents: Documents, action: str) -> None:
    for resource in (f"{BATCH}:job/1", f"{BATCH}:job-queue/lightfield-dev-cpu", "*", BUCKET):
        assert not allowed(documents("JobRole"), action, resource, TAGGED)


@pytest.mark.parametrize(
    ("action", "resource", "context", "expected"),
    [
        ("batch:SubmitJob", "job-queue/lightfield-dev-gpu", {}, True),
        ("batch:SubmitJob", "job-queue/lightfield-gpu", {}, False),
        ("batch:SubmitJob", "job-queue/others", {}, False),
        ("batch:SubmitJob", "job-definition/lightfield-dev", {}, True),
        ("batch:SubmitJob", "job-definition/lightfield-dev-gpu:7", {}, True),
        ("batch:SubmitJob", "job-definition/lightfield-dev-evil:1", {}, False),
        ("batch:SubmitJob", "job-definition/lightfield:1", {}, False),
        ("batch:RegisterJobDefinition", "job-definition/lightfield-dev", {}, False),
        ("batch:TerminateJob", "job/1", TAGGED, True),
        ("batch:TerminateJob", "job/1", {}, False),
        ("batch:TerminateJob", "job/1", {"aws:ResourceTag/Project": "others"}, False),
        ("batch:TerminateJob", "job/1", {"aws:ResourceTag/lightfield:run": ""}, False),
        ("batch:CancelJob", "job/1", {}, False),
        # Whoever could tag a job of others could end it next.
        ("batch:TagResource", "job/1", {"aws:RequestTag/lightfield:run": "x"}, False),
        ("batch:TagResource", "job-queue/lightfield-dev-gpu", {}, True),
        ("batch:UpdateJobQueue", "job-queue/lightfield-dev-gpu", {}, False),
        ("batch:DescribeJobs", "job/1", {}, True),
    ],
)
def test_a_submitter_touches_its_own_jobs_only(
    documents: Documents, action: str, resource: str, context: dict[str, str], expected: bool
) -> None:
    assert allowed(documents("SubmitterRole"), action, f"{BATCH}:{resource}", context) is expected


@pytest.mark.parametrize(("group", "expected"), [("/aws/batch/lightfield-dev", True), ("/aws/batch/lightfield", False)])
def test_logs_are_read_and_written_in_the_own_group_only(documents: Documents, group: str, expected: bool) -> None:
    stream = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}:log-stream:cpu/default/1"
    assert allowed(documents("SubmitterRole"), "logs:GetLogEvents", stream) is expected
    assert allowed(documents("StartRole"), "logs:PutLogEvents", stream) is expected
    assert not allowed(documents("StartRole"), "logs:DeleteLogStream", stream)


@pytest.mark.parametrize(("repository", "expected"), [("lightfield-dev", True), ("lightfield", False), ("x", False)])
def test_images_of_others_are_neither_pulled_nor_pushed(documents: Documents, repository: str, expected: bool) -> None:
    resource = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{repository}"
    assert allowed(documents("StartRole"), "ecr:BatchGetImage", resource) is expected
    assert not allowed(documents("StartRole"), "ecr:PutImage", resource)
    assert allowed(documents("DeliveryPolicy"), "ecr:PutImage", resource) is expected
    assert not allowed(documents("DeliveryPolicy"), "ecr:BatchDeleteImage", resource)


def test_ci_changes_the_stack_of_job_definitions_only(documents: Documents, aws: Callable[[str], Any]) -> None:
    for stack in STACKS:
        resource = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/lightfield-dev-{stack.name}/1"
        changes = allowed(documents("DeliveryPolicy"), "cloudformation:ExecuteChangeSet", resource)
        assert changes is (stack.name == "jobs")
        assert not allowed(documents("DeliveryPolicy"), "cloudformation:DeleteStack", resource)
    roles = {role["RoleName"]: role["Arn"] for role in aws("iam").list_roles()["Roles"]}
    passed = {"iam:PassedToService": "cloudformation.amazonaws.com"}
    allowed_roles = [
        name for name, arn in roles.items() if allowed(documents("DeliveryPolicy"), "iam:PassRole", arn, passed)
    ]
    assert len(allowed_roles) == 1
    assert "JobsStackRole" in allowed_roles[0]
    acting = documents("JobsStackRole")
    for name, expected in (("lightfield-dev:3", True), ("lightfield-dev-gpu", True), ("lightfield:3", False)):
        assert allowed(acting, "batch:RegisterJobDefinition", f"{BATCH}:job-definition/{name}") is expected
    tasks = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    given = [name for name, arn in roles.items() if allowed(acting, "iam:PassRole", arn, tasks)]
    assert sorted(given) == sorted(name for name in roles if "JobRole" in name or "StartRole" in name)


@pytest.mark.parametrize(
    ("role", "issuer", "audience", "subject", "expected"),
    [
        ("github", "token.actions.githubusercontent.com", "sts.amazonaws.com", SUBJECT, True),
        ("github", "token.actions.githubusercontent.com", "sts.amazonaws.com", SUBJECT.replace("@2", "@3"), False),
        (
            "github",
            "token.actions.githubusercontent.com",
            "sts.amazonaws.com",
            "repo:lab@1/lfcore@2:pull_request",
            False,
        ),
        ("github", "token.actions.githubusercontent.com", "others", SUBJECT, False),
        ("circle", f"oidc.circleci.com/org/{CIRCLE}", CIRCLE, f"org/{CIRCLE}/project/{CIRCLE}/user/7", True),
        ("circle", f"oidc.circleci.com/org/{CIRCLE}", CIRCLE, f"org/{CIRCLE}/project/other/user/7", False),
    ],
)
def test_ci_is_who_it_says(
    aws: Callable[[str], Any], deployed: None, role: str, issuer: str, audience: str, subject: str, expected: bool
) -> None:
    document = aws("iam").get_role(RoleName=f"lightfield-dev-{role}")["Role"]["AssumeRolePolicyDocument"]
    document = yaml.safe_load(document) if isinstance(document, str) else document
    (statement,) = document["Statement"]
    assert "sts:AssumeRoleWithWebIdentity" in as_list(statement["Action"])
    assert issuer in statement["Principal"]["Federated"]
    claims = {f"{issuer}:aud": audience, f"{issuer}:sub": subject}
    held = [
        any(matches(pattern, claims[key]) for pattern in as_list(values))
        for keys in statement["Condition"].values()
        for key, values in keys.items()
    ]
    assert len(held) == 2
    assert all(held) is expected
