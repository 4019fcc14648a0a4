"""The section of ``dataset.yaml`` that says how volumes are estimated."""

from typing import Literal, Self

from pydantic import Field, model_validator

from lfcore.settings_base import NotNegative, Positive, Section

ACCELERATED = ("richardson_lucy", "rl_tv")
"""The solvers that can extrapolate between iterations."""


class Stopping(Section):
    """When iterations end before their number is reached."""

    rule: Literal["none", "discrepancy", "change"] = Field(
        description="'discrepancy': the residual is what noise leaves; 'change': it hardly changes any more"
    )
    tolerance: Positive | None = Field(
        default=None,
        description="times what noise leaves (default 1), or the relative change of an iteration (default 0.01)",
    )

    @property
    def limit(self) -> float:
        """The tolerance, or its default."""
        return self.tolerance or (0.01 if self.rule == "change" else 1.0)


class Reconstruction(Section):
    """How the volume is estimated."""

    solver: Literal["richardson_lucy", "rl_tv", "least_squares", "admm_tv"] = Field(
        default="richardson_lucy", description="method"
    )
    iterations: int = Field(default=15, ge=1, le=10_000, description="iterations, at most")
    acceleration: bool | None = Field(
        default=None,
        description="extrapolate between iterations (Biggs and Andrews 1997): a third of them; default: where it can",
    )
    regularisation: NotNegative | None = Field(
        default=None, description="weight of smoothness, or of small values; default: the solver's"
    )
    huber: NotNegative | None = Field(
        default=None, description="admm_tv: slopes up to this are smoothed, steeper ones are edges; default: 0"
    )
    stopping: Stopping | None = Field(default=None, description="end earlier: {rule, tolerance}")
    warm_start: bool = Field(default=False, description="start each frame from the volume of the one before it")
    background: float = Field(
        default=0.02, ge=0, le=1, description="constant background, as a fraction of the frame's mean"
    )
    anti_aliasing: float = Field(
        default=0.33,
        ge=0,
        le=3,
        description="depth of what a volume is made of, in depths resolved at the native plane; 0: single planes",
    )
    lattice_suppression: bool = Field(
        default=True, description="take the lenslets' faint pattern off the planes near the native plane, at the end"
    )

    @model_validator(mode="after")
    def _options_belong_to_the_solver(self) -> Self:
        if self.acceleration and self.solver not in ACCELERATED:
            raise ValueError(f"acceleration: {self.solver} cannot; say acceleration: false")
        if self.regularisation is not None and self.solver == "richardson_lucy":
            raise ValueError("regularisation: richardson_lucy has none; choose solver rl_tv, or leave it out")
        if self.regularisation == 0 and self.solver == "admm_tv":
            raise ValueError("regularisation: admm_tv needs more than 0; choose another solver, or leave it out")
        if self.huber is not None and self.solver != "admm_tv":
            raise ValueError(f"huber: {self.solver} has none; choose solver admm_tv, or leave it out")
        return self

    @property
    def accelerates(self) -> bool:
        """Whether iterations are accelerated: as set, else where the solver can."""
        return self.solver in ACCELERATED if self.acceleration is None else self.acceleration

    @property
    def stopping_rule(self) -> Stopping:
        """The rule, where there is none too."""
        return self.stopping or Stopping(rule="none")
