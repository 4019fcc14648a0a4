"""What a run will cost, as a table: options and lines that several verbs share."""

import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from lfcore.errors import UnavailableError

if TYPE_CHECKING:
    from lfcore.prices.table import PriceTable
    from lfcore.stages.cost import Offer

DEFAULT_REGION = "us-east-1"
UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
FROM_AWS, FROM_TABLE, AUTOMATIC = "aws", "table", "auto"


class Duration(click.ParamType[float]):
    """A time such as ``2h``, ``90min`` or ``45 s``, in seconds."""

    name = "time"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds."""
        if isinstance(value, float):
            return value
        parts = re.fullmatch(r"([0-9.]+) *([a-z]+)", value.strip())
        try:
            seconds = float(parts[1]) * UNITS_S[parts[2]] if parts else 0.0
        except (KeyError, ValueError):
            seconds = 0.0
        if seconds <= 0:
            self.fail(f"'{value}' is no time; give a number with s, min, h or d, for instance 2h", param, ctx)
        return seconds


def default_region() -> str:
    """The region of the environment, else the one of which the table knows most."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION


region_option = click.option("--region", default=default_region, help="AWS region; default that of the environment.")
prices_option = click.option(
    "--prices",
    default=AUTOMATIC,
    show_default=True,
    metavar="auto|aws|table|FILE",
    help="Where prices come from: AWS now, the package's table, a file over that table (also LIGHTFIELD_PRICES); "
    "auto asks AWS where the environment names credentials.",
)


def cost_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--machines``, ``--deadline``, ``--region`` and ``--prices``."""
    machines = click.option(
        "--machines", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Machines for reconstruct."
    )
    deadline = click.option(
        "--deadline", type=Duration(), help="When all is to be over, such as 2h: how many machines?"
    )
    for option in (prices_option, region_option, deadline, machines):
        command = option(command)
    return command


def chosen_prices(prices: str, region: str) -> "PriceTable":
    """The table that ``--prices`` asks for; raises ``UnavailableError`` where AWS is asked for and does not answer."""
    from lfcore.prices.live import has_credentials, live_table
    from lfcore.prices.table import PRICES_VARIABLE, price_table

    if prices not in (FROM_AWS, FROM_TABLE, AUTOMATIC):
        return price_table(prices)
    table = price_table()
    ask = prices == FROM_AWS or (prices == AUTOMATIC and has_credentials() and not os.environ.get(PRICES_VARIABLE))
    if not ask:
        return table
    try:
        return live_table(table, region)
    except UnavailableError as error:
        if prices == FROM_AWS:
            raise
        click.echo(f"Warning: {error}; the prices are the table's", err=True)
        return table


def offer_lines(found: Sequence["Offer"], region: str, deadline_s: float | None) -> list[str]:
    """The table of offers, the cheapest one and its arithmetic."""
    from lfcore.stages.cost import cheapest, dollars_in_words

    lines = [
        f"{'reconstruct on':<17} {'market':<10} {'$ an hour':<17} {'s/volume':>9} {'hours':>7} {'machines':>8}"
        f"  {'dollars':<17} per 1,000 volumes"
    ]
    for offer in found:
        price = "not known" if offer.price is None else dollars_in_words(offer.price.dollars_per_hour)
        begin = f"{offer.instance_type:<17} {offer.market:<10} {price:<17}"
        if offer.why_not:
            lines.append(f"{begin} cannot: {offer.why_not}")
            continue
        in_time = "none" if offer.needed == 0 else str(offer.machines)
        lines.append(
            f"{begin} {offer.frame_s:>9.3g} {offer.seconds / 3600:>7.2f} {in_time:>8}"
            f"  {dollars_in_words(offer.dollars):<17} {dollars_in_words(offer.dollars_per_1000)}"
        )
    best = cheapest(found)
    if best is None:
        return [*lines, f"no price is known in {region}; try --region, --prices aws or a price file"]
    count = "1 machine ends" if best.machines == 1 else f"{best.machines} machines end"
    end = "" if deadline_s is None else f", {count} within {deadline_s / 3600:.3g} h"
    return [*lines, "", f"cheapest: {best.instance_type} {best.market} in {region}{end}", *_indented(best)]


def _indented(offer: "Offer") -> list[str]:
    return [f"  {line}" for line in offer.arithmetic]
