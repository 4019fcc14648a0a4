"""The documents name what is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_architecture_names_every_module() -> None:
    named = set(re.findall(r"\w+", (ROOT / "docs/architecture.md").read_text()))
    modules = {path.stem for tree in ("lfcore", "plugins", "dags") for path in (ROOT / tree).rglob("*.py")}
    assert modules - {"__init__", "__main__"} <= named


def test_links_between_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        text = document.read_text()
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
        for target in re.findall(r"`(docs/[\w./-]+)`", text):
            assert (ROOT / target).exists(), f"{document.name}: {target}"
