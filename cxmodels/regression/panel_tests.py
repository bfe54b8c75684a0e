"""Tests on panels: are unit effects correlated with regressors, and units with one another?"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.regression.panel import PanelFit
from cxmodels.results.estimate import told_p

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 3  # periods that two units share


@dataclass(frozen=True)
class Tested:
    """A test: statistic, degrees of freedom (None: normal), p-value, and what it says."""

    statistic: float
    degrees_of_freedom: int | None
    p_value: float
    sentence: str


def hausman(within: PanelFit, random: PanelFit) -> Tested:
    """Are random effects as good as fixed ones? Hausman (1978), Econometrica 46, equation 3.8.

    Both with iid errors and the same regressors. Where the difference of covariances is no
    covariance, as happens in small samples, FitError says to use `robust_hausman`.
    """
    kinds = [getattr(fit, "estimator", None) for fit in (within, random)]
    plain = [str(getattr(fit, "convention", "")).startswith("iid") for fit in (within, random)]
    if kinds[0] not in ("within", "two-way") or kinds[1] != "random" or not all(plain):
        raise OptionError(
            "hausman takes a fit within units and one with random effects, both with errors='iid'; "
            "for other errors see robust_hausman"
        )
    names = [name for name in within.table["coefficient"] if name != "const"]
    both = [fit.table.set_index("coefficient")["estimate"] for fit in (within, random)]
    if any(name not in both[1] for name in names):
        raise OptionError("the two fits have other regressors: give one within and one random fit")
    gap = (both[0][names] - both[1][names]).to_numpy(dtype=np.float64)
    own = within.covariance[: len(names), : len(names)]
    place = [list(random.table["coefficient"]).index(name) for name in names]
    difference = own - random.covariance[np.ix_(place, place)]
    if np.linalg.eigvalsh(difference)[0] <= 0.0:
        raise FitError(
            "the within estimates are not less certain than the random ones in every direction, as "
            "the test needs: use robust_hausman"
        )
    return _chi2(float(gap @ np.linalg.solve(difference, gap)), len(names), "Hausman")


def robust_hausman(mundlak: PanelFit) -> Tested:
    """The same with any errors: are the means of units 0 beside the columns themselves?

    mundlak: a fit with estimator="mundlak" and the errors that are wanted (Wooldridge 2010,
    section 10.7.3).
    """
    names = list(mundlak.table["coefficient"])
    place = [at for at, name in enumerate(names) if name.startswith("mean of ")]
    if mundlak.estimator != "mundlak" or not place:
        raise OptionError("robust_hausman takes a fit with estimator='mundlak'")
    b = mundlak.table["estimate"].to_numpy()[place]
    V = mundlak.covariance[np.ix_(place, place)]
    return _chi2(float(b @ np.linalg.solve(V, b)), len(place), "Hausman, robust")


def _chi2(statistic: float, df: int, name: str) -> Tested:
    p = float(scipy.special.chdtrc(df, statistic))
    verdict = (
        "effects of units go with the regressors: random effects would mislead"
        if p < 0.05
        else "no sign that effects of units go with the regressors"
    )
    return Tested(statistic, df, p, f"{name}: chi2({df}) {statistic:.3f}, p {told_p(p)}: {verdict}")


def pesaran_cd(fit: PanelFit) -> Tested:
    """Do residuals of units move together? Pesaran (2004), equation 30 (unbalanced: 31).

    CD = sqrt(2 / (N (N - 1))) sum over pairs of sqrt(T_ij) rho_ij, about normal.
    """
    return dependence_of(fit.linear.e, fit.linear.unit, fit.linear.period)


def dependence_of(residuals: Floats, units: Ints, period: Ints) -> Tested:
    """The same of residuals (n,) by unit and period, from whatever regression."""
    _, unit = np.unique(units, return_inverse=True)
    N, T = int(unit.max()) + 1, int(np.ptp(period)) + 1
    grid = np.full((N, T), np.nan)
    grid[unit, period - period.min()] = residuals
    total, pairs = 0.0, 0
    known = np.isfinite(grid)
    filled = np.where(known, grid, 0.0)
    for first in range(N - 1):
        shared = known[first] & known[first + 1 :]
        size = shared.sum(axis=1)
        use = size >= FEWEST
        if not use.any():
            continue
        rho = _correlations(filled[first], filled[first + 1 :][use], shared[use])
        total += float(np.sqrt(size[use]) @ rho)
        pairs += int(use.sum())
    if not pairs:
        raise FitError(f"no two units share {FEWEST} periods")
    z = total / float(np.sqrt(pairs))
    p = float(2.0 * scipy.special.ndtr(-abs(z)))
    verdict = (
        "units move together: use Driscoll-Kraay errors, or clusters by period"
        if p < 0.05
        else "no sign that units move together"
    )
    return Tested(z, None, p, f"Pesaran CD: z {z:.3f}, p {told_p(p)}: {verdict}")


def _correlations(one: Floats, others: Floats, shared: Floats) -> Floats:
    """(m,) correlations of one unit with others over the periods that both have."""
    size = shared.sum(axis=1, keepdims=True)
    a = np.where(shared, one, 0.0)
    a = np.where(shared, a - a.sum(axis=1, keepdims=True) / size, 0.0)
    b = np.where(shared, others, 0.0)
    b = np.where(shared, b - b.sum(axis=1, keepdims=True) / size, 0.0)
    spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.asarray((a * b).sum(axis=1) / np.where(spread > 0.0, spread, 1.0))


def tests_of(fits: dict[str, PanelFit]) -> "pd.DataFrame":
    """Every test that these fits allow, by estimator: test, statistic, df, p_value, sentence."""
    import pandas as pd

    rows: list[tuple[str, Tested]] = []
    if {"within", "random"} <= fits.keys():
        try:
            rows.append(("Hausman", hausman(fits["within"], fits["random"])))
        except FitError as error:
            rows.append(("Hausman", Tested(np.nan, None, np.nan, str(error))))
    if "mundlak" in fits:
        rows.append(("Hausman, robust", robust_hausman(fits["mundlak"])))
    if "within" in fits:
        rows.append(("Pesaran CD", pesaran_cd(fits["within"])))
    return pd.DataFrame([{"test": name, **vars(found)} for name, found in rows])
