"""Lists the skipped tests of a JUnit file, fails on one without an allowed reason, and ends with the counts."""

import fnmatch
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = HERE.parents[1] / "shared"


def allowed_reasons() -> list[str]:
    """The patterns of ``allowed-skips.txt``; those of absent shared data do not count where it is present."""
    lines = [line.strip() for line in (HERE / "allowed-skips.txt").read_text(encoding="utf-8").splitlines()]
    patterns = [line for line in lines if line and not line.startswith("#")]
    return [pattern for pattern in patterns if not (SHARED.is_dir() and pattern.startswith("../shared"))]


def main(path: Path) -> int:
    """Judge the results; the process's exit code is returned."""
    if not path.is_file():
        print("no test ran\n0 passed, 1 failed")
        return 1
    cases = list(ElementTree.parse(path).iter("testcase"))
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    skipped = [(case, skip) for case in cases if (skip := case.find("skipped")) is not None]
    patterns = allowed_reasons()
    refused = 0
    for case, skip in skipped:
        reason = skip.get("message", "")
        allowed = any(fnmatch.fnmatch(reason, pattern) for pattern in patterns)
        refused += not allowed
        print(f"skipped{'' if allowed else ', NOT ALLOWED'}: {case.get('classname')}::{case.get('name')}: {reason}")
    if refused:
        print(f"{refused} test(s) skipped for a reason that .ci/allowed-skips.txt does not have, or not here")
    print(f"{len(cases) - failed - len(skipped)} passed, {failed} failed")
    return 1 if failed or refused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
