"""The table of prices: dated and cited, overridden by a user, and what AWS states in its place."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import boto3
import pytest
from botocore.stub import ANY, Stubber

from lfcore.errors import SettingsError, UnavailableError
from lfcore.prices.live import live_table
from lfcore.prices.table import PRICES_VARIABLE, Market, package_table, price_table

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}


def test_every_price_of_the_package_has_a_source_and_a_date() -> None:
    table = package_table()
    for (name, region, market), price in table.prices.items():
        assert name in table.instance_types, (name, region, market)
        assert table.sources[price.source].date >= date(2026, 11, 22)
        assert 0 < price.dollars_per_hour[0] <= price.dollars_per_hour[1] < 20
    assert {"g5.xlarge", "g6.xlarge", "g6e.xlarge", "p5.4xlarge"} <= table.instance_types.keys()
    assert not {"p3.2xlarge", "m3.8xlarge"} & table.instance_types.keys()


def test_a_price_that_nobody_has_seen_is_not_known() -> None:
    assert package_table().price("p5.4xlarge", "us-east-1", Market.SPOT) is None
    assert package_table().price("g5.xlarge", "eu-west-1", Market.ON_DEMAND) is None


def test_a_users_file_lies_over_the_package(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(
        """
sources: {mine: {what: our agreement, date: 2026-12-01}}
instance_types: {x9.large: {vcpus: 2, memory_gib: 8}}
machine_start_s: {value: 33, source: mine}
prices:
  - {type: g5.xlarge, region: us-east-1, market: on-demand, dollars_per_hour: 0.5, source: mine}
  - {type: x9.large, region: eu-west-1, market: spot, dollars_per_hour: [0.1, 0.2], source: mine}
"""
    )
    table = price_table(environment={PRICES_VARIABLE: str(file)})
    price = table.price("g5.xlarge", "us-east-1", Market.ON_DEMAND)
    assert price is not None
    assert price.dollars_per_hour == (0.5, 0.5)
    assert table.cited(price) == "our agreement, 2026-12-01"
    assert table.price("x9.large", "eu-west-1", Market.SPOT) is not None
    assert table.price("g6.xlarge", "us-east-1", Market.ON_DEMAND) is not None
    assert (table.machine_start_s, table.job_start_s) == (33, package_table().job_start_s)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prizes: []", "unknown key 'prizes'; did you mean 'prices'|unknown key 'prizes'"),
        ("a: [", "not valid YAML"),
        ("- 1", "must be a mapping"),
        ("prices: [{type: g5.xlarge, region: r, market: gift, dollars_per_hour: 1, source: catalogue}]", "market"),
        ("prices: [{type: g5.xlarge, region: r, market: spot, dollars_per_hour: [2, 1], source: catalogue}]", "lower"),
        ("prices: [{type: g5.xlarge, region: r, market: spot, dollars_per_hour: 1, source: hearsay}]", "hearsay"),
        ("prices: [{type: q1.tiny, region: r, market: spot, dollars_per_hour: 1, source: catalogue}]", "q1.tiny"),
        ("instance_types: {x: {gpu: A, vcpus: 1, memory_gib: 1}}", "gpu_memory_gib"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(SettingsError, match=problem) as caught:
        price_table(str(tmp_path / "prices.yaml"))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        price_table(str(tmp_path / "nowhere.yaml"))


def _product(dollars: str, unit: str = "Hrs") -> str:
    dimension = {"unit": unit, "pricePerUnit": {"USD": dollars}}
    return json.dumps({"terms": {"OnDemand": {"term": {"priceDimensions": {"one": dimension}}}}})


def test_aws_own_prices_take_the_place_of_the_tables() -> None:
    table = package_table()
    pricing, ec2 = boto3.client("pricing", **KEYS), boto3.client("ec2", **KEYS)
    with Stubber(pricing) as listed, Stubber(ec2) as spot:
        for name in table.instance_types:
            answer = [_product("1.5"), _product("0.0"), _product("9", "Quantity")] if name == "g5.xlarge" else []
            listed.add_response("get_products", {"PriceList": answer}, {"ServiceCode": "AmazonEC2", "Filters": ANY})
        entries = [
            {"InstanceType": "g6.xlarge", "SpotPrice": dollars, "Timestamp": datetime.now(UTC)}
            for dollars in ("0.31", "0.29")
        ]
        spot.add_response("describe_spot_price_history", {"SpotPriceHistory": entries})
        live = live_table(table, "us-east-1", pricing, ec2)
        listed.assert_no_pending_responses()
    on_demand = live.price("g5.xlarge", "us-east-1", Market.ON_DEMAND)
    seen = live.price("g6.xlarge", "us-east-1", Market.SPOT)
    assert on_demand is not None
    assert seen is not None
    assert on_demand.dollars_per_hour == (1.5, 1.5)
    assert seen.dollars_per_hour == (0.29, 0.31)
    assert live.cited(seen).endswith(datetime.now(UTC).date().isoformat())
    # What AWS did not state stays as it was, with its old date.
    assert live.price("g6e.xlarge", "us-east-1", Market.SPOT) == table.price("g6e.xlarge", "us-east-1", Market.SPOT)


def test_aws_that_does_not_tell_is_one_line() -> None:
    pricing, ec2 = boto3.client("pricing", **KEYS), boto3.client("ec2", **KEYS)
    with Stubber(pricing) as listed:
        listed.add_client_error("get_products", "AccessDeniedException", "not for you")
        with pytest.raises(UnavailableError, match=r"does not tell its prices in us-east-1 .*--prices table"):
            live_table(package_table(), "us-east-1", pricing, ec2)
