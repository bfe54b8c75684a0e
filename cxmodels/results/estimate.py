"""What a fit found: the parameters with their uncertainty, and how the search for them ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.numerics.transforms import Dimension, Parameter, Space, Support

POWER = float(scipy.special.ndtri(0.975) + scipy.special.ndtri(0.8))  # errors found 4 in 5 times
FLAT = 1e-4  # information below which a direction is not determined: sd of a log above 100


class Outcome(Enum):
    """How a search ended."""

    CONVERGED = "the maximum was found inside the allowed range"
    BOUNDARY = "the likelihood keeps rising towards the edge of the allowed range"
    FLAT = "the likelihood is level along a line: the data do not determine every parameter"
    STOPPED = "the search stopped before a maximum was found"


class Criterion(Enum):
    """What an estimate makes as large as it can be."""

    LIKELIHOOD = "maximum likelihood"
    PENALISED = "maximum of the penalised likelihood"
    POSTERIOR = "posterior mode (MAP)"
    KIND = "parameters of one kind of customer, from a fit with covariates"


@dataclass(frozen=True)
class Status:
    """How the search ended, as a sentence that names the parameter and what it means."""

    outcome: Outcome
    sentence: str

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class Limit:
    """How far a parameter that ran to an edge may lie from it, read from its profile likelihood.

    at_low: the edge is the low one; losses: (m,) increasing losses of log likelihood; real: (m,)
    real coordinate at which each is reached, NaN where it never is.
    """

    name: str
    at_low: bool
    losses: Floats
    real: Floats

    def at(self, level: float) -> float:
        """The real coordinate that bounds an interval of `level`; NaN outside the stored losses.

        The log of the loss is close to straight in it, so it is interpolated there.
        """
        loss = normal_quantile(level) ** 2 / 2.0
        logs = np.log(self.losses)
        return float(np.interp(np.log(loss), logs, self.real, left=np.nan, right=np.nan))


@dataclass(frozen=True)
class Estimate:
    """A maximum likelihood estimate, unless its criterion says otherwise.

    theta: (k,) natural values; information: (k, k) negative Hessian in real coordinates (logs of
    positive parameters against `scales`); rows: customers; free: (k,) whether the data determine
    the parameter inside its range. A parameter that is not free has no standard error; one that ran
    to an edge has an entry in `limits`, from which its one-sided interval is read. What was
    maximised is log_likelihood less penalty.
    """

    model: str
    space: Space
    theta: Floats
    information: Floats
    scales: Floats
    log_likelihood: float
    rows: int
    status: Status
    free: Bools
    limits: tuple[Limit, ...] = ()
    criterion: Criterion = Criterion.LIKELIHOOD
    penalty: float = 0.0

    @property
    def maximised(self) -> float:
        """The largest value that the search found: the log likelihood, less a penalty."""
        return self.log_likelihood - self.penalty

    @property
    def real(self) -> Floats:
        """The estimate in real coordinates (k,)."""
        return self.space.to_real(self.theta, self.scales)

    @property
    def real_covariance(self) -> Floats:
        """Covariance (k, k) in real coordinates; NaN for parameters that are not free."""
        values, vectors = np.linalg.eigh(self.information)
        held = values > FLAT
        covariance: Floats = (vectors[:, held] / values[held]) @ vectors[:, held].T
        covariance[~self.free, :] = np.nan
        covariance[:, ~self.free] = np.nan
        return covariance

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance on the natural scale: the Jacobian on both sides of the real one."""
        slope = self.space.slope(self.real, self.scales)
        values = slope[:, None] * self.real_covariance * slope
        index = pd.Index(self.space.names, name="parameter")
        return pd.DataFrame(values, index=index, columns=list(self.space.names))

    def parameters(self, level: float = 0.9) -> pd.DataFrame:
        """Estimates with standard errors (delta method) and Wald intervals of the real scale.

        Args: level: width of the interval, between 0 and 1.
        Returns: index `parameter`; columns estimate, std_error, lower, upper on the natural
        scale. A parameter at an edge has std_error NaN and the one-sided interval of its profile
        likelihood (it holds at least `level`); one that is not determined has NaN in all three.
        """
        half = normal_quantile(level) * np.sqrt(np.diag(self.real_covariance))
        lower, upper = self.real - half, self.real + half
        for limit in self.limits:
            place = self.space.index(limit.name)
            ends = (-np.inf, limit.at(level)) if limit.at_low else (limit.at(level), np.inf)
            lower[place], upper[place] = ends
        columns = {
            "estimate": self.theta,
            "std_error": np.sqrt(np.diag(self.covariance.to_numpy())),
            "lower": self.space.to_natural(lower, self.scales),
            "upper": self.space.to_natural(upper, self.scales),
        }
        return pd.DataFrame(columns, index=pd.Index(self.space.names, name="parameter"))

    @property
    def aic(self) -> float:
        """Akaike's criterion, 2 k - 2 log likelihood: smaller is better."""
        return 2.0 * self._counted() - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, k log(rows) - 2 log likelihood: smaller is better."""
        return float(self._counted() * np.log(self.rows) - 2.0 * self.log_likelihood)

    def _counted(self) -> int:
        """Number of parameters, where AIC and BIC mean something."""
        if self.criterion is not Criterion.LIKELIHOOD:
            raise OptionError(
                f"AIC and BIC compare maximum likelihood fits; this is the {self.criterion.value}"
            )
        return self.space.size

    def to_json(self) -> dict[str, Any]:
        """The estimate as plain types."""
        return {
            "model": self.model,
            "parameters": [_parameter_to_json(item) for item in self.space.parameters],
            "theta": self.theta.tolist(),
            "information": self.information.tolist(),
            "scales": self.scales.tolist(),
            "log_likelihood": self.log_likelihood,
            "rows": self.rows,
            "outcome": self.status.outcome.name,
            "sentence": self.status.sentence,
            "free": self.free.tolist(),
            "limits": [_limit_to_json(limit) for limit in self.limits],
            "criterion": self.criterion.name,
            "penalty": self.penalty,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Estimate":
        """The estimate that `to_json` wrote."""
        return cls(
            model=stored["model"],
            space=Space(tuple(_parameter_from_json(item) for item in stored["parameters"])),
            theta=np.array(stored["theta"], dtype=np.float64),
            information=np.array(stored["information"], dtype=np.float64),
            scales=np.array(stored["scales"], dtype=np.float64),
            log_likelihood=float(stored["log_likelihood"]),
            rows=int(stored["rows"]),
            status=Status(Outcome[stored["outcome"]], stored["sentence"]),
            free=np.array(stored["free"], dtype=np.bool_),
            limits=tuple(_limit_from_json(item) for item in stored["limits"]),
            criterion=Criterion[stored.get("criterion", Criterion.LIKELIHOOD.name)],
            penalty=float(stored.get("penalty", 0.0)),
        )


def told_p(p: float) -> str:
    """A p-value in words of three digits: "< .001" where it is smaller.

    >>> told_p(0.0312), told_p(1e-9)
    ('0.031', '< 0.001')
    """
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def check_level(level: float) -> float:
    """`level` as a number if it is a probability, else OptionError."""
    if not (isinstance(level, int | float) and 0.0 < level < 1.0):
        raise OptionError(f"level is the width of an interval, between 0 and 1, got {level!r}")
    return float(level)


def normal_quantile(level: float) -> float:
    """Half width, in standard deviations, of a normal interval that holds `level`.

    >>> round(normal_quantile(0.95), 4)
    1.96
    """
    if not 0.0 < level < 1.0:
        raise OptionError(f"level must lie between 0 and 1, got {level}")
    return float(scipy.special.ndtri((1.0 + level) / 2.0))


def _parameter_to_json(parameter: Parameter) -> dict[str, str]:
    return {
        "name": parameter.name,
        "meaning": parameter.meaning,
        "support": parameter.support.name,
        "dimension": parameter.dimension.name,
        "low": parameter.low,
        "high": parameter.high,
    }


def _parameter_from_json(stored: Mapping[str, str]) -> Parameter:
    return Parameter(
        name=stored["name"],
        meaning=stored["meaning"],
        support=Support[stored["support"]],
        dimension=Dimension[stored["dimension"]],
        low=stored["low"],
        high=stored["high"],
    )


def _limit_to_json(limit: Limit) -> dict[str, Any]:
    real = [None if np.isnan(value) else float(value) for value in limit.real]
    losses = limit.losses.tolist()
    return {"name": limit.name, "at_low": limit.at_low, "losses": losses, "real": real}


def _limit_from_json(stored: Mapping[str, Any]) -> Limit:
    return Limit(
        name=stored["name"],
        at_low=bool(stored["at_low"]),
        losses=np.array(stored["losses"], dtype=np.float64),
        real=np.array(stored["real"], dtype=np.float64),
    )
