"""What all sections of the settings have in common."""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
MAXIMUM_PLANES = 10_000


class Section(BaseModel):
    """Base of all settings: frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ZRange(Section):
    """Equally spaced planes, both ends included."""

    start: float = Field(allow_inf_nan=False, description="first plane, um; z > 0 is towards the objective")
    stop: float = Field(allow_inf_nan=False, description="last plane, um")
    step: Positive = Field(description="distance of planes, um")

    @property
    def planes_um(self) -> tuple[float, ...]:
        """The planes' z, um, rising."""
        span = (self.stop - self.start) / self.step
        if span > MAXIMUM_PLANES:
            raise ValueError(f"z_um holds more than {MAXIMUM_PLANES} planes; use a larger step")
        count = math.floor(span + 1e-6) + 1
        return tuple(round(self.start + index * self.step, 6) + 0.0 for index in range(count))
