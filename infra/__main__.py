"""``python -m infra``: deploys, updates and removes what runs on AWS."""

import sys
from collections.abc import Callable
from typing import Any

import boto3
import click
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from infra.commands import BY_NAME, Site
from infra.images import push as push_images
from infra.quotas import shortages
from infra.stacks import PAUSE_S, Deployer
from infra.templates import ENVIRONMENTS, parameters
from lfcore.errors import EXIT_UNAVAILABLE, LfcoreError

Command = Callable[..., None]


def with_site(command: Command) -> Command:
    """Options that say which account, region and environment, and whether to ask."""
    for option in (
        click.option("--pause-s", default=PAUSE_S, show_default=True, help="Seconds between two looks."),
        click.option("--yes", is_flag=True, help="Ask nothing, also where 'prod' is changed."),
        click.option("--region", help="Default: AWS_DEFAULT_REGION, or the profile's."),
        click.option("--environment", type=click.Choice(ENVIRONMENTS), required=True),
    ):
        command = option(command)
    return command


def with_changes(command: Command) -> Command:
    """Options that say what to change."""
    for option in (
        click.option("--stack-role", metavar="ARN", help="The role by which CloudFormation acts."),
        click.option("--only", type=click.Choice(list(BY_NAME)), help="This stack alone."),
        click.option("--images", metavar="COMMIT", help="The tag of the images that jobs are to use."),
    ):
        command = option(command)
    return command


@click.group()
def main() -> None:
    """What lfcore needs on AWS; docs/infrastructure.md says what it is."""


@main.command()
@with_site
@with_changes
def deploy(images: str | None, stack_role: str | None, only: str | None, **place: Any) -> None:  # noqa: ANN401 - options
    """Make what is missing, bring the rest up to date, and print what Airflow's host has to be told."""
    site = _site(**place)
    site.deploy(images, stack_role, only)
    _print_variables(site)
    if only is None:
        _print_shortages(site, place["region"])


@main.command()
@with_site
@with_changes
def update(images: str | None, stack_role: str | None, only: str | None, **place: Any) -> None:  # noqa: ANN401 - options
    """Bring an environment that is there up to date: templates, parameters, images."""
    _site(**place).update(images, stack_role, only)


@main.command()
@with_site
@click.option("--images", metavar="COMMIT", required=True, help="The tag of the images in Docker.")
def push(images: str, **place: Any) -> None:  # noqa: ANN401 - options
    """Push the images that 'infra/build_images.sh' built to the repository."""
    site = _site(**place)
    click.echo("\n".join(push_images(site.ecr, site.values["Prefix"], images)))


@main.command()
@with_site
def remove(**place: Any) -> None:  # noqa: ANN401 - options
    """Remove everything but data, images and logs."""
    click.echo(_site(**place, asks=True).remove())


@main.command()
@with_site
def variables(**place: Any) -> None:  # noqa: ANN401 - options
    """Print what Airflow's host sets in its environment."""
    _print_variables(_site(**place))


def _site(environment: str, region: str | None, yes: bool, pause_s: float, asks: bool = False) -> Site:
    values = parameters(environment)
    session = boto3.session.Session(region_name=region)
    asks = not yes and (asks or environment == "prod")
    deployer = Deployer(
        client=session.client("cloudformation"),
        prefix=values["Prefix"],
        tell=click.echo,
        may=click.confirm if asks else lambda _: True,
        tags={"Project": "lightfield", "Environment": environment},
        pause_s=pause_s,
    )
    return Site(values, deployer, session.client("batch"), session.client("ecr"))


def _print_variables(site: Site) -> None:
    for key, value in site.variables().items():
        click.echo(f"{key}={value}")


def _print_shortages(site: Site, region: str | None) -> None:
    """Warn of quotas that are too small; whoever may not look them up is told that alone."""
    client: Any = boto3.session.Session(region_name=region).client("service-quotas")

    def quota_of(code: str) -> float:
        return float(client.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"])

    try:
        for line in shortages(quota_of, site.values):
            click.echo(line, err=True)
    except ClientError as error:
        click.echo(f"quotas were not looked up: {error}", err=True)


def _explain(error: Exception) -> str:
    """A failure of the way to AWS, or a refusal by it, in one line."""
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return f"AWS: {error}; log in, or set AWS_PROFILE"
    if isinstance(error, NoRegionError):
        return "AWS: no region; give --region, or set AWS_DEFAULT_REGION"
    if isinstance(error, EndpointConnectionError):
        return f"AWS: {error}; check the region's name and the network"
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        remedy = "log in again" if "Expired" in code else "ask for the permission, or use another profile"
        return f"AWS: {error}" + (f"; {remedy}" if "Expired" in code or "Denied" in code else "")
    return f"AWS: {error}"


def run() -> None:
    """Run the command line; every failure is one line, with the exit codes of ``docs/contracts.md``."""
    try:
        main()
    except LfcoreError as error:
        click.echo(f"infra: {error}", err=True)
        sys.exit(error.exit_code)
    except (BotoCoreError, ClientError) as error:
        click.echo(f"infra: {_explain(error)}", err=True)
        sys.exit(EXIT_UNAVAILABLE)


if __name__ == "__main__":
    run()
