"""What a test is judged by: means, shares, ratios, the NPS, revenue that most do not bring."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cxmodels.errors import OptionError

GUARDRAIL = "guardrail"
ROLES = (
    "satisfaction", "retention", "spend", "up-sell", "referral", "cost to serve",
    "acquisition cost", GUARDRAIL,
)  # fmt: skip
KINDS = ("mean", "proportion", "ratio", "nps", "hurdle")
BETTER = ("higher", "lower")


@dataclass(frozen=True)
class Metric:
    """One thing that a test is judged by.

    column: of the table; kind: "mean"; "proportion" (0 or 1); "ratio" of `column` to `per`, both
    summed over units; "nps" (0 to 10: per cent promoters less per cent detractors); "hurdle"
    (revenue from 0 on: whether, how much given that, and both). before: the same from before the
    test, which takes noise out (for a ratio, two columns); margin: of a guardrail, how much worse
    it may get, in its own unit; better: "higher" or "lower"; name: in tables. role: its place in
    the chain from satisfaction to money, one of ROLES, which a plan asks for; with a margin it is a
    guardrail.

    >>> Metric("orders", "ratio", per="sessions").label
    'orders per sessions'
    """

    column: str
    kind: str = "mean"
    per: str | None = None
    before: str | tuple[str, str] | None = None
    margin: float | None = None
    better: str = "higher"
    name: str | None = None
    role: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.column, str) and self.column.strip()):
            raise OptionError(f"a metric names a column, got {self.column!r}")
        for what, value, choices in (("kind", self.kind, KINDS), ("better", self.better, BETTER),
                                     ("role", self.role, (None, *ROLES))):  # fmt: skip
            if value not in choices:
                listed = ", ".join(choice for choice in choices if choice is not None)
                raise OptionError(
                    f"{what} {value!r} of metric {self.column!r} is not one of {listed}"
                )
        if (self.per is not None) != (self.kind == "ratio"):
            raise OptionError(f"metric {self.column!r}: per= goes with kind='ratio' alone")
        before: Any = self.before
        if isinstance(before, list):  # as JSON has it
            object.__setattr__(self, "before", tuple(before))
        if isinstance(self.before, tuple) and (self.kind != "ratio" or len(self.before) != 2):
            raise OptionError("before= is one column; of a ratio it may be a pair of columns")
        self._check_margin()

    def _check_margin(self) -> None:
        margin: Any = self.margin
        if margin is not None and (
            isinstance(margin, bool)
            or not isinstance(margin, int | float)
            or not np.isfinite(margin)
            or margin < 0.0
        ):
            raise OptionError(f"margin {margin!r} is a number from 0 on, in the metric's unit")
        if margin is not None and self.role is None:
            object.__setattr__(self, "role", GUARDRAIL)
        if (self.role == GUARDRAIL) != (margin is not None):
            raise OptionError(
                f"metric {self.column!r}: a guardrail has margin=, and no other role has"
            )

    @property
    def label(self) -> str:
        """What tables call it."""
        if self.name is not None:
            return self.name
        if self.kind == "nps":
            return f"NPS of {self.column}"
        return self.column if self.per is None else f"{self.column} per {self.per}"

    def told(self) -> str:
        """One line of a plan."""
        own = "" if self.name is None and self.kind != "nps" else f" of {self.column}"
        per = f" per {self.per}" if self.per else ""
        limit = "" if self.margin is None else f", at most {self.margin:g} worse"
        return f"{self.label} ({self.role}; {self.kind}{own}{per}; {self.better} is better{limit})"
