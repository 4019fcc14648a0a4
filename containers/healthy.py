"""``healthy.py COMPONENT``: whether a component of Airflow has shown a sign of life, as the api-server knows it.

Airflow's own way, ``airflow jobs check``, spends seconds of processor time on each answer.
"""

import json
import sys
import urllib.request

HEALTH = "http://api-server:8080/api/v2/monitor/health"


def main(component: str) -> int:
    """Ask the api-server; the process's exit code is returned."""
    with urllib.request.urlopen(HEALTH, timeout=10) as answer:
        status = json.load(answer)[component]["status"]
    print(f"{component} is {status}")
    return 0 if status == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
