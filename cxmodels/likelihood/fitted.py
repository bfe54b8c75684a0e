"""What every fitted model can be asked: parameters, how the fit ended, and how sure it is."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cxmodels.errors import OptionError
from cxmodels.likelihood.interval import intervals
from cxmodels.likelihood.objective import Objective
from cxmodels.likelihood.penalised import Penalised
from cxmodels.likelihood.posterior import NormalPrior, sample
from cxmodels.numerics.arrays import Floats
from cxmodels.results.draws import Draws
from cxmodels.results.estimate import Estimate, Status
from cxmodels.results.shown import Shown

STORED_DRAWS = 4000
Drawing = Callable[[int, int, NormalPrior | None], Draws]
FORMAT, VERSION = "cxmodels-model", 2  # 2: designs of covariates, penalties and priors


@dataclass(frozen=True, kw_only=True, repr=False)
class FittedModel(Shown, ABC):
    """The face of a fit. A fit read from a file has stored draws in place of its data; one of a
    kind of customers has `drawn`, which draws from the fit that it came of.

    known: draws already made under the fit's own prior, by objective, number and seed, so that
    predictions, values and intervals that ask for the same ones share their cost.
    """

    estimate: Estimate
    objective: Objective | None = field(default=None, repr=False, compare=False)
    stored: Draws | None = field(default=None, repr=False, compare=False)
    drawn: Drawing | None = field(default=None, repr=False, compare=False)
    known: dict[tuple[int, int, int], Draws] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def parameters(self) -> pd.DataFrame:
        """Estimate, std_error, lower, upper of each parameter (90 per cent, Wald)."""
        return self.estimate.parameters()

    @property
    def theta(self) -> Floats:
        """The estimates as an array (k,)."""
        return self.estimate.theta

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the parameters on their natural scale (k, k)."""
        return self.estimate.covariance

    @property
    def rows(self) -> int:
        """Customers that the fit used."""
        return self.estimate.rows

    @property
    def status(self) -> Status:
        """How the search ended, as a sentence."""
        return self.estimate.status

    @property
    def log_likelihood(self) -> float:
        """Log likelihood at the estimate, in the units of the customer base; where a penalty or a
        prior held the fit back, `estimate.maximised` is what was maximised."""
        return self.estimate.log_likelihood

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 log likelihood: smaller is better."""
        return self.estimate.aic

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log(rows) - 2 log likelihood: smaller is better."""
        return self.estimate.bic

    def posterior(
        self, draws: int = STORED_DRAWS, *, seed: int = 1, prior: NormalPrior | None = None
    ) -> Draws:
        """Draws of the parameters given the data; a loaded fit resamples those it was saved with.

        Args: draws: how many; seed: of the sampler; prior: on the logs; if None the one it was
        fitted with, else wide and unit-free.
        """
        if self.drawn is not None:
            return self.drawn(draws, seed, prior)
        if self.objective is None:
            if prior is not None or self.stored is None:
                raise OptionError("a loaded fit has no data for another prior: fit it again")
            return self.stored.resample(draws, seed)
        if prior is not None or not isinstance(seed, int):
            return _sampled(self.objective, self.estimate, draws, seed, prior)
        asked = (id(self.objective), draws, seed)
        if asked not in self.known:
            self.known[asked] = _sampled(self.objective, self.estimate, draws, seed, None)
        return self.known[asked]

    def interval(self, method: str = "wald", level: float = 0.9) -> pd.DataFrame:
        """Intervals of the parameters: "wald", "profile" (likelihood) or "posterior" (draws).

        Returns: index parameter; columns lower, upper.
        """
        return intervals(self.objective, self.estimate, self.posterior, method=method, level=level)

    def save(self, path: str | Path) -> Path:
        """Writes the fit as JSON, with 4,000 posterior draws in place of the data.

        `cxmodels.load` reads it back; predictions and values of the loaded fit need no data.
        """
        stored = {
            "format": FORMAT,
            "version": VERSION,
            **self.facts(),
            "estimate": self.estimate.to_json(),
            "draws": self.posterior().to_json(),
        }
        target = Path(path)
        if not target.parent.is_dir():
            raise OptionError(f"there is no folder {target.parent} to save the fit in")
        target.write_text(json.dumps(stored, allow_nan=False) + "\n", encoding="utf-8")
        return target

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What else the fit needs to be read back: its kind, family, unit and counts."""


def _sampled(
    objective: Objective, estimate: Estimate, draws: int, seed: int, prior: NormalPrior | None
) -> Draws:
    """Draws under `prior`, if None under the one that the fit was made with."""
    likelihood = objective
    if isinstance(objective, Penalised) and objective.prior is not None:
        likelihood, prior = objective.likelihood, prior or objective.prior
    return sample(likelihood, estimate, draws=draws, seed=seed, prior=prior)
