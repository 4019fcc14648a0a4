"""The table of ``docs/cost.md`` is what its command prints."""

from pathlib import Path

from benchmarks.cost import lines

DOCUMENT = Path(__file__).parents[1] / "docs" / "cost.md"


def test_the_documents_table_is_what_the_command_prints() -> None:
    assert "\n".join(lines()).strip() in DOCUMENT.read_text()
