"""``python -m demo.preloaded COMPONENT``: an Airflow component with the DAG's slow imports done beforehand.

The scheduler's workers and the DAG processor's parsers are forked, so each of them inherits the modules instead of
spending seconds of its own on them.
"""

import sys

import airflow.providers.amazon.aws.hooks.batch_client
import airflow.providers.amazon.aws.hooks.logs
import airflow.providers.amazon.aws.operators.batch
import airflow.providers.amazon.aws.triggers.batch  # noqa: F401 - imported for its forks
from airflow.__main__ import main

if __name__ == "__main__":
    sys.argv = ["airflow", *sys.argv[1:]]
    main()  # type: ignore[no-untyped-call]  # Airflow gives its entry point no types
