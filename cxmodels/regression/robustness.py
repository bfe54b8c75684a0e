"""How firm is one coefficient? What could have been found, and what it would take to lose it.

Omitted causes by Cinelli and Hazlett (2020), by Oster (2019, "Unobservable selection and
coefficient stability", Journal of Business and Economic Statistics 37(2), proposition 3) and by the
E-value of a standardised effect (VanderWeele and Ding 2017, who take d for ln RR / .91); all within
the effects that the fit took out. What none of them sees is a cause that works the other way round.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.dynamic_panel import DynamicPanel
from cxmodels.regression.panel import PanelFit
from cxmodels.regression.sensitivity import (
    Sensitivity,
    as_strong,
    e_value,
    e_value_of_interval,
)
from cxmodels.results.estimate import POWER
from cxmodels.results.shown_tables import Face, Faced

TIMES = (1.0, 2.0, 3.0)
EXACT = 1e-10  # error over estimate below which a fit is exact
MORE = 1.3  # Oster's rule: all that moves the outcome explains 1.3 times what the controls do


@dataclass(frozen=True, eq=False, repr=False)
class Robustness(Faced):
    """Of one coefficient.

    checks: check, value, meaning; benchmarks: column, times, estimate and std_error that a cause
    `times` as strong as an observed column would leave (empty where the fit has no columns to look
    at); estimate, std_error: of the coefficient.
    """

    column: str
    estimate: float
    std_error: float
    checks: pd.DataFrame
    benchmarks: pd.DataFrame
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Every check with what it means."""
        head = f"{self.column}: {self.estimate:.4g} (std. error {self.std_error:.4g})"
        return Face(head, self.checks, self.notes)


def robustness(
    fit: PanelFit | DynamicPanel | Any, column: str, *, r_max: float | None = None,
    alpha: float = 0.05,
) -> Robustness:  # fmt: skip
    """What could have been found, and how strong a cause left out would have to be.

    fit: from `panel_fit` (all checks), `dynamic_panel` (power and the tests of its instruments), or
    a fit of statsmodels or linearmodels (power; all checks for least squares); column: the
    coefficient in question; r_max: R squared if nothing were left out, 1.3 times that of the fit if
    None (Oster); alpha: of significance.
    Errors: OptionError for a coefficient that is not there, or what is no fit.

    >>> from statsmodels.datasets import grunfeld
    >>> from cxmodels.regression.panel import panel_fit
    >>> firms = grunfeld.load_pandas().data
    >>> fit = panel_fit(firms, "invest", ["value", "capital"], unit="firm", period="year")
    >>> robustness(fit, "value").checks["check"].tolist()[:3]
    ['power', 'partial R2', 'robustness value']
    """
    if r_max is not None and not isinstance(r_max, int | float):
        raise OptionError(f"r_max {r_max!r} is a share of variance")
    if not (isinstance(alpha, float) and 0.0 < alpha < 1.0):
        raise OptionError(f"alpha {alpha!r} is not between 0 and 1")
    estimate, error = _coefficient(fit, column)
    rows: list[tuple[str, float | None, str]] = [
        ("power", POWER * error, "an effect of this size would have been found four times in five")
    ]
    notes = ["A cause that works the other way round is seen by leads and placebos, not here."]
    benchmarks = pd.DataFrame(columns=["column", "times", "estimate", "std_error"])
    held = _columns(fit, column)
    if held is not None:
        own = _Own(*held)
        rows += [*own.cinelli_hazlett(alpha), *own.oster(r_max), *own.e_values(error)]
        benchmarks = own.benchmarks()
    elif isinstance(fit, DynamicPanel):
        rows += _tests(fit)
    else:
        notes.append("No columns to look at: omitted causes are told of least squares alone.")
    checks = pd.DataFrame(rows, columns=["check", "value", "meaning"])
    return Robustness(column, estimate, error, checks, benchmarks, tuple(notes))


def _coefficient(fit: Any, column: str) -> tuple[float, float]:
    """Estimate and standard error by name, of our fits or of another library's."""
    found: Any
    errors: Any
    if isinstance(fit, PanelFit | DynamicPanel):
        table = fit.table.set_index("coefficient")
        found, errors = table["estimate"], table["std_error"]
    else:
        found = getattr(fit, "params", None)
        errors = getattr(fit, "bse", getattr(fit, "std_errors", None))
        if not isinstance(found, pd.Series) or not isinstance(errors, pd.Series):
            raise OptionError(
                "robustness takes a fit of panel_fit, dynamic_panel, statsmodels or linearmodels "
                f"whose coefficients have names; got {type(fit).__name__}"
            )
    if column not in found.index:
        raise OptionError(f"column {column!r} is not one of {', '.join(map(str, found.index))}")
    return float(found[column]), float(errors[column])


def _columns(fit: Any, column: str) -> tuple[Floats, Floats, list[str], int, int] | None:
    """y, X less effects, names, place and degrees of freedom; None where a fit has none of them."""
    if isinstance(fit, PanelFit):
        X, names = fit.linear.X, list(fit.table["coefficient"])
        y = X @ fit.linear.coefficients + fit.linear.e
        return y, X, names, names.index(column), len(y) - fit.linear.absorbed - X.shape[1]
    model: Any = getattr(fit, "model", None)
    if type(model).__name__ in ("OLS", "WLS") and hasattr(model, "wexog"):
        X = np.asarray(model.wexog, dtype=np.float64)
        y = np.asarray(model.wendog, dtype=np.float64)
        names = [str(name) for name in fit.params.index]
        return y, X, names, names.index(column), len(y) - X.shape[1]
    return None


@dataclass(frozen=True, eq=False)
class _Own:
    """Least squares of y (n,) on X (n, k), the column in question at `place`."""

    y: Floats
    X: Floats
    names: list[str]
    place: int
    degrees: int

    def _classical(self) -> tuple[Floats, Floats]:
        """Coefficients and their classical errors."""
        inverse = np.linalg.pinv(self.X.T @ self.X)
        b = inverse @ self.X.T @ self.y
        e = self.y - self.X @ b
        errors = np.sqrt(float(e @ e) / max(self.degrees, 1) * np.diag(inverse))
        return b, np.maximum(errors, EXACT * np.maximum(np.abs(b), 1e-280))

    def _sensitivity(self, alpha: float) -> Sensitivity:
        b, errors = self._classical()
        return Sensitivity(float(b[self.place]), float(errors[self.place]), self.degrees, alpha)

    def cinelli_hazlett(self, alpha: float) -> list[tuple[str, float | None, str]]:
        """Partial R2 and robustness values."""
        own = self._sensitivity(alpha)
        return [
            ("partial R2", own.partial_r2, "share of what is left of the outcome that it explains"),
            ("robustness value", own.robustness_value,
             "share of what is left of both that a cause would have to explain to leave nothing"),
            ("robustness value, significant", own.robustness_value_significant,
             f"or to leave nothing that is significant at {alpha:g} (classical errors)"),
        ]  # fmt: skip

    def benchmarks(self) -> pd.DataFrame:
        """What causes as strong as each observed column, once to three times, would leave."""
        own = self._sensitivity(0.05)
        b, errors = self._classical()
        x, rest = self.X[:, self.place], np.delete(self.X, self.place, axis=1)
        names = [name for place, name in enumerate(self.names) if place != self.place]
        with_outcome = _partial(np.delete(b / errors, self.place), self.degrees)
        other = _Own(x, rest, names, 0, self.degrees + 1)
        c, spread = other._classical() if names else (np.zeros(0), np.ones(0))
        with_column = _partial(c / spread, self.degrees + 1)
        rows: list[tuple[str, float, float | None, float | None]] = []
        for name, first, second in zip(names, with_column, with_outcome, strict=True):
            for times in TIMES if name != "const" else ():
                try:
                    told = as_strong(own, name, (float(first), float(second)), times)
                    rows.append((name, times, told.estimate, told.error))
                except OptionError:  # more than all of the column
                    rows.append((name, times, None, None))
        return pd.DataFrame(rows, columns=["column", "times", "estimate", "std_error"])

    def oster(self, r_max: float | None) -> list[tuple[str, float | None, str]]:
        """Proportion of selection that explains all away, and the effect where it is one to one."""
        keep = [place for place, name in enumerate(self.names) if name != "const"]
        if len(keep) < 2 or self.place not in keep:
            return []
        y, X = self.y, self.X[:, keep]
        if len(keep) < len(self.names):
            y, X = y - y.mean(), X - X.mean(axis=0)
        x, rest = X[:, keep.index(self.place)], np.delete(X, keep.index(self.place), axis=1)
        found = _oster(y, x, rest, r_max)
        if found is None:
            return []
        delta, moved, most = found
        told = f"if nothing were left out, R2 would be {most:.2f}"
        return [
            ("Oster's delta", delta, f"times the controls that would explain it away; {told}"),
            ("Oster's effect at 1", moved, "the effect if what is left out is as strong as these"),
        ]  # fmt: skip

    def e_values(self, error: float) -> list[tuple[str, float | None, str]]:
        """Of one standard deviation of the column, on the outcome less effects."""
        b, _ = self._classical()
        x, spread = self.X[:, self.place], float(self.y.std())
        if spread == 0.0:
            raise FitError("the outcome does not vary once effects are taken out")
        d, s = (float(by * x.std() / spread) for by in (b[self.place], error))
        ends = [float(np.exp(0.91 * d + sign * 1.78 * s)) for sign in (-1.0, 1.0)]
        said = "ratio by which a cause would have to go with both, a standard deviation of either"
        return [
            ("E-value", e_value(float(np.exp(0.91 * d))), said),
            ("E-value of the interval", e_value_of_interval(*ends), "of its end nearest to none"),
        ]


def _partial(t: Floats, degrees: int) -> Floats:
    return np.asarray(t**2 / (t**2 + degrees))


def _oster(
    y: Floats, x: Floats, controls: Floats, r_max: float | None
) -> tuple[float | None, float | None, float] | None:
    """delta for an effect of 0, the effect where delta is 1 (the root nearest to the controlled
    effect), and the R2 that was taken for the largest."""
    total, vx = float(y @ y) / len(y), float(x @ x) / len(y)
    bare = float(x @ y) / float(x @ x)
    r_bare = bare**2 * vx / total
    both = np.column_stack([x, controls])
    b = np.linalg.lstsq(both, y, rcond=None)[0]
    r_full = 1.0 - float(np.sum((y - both @ b) ** 2)) / len(y) / total
    most = min(MORE * r_full, 1.0) if r_max is None else float(r_max)
    if not r_full < most <= 1.0:
        if r_max is None:
            return None
        raise OptionError(f"r_max {r_max!r} is not above {r_full:.3f}, R2 of the fit, and up to 1")
    left = x - controls @ np.linalg.lstsq(controls, x, rcond=None)[0]
    tau, effect = float(left @ left) / len(y), float(b[0])
    gap, gain, room = bare - effect, (r_full - r_bare) * total, (most - r_full) * total

    def delta_at(value: float) -> float:
        off = effect - value
        above = off * gain * tau + off * vx * tau * gap**2
        above += 2.0 * off**2 * tau * gap * vx + off**3 * (tau * vx - tau**2)
        below = room * gap * vx + off * room * (vx - tau)
        below += off**2 * tau * gap * vx + off**3 * (tau * vx - tau**2)
        return above / below if below else np.nan

    # delta(value) = 1 is a cubic in off = effect - value
    cubic = [0.0, tau * gap * vx, gain * tau + vx * tau * gap**2 - room * (vx - tau),
             -room * gap * vx]  # fmt: skip
    roots = [root.real for root in np.roots(np.trim_zeros(cubic, "f")) if abs(root.imag) < 1e-9]
    moved = float(effect - min(roots, key=abs)) if roots else None
    delta = delta_at(0.0)
    return (delta if np.isfinite(delta) else None), moved, most


def _tests(fit: DynamicPanel) -> list[tuple[str, float | None, str]]:
    """What says whether the instruments of GMM may be read."""
    own = fit.tests[fit.tests["test"].isin(["AR(1)", "AR(2)", "Hansen"])]
    rows: list[tuple[str, float | None, str]] = [
        (f"{row['test']}, p", row["p_value"], str(row["sentence"]))
        for row in own.to_dict("records")
    ]
    many = fit.instruments > fit.units
    told = "more than units: they overfit" if many else f"of {fit.units:,} units"
    return [*rows, ("instruments", float(fit.instruments), told)]
