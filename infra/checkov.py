"""``python3 infra/checkov.py FOLDER``: checks the templates with checkov, installed in FOLDER apart from all else.

It ends with 1 on a finding that is not listed in ``checkov-exceptions.json``, and on an exception that has no finding.
Needs nothing but Python, so that it runs before and without the development environment.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

VERSION = "3.3.30"
HERE = Path(__file__).parent


def verdict(report: dict[str, Any], exceptions: dict[str, str]) -> list[str]:
    """What is wrong, a line each: findings without an exception, exceptions without a finding or a reason."""
    failed = {
        f"{check['check_id']} {Path(check['file_path']).name} {check['resource']}": check["check_name"]
        for check in report["results"]["failed_checks"]
    }
    return [
        *(f"not listed: {key}: {name}" for key, name in sorted(failed.items()) if key not in exceptions),
        *(f"listed, and not found: {key}" for key in sorted(set(exceptions) - set(failed))),
        *(f"without a reason: {key}" for key, reason in sorted(exceptions.items()) if not reason.strip()),
        *(f"not read: {path}" for path in report["results"].get("parsing_errors", [])),
    ]


def main(folder: Path) -> int:
    """Install, run, judge."""
    program = folder / "bin" / "checkov"
    if not program.exists():
        venv.create(folder, with_pip=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", f"checkov=={VERSION}"]
        subprocess.run(install, check=True)
    words = [
        "--directory",
        str(HERE / "templates"),
        "--framework",
        "cloudformation",
        "--skip-download",
        "--output",
        "json",
    ]
    found = subprocess.run([str(program), *words], capture_output=True, text=True)
    try:
        report = json.loads(found.stdout)
    except ValueError:
        print(f"checkov: no report: {(found.stderr.strip().splitlines() or ['it says nothing'])[-1]}", file=sys.stderr)
        return 1
    wrong = verdict(report, json.loads((HERE / "checkov-exceptions.json").read_text()))
    summary = report["summary"]
    print(f"checkov {VERSION}: {summary['passed']} passed, {summary['failed']} failed, {len(wrong)} problems")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
