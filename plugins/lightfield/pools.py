"""Airflow's pools, which bound the jobs of all runs together."""

import os
from collections.abc import Mapping

from lfcore.contracts import Stage


def pool(stage: Stage, environment: Mapping[str, str] = os.environ) -> str:
    """Airflow's pool for a stage, from ``LIGHTFIELD_POOL_CPU`` and ``LIGHTFIELD_POOL_GPU``; it must exist there."""
    variable = "LIGHTFIELD_POOL_GPU" if stage is Stage.RECONSTRUCT else "LIGHTFIELD_POOL_CPU"
    return environment.get(variable) or "default_pool"
