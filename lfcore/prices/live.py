"""Prices as AWS states them now: on demand from the Price List API, spot from EC2's history."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lfcore.errors import UnavailableError
from lfcore.prices.table import Market, Price, PriceTable, Source

PRICE_LIST_REGION = "us-east-1"
"""One of the few regions that serve the price list."""
SPOT_HOURS = 1
CREDENTIAL_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
LIST_NAME, SPOT_NAME = "aws price list", "aws spot price history"


def has_credentials(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment says that there are credentials; nothing is asked over the network."""
    return any(environment.get(name) for name in CREDENTIAL_VARIABLES)


def live_table(table: PriceTable, region: str, pricing: Any = None, ec2: Any = None) -> PriceTable:  # noqa: ANN401  # clients are made at run time
    """``table`` with today's prices of its types in ``region`` in the place of its own.

    What AWS does not state keeps the table's price. ``pricing`` and ``ec2`` are boto3 clients, made where
    none is given. Raises ``UnavailableError`` without boto3, credentials or answer.
    """
    pricing = pricing or _client("pricing", PRICE_LIST_REGION)
    ec2 = ec2 or _client("ec2", region)
    today = datetime.now(UTC)
    sources = {
        LIST_NAME: Source(what="AWS Price List API, shared tenancy, Linux", date=today.date()),
        SPOT_NAME: Source(what=f"EC2 spot price history, the last {SPOT_HOURS} h, all zones", date=today.date()),
    }
    try:
        found = [_on_demand(pricing, name, region) for name in table.instance_types]
        found += _spot(ec2, list(table.instance_types), region, today - timedelta(hours=SPOT_HOURS))
    except Exception as error:
        if type(error).__module__.startswith("botocore"):
            said = " ".join(str(error).split())
            raise UnavailableError(f"AWS does not tell its prices in {region} ({said}); give --prices table") from error
        raise
    return table.with_prices([price for price in found if price is not None], sources)


def _client(service: str, region: str) -> Any:  # noqa: ANN401  # boto3 makes its clients at run time
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise UnavailableError(
            "prices of today need boto3; pip install 'lfcore[aws]', or give --prices table"
        ) from error
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    # Typed stubs name each service by itself.
    return boto3.Session().client(service, region_name=region, config=config)  # type: ignore[call-overload]  # the stubs know each service by its own name


def _on_demand(pricing: Any, name: str, region: str) -> Price | None:  # noqa: ANN401  # see _client
    wanted = {
        "instanceType": name,
        "regionCode": region,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
    }
    filters = [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in wanted.items()]
    answer = pricing.get_products(ServiceCode="AmazonEC2", Filters=filters)
    rates = {rate for text in answer["PriceList"] for rate in _hourly(json.loads(text)) if rate > 0}
    if not rates:
        return None
    return Price(
        type=name,
        region=region,
        market=Market.ON_DEMAND,
        dollars_per_hour=(min(rates), max(rates)),
        source=LIST_NAME,
    )


def _hourly(product: Mapping[str, Any]) -> list[float]:
    """Dollars an hour of the on-demand terms of one product."""
    terms = product.get("terms", {}).get("OnDemand", {}).values()
    dimensions = [dimension for term in terms for dimension in term["priceDimensions"].values()]
    return [float(one["pricePerUnit"]["USD"]) for one in dimensions if one["unit"] == "Hrs"]


def _spot(ec2: Any, names: list[str], region: str, since: datetime) -> list[Price]:  # noqa: ANN401  # see _client
    pages = ec2.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=names, ProductDescriptions=["Linux/UNIX"], StartTime=since
    )
    seen: dict[str, list[float]] = {}
    for page in pages:
        for entry in page["SpotPriceHistory"]:
            seen.setdefault(entry["InstanceType"], []).append(float(entry["SpotPrice"]))
    return [
        Price(
            type=name,
            region=region,
            market=Market.SPOT,
            dollars_per_hour=(min(rates), max(rates)),
            source=SPOT_NAME,
        )
        for name, rates in seen.items()
    ]
