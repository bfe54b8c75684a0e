"""Plausible parameter values: a thousand equally likely answers in place of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats

FIGURES = "{:,.5g}".format  # five significant digits
TRUSTED = 0.7  # Pareto k-hat up to which importance sampling is reliable (Vehtari et al. 2024)


@dataclass(frozen=True, repr=False)
class Draws:
    """Equal-weight posterior draws (n, k) on the natural scale, with how far to trust them.

    pareto_k: k-hat of the importance weights, fine up to .7; effective: how many independent
    draws they are worth; method: how they were made, in words.

    >>> draws = Draws(("r",), np.array([[1.0], [2.0], [3.0]]), -0.1, 3.0, "by hand")
    >>> len(draws)
    3
    >>> float(draws.interval(0.5).loc["r", "mean"])
    2.0
    """

    names: tuple[str, ...]
    values: Floats
    pareto_k: float
    effective: float
    method: str

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        trust = "can be trusted" if self.pareto_k <= TRUSTED else "cannot be trusted"
        head = f"{len(self):,} draws worth {self.effective:,.0f}; {self.method}"
        shown = self.interval().to_string(float_format=FIGURES)
        return f"{head}; k-hat {self.pareto_k:.2f}, which {trust}\n{shown}"

    def _repr_html_(self) -> str:
        head = escape(repr(self).splitlines()[0])
        return f"<p>{head}</p>{self.interval().to_html(float_format=FIGURES)}"

    @property
    def table(self) -> pd.DataFrame:
        """One row per draw, one column per parameter; index `draw`."""
        index = pd.RangeIndex(len(self), name="draw")
        return pd.DataFrame(self.values, columns=list(self.names), index=index)

    def interval(self, level: float = 0.9) -> pd.DataFrame:
        """Mean, standard deviation and central interval of each parameter.

        Args: level: probability inside the interval, between 0 and 1.
        Returns: index `parameter`; columns mean, std_dev, lower, upper.
        """
        if not 0.0 < level < 1.0:
            raise OptionError(f"level must lie between 0 and 1, got {level}")
        lower, upper = np.quantile(self.values, [(1 - level) / 2, (1 + level) / 2], axis=0)
        columns = {
            "mean": self.values.mean(axis=0),
            "std_dev": self.values.std(axis=0, ddof=1) if len(self) > 1 else np.nan,
            "lower": lower,
            "upper": upper,
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="parameter"))

    def resample(self, n: int, seed: int | np.random.Generator = 1) -> "Draws":
        """`n` of the draws, in random order: without repeats where there are enough.

        Args: n: draws wanted, at least 1; seed: a number or a Generator.
        """
        if n < 1:
            raise OptionError(f"at least one draw is needed, got {n}")
        rng = generator(seed)
        whole, rest = divmod(n, len(self))
        order = [rng.permutation(len(self)) for _ in range(whole)]
        chosen = np.concatenate([*order, rng.permutation(len(self))[:rest]])
        effective = min(self.effective, float(n))
        return Draws(self.names, self.values[chosen], self.pareto_k, effective, self.method)

    def to_json(self) -> dict[str, Any]:
        """The draws as plain types."""
        return {
            "names": list(self.names),
            "values": self.values.tolist(),
            "pareto_k": str(self.pareto_k),  # text, since it may be infinite
            "effective": self.effective,
            "method": self.method,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Draws":
        """The draws that `to_json` wrote."""
        return cls(
            names=tuple(str(name) for name in stored["names"]),
            values=np.asarray(stored["values"], dtype=np.float64),
            pareto_k=float(stored["pareto_k"]),
            effective=float(stored["effective"]),
            method=str(stored["method"]),
        )
