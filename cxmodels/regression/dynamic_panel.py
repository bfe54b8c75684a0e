"""Dynamic panels by generalised method of moments: difference and system GMM.

y_it = sum of a_l y_i,t-l + x_it b + f_i + d_t + e_it. The effects f_i are removed by differencing;
past levels are instruments for differences (Arellano and Bond 1991, Review of Economic Studies 58),
and past differences for levels (Blundell and Bond 1998, Journal of Econometrics 87). Two-step
errors are corrected for the estimated weights (Windmeijer 2005, Journal of Econometrics 126).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.regression.gmm import Moments, Stage, one_step, two_step
from cxmodels.regression.instruments import Choices, Design, Lags, design_of
from cxmodels.regression.panel_grid import frame_of, panel_of
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("difference", "system")
MANY = (
    "More instruments ({}) than units ({}): they overfit what they stand for, and Hansen's test "
    "passes whatever is wrong. Collapse them, or use fewer lags."
)


@dataclass(frozen=True, eq=False, repr=False)
class DynamicPanel(Faced):
    """A dynamic panel fit.

    table: coefficient, estimate, std_error, z, p_value, lower, upper; tests: test, statistic,
    degrees_of_freedom, p_value, sentence (AR(1), AR(2), Hansen, Sargan, and differences of
    Hansen's by group of instruments); covariance: (k, k) of all coefficients in order of `table`;
    instruments, units, rows: counts; convention: whose errors these are.
    """

    table: "pd.DataFrame"
    tests: "pd.DataFrame"
    covariance: Floats
    outcome: str
    kind: str
    instruments: int
    units: int
    rows: int
    level: float
    convention: str
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Coefficients, and what the tests say."""
        head = (
            f"{self.outcome}: {self.kind} GMM, {self.rows:,} rows of {self.units:,} units, "
            f"{self.instruments} instruments; interval {self.level:.0%}"
        )
        told = tuple(self.tests["sentence"])
        return Face(head, self.table, (*told, self.convention, *self.notes))


def dynamic_panel(  # noqa: PLR0913 - every choice of the estimator by name
    table: Any,
    outcome: str,
    regressors: Iterable[str] = (),
    *,
    unit: str,
    period: str,
    lags: int = 1,
    instruments: Mapping[str, tuple[int, int | None]] | None = None,
    kind: str = "difference",
    steps: int = 2,
    collapse: bool = False,
    time_effects: bool = True,
    corrected: bool = True,
    level: float = 0.9,
) -> DynamicPanel:
    """Difference or system GMM of an outcome on its own lags and on regressors.

    Args: table: one row a unit and period; regressors: columns, or their lags as in "L1.wage";
    lags: of the outcome; instruments: by column the first and last lag of levels that serve for
    differences, as in {"debt": (2, 4)}, None for all; the outcome has (2, None) if not named, other
    regressors are taken for strictly exogenous; kind: "difference" or "system"; steps: 1 or 2;
    collapse: one instrument a lag in place of one a lag and period (take it with few units: many
    instruments draw estimates to those of least squares); time_effects: a constant a
    period; corrected: Windmeijer's errors in two steps; level: width of intervals.
    Errors: DataError for a table that is no panel, FitError where too little is left.

    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> y = rng.normal(size=(300, 7)); own = rng.normal(size=300)
    >>> for t in range(1, 7): y[:, t] = 0.5 * y[:, t - 1] + own + rng.normal(size=300)
    >>> firm, year = np.divmod(np.arange(2_100), 7)
    >>> firms = pd.DataFrame({"firm": firm, "year": year, "y": y.ravel()})
    >>> fit = dynamic_panel(firms, "y", unit="firm", period="year")
    >>> fit.instruments, fit.rows
    (20, 1500)
    """
    import pandas as pd

    table = frame_of(table)
    _check(kind, steps, lags)
    if instruments is not None and not isinstance(instruments, Mapping):
        raise OptionError("instruments are lags by column, as in {'debt': (2, 4)}")
    inside, names = check_level(level), list(regressors)
    asked = {outcome: Lags(2, None)} | {k: Lags.of(k, *v) for k, v in (instruments or {}).items()}
    columns = dict.fromkeys([outcome, *(_parsed(name)[0] for name in names), *asked])
    panel = panel_of(table, unit, period, columns)
    if not panel.unit.size:
        raise FitError("the table has no row")
    terms = [(outcome, lag) for lag in range(1, lags + 1)] + [_parsed(name) for name in names]
    how = Choices(kind == "system", collapse, time_effects)
    design = design_of(panel, outcome, terms, asked, how)
    moments = Moments.of(design)
    first = one_step(moments)
    second = two_step(moments, first)
    stage = first if steps == 1 else second
    covariance = _certain(moments, stage.robust if steps == 1 or corrected else stage.plain)
    shown = len(terms)
    tests = _tests(design, moments, (first, second), stage, covariance)
    notes = [MANY.format(moments.instruments, moments.units)] * (
        moments.instruments > moments.units
    )
    rows = int(design.equation.sum() if kind == "system" else (~design.equation).sum())
    return DynamicPanel(
        table=_table(design.names[:shown], stage.coefficients, covariance, inside),
        tests=pd.DataFrame(tests),
        covariance=covariance[:shown, :shown],
        outcome=outcome,
        kind=kind,
        instruments=moments.instruments,
        units=moments.units,
        rows=rows,
        level=inside,
        convention=_convention(steps, corrected),
        notes=(*design.notes, *notes),
    )


def _certain(moments: Moments, covariance: Floats) -> Floats:
    """The covariance, if it is one."""
    if (np.diag(covariance) > 0.0).all():
        return covariance
    raise FitError(
        f"{moments.instruments} instruments and {moments.units} units: the weights of two steps "
        "cannot be told from so few; collapse the instruments, or take steps=1"
    )


def _check(kind: str, steps: int, lags: int) -> None:
    if kind not in KINDS:
        raise OptionError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
    if steps not in (1, 2):
        raise OptionError(f"steps {steps!r} is neither 1 nor 2")
    if not (isinstance(lags, int) and lags >= 1):
        raise OptionError(f"lags {lags!r} is not 1 or more: a dynamic panel has its own past")


def _parsed(name: str) -> tuple[str, int]:
    """ "L2.wage" is wage two periods before, "L.wage" one."""
    head, dot, column = name.partition(".")
    if dot and head[:1] == "L" and (head[1:].isdigit() or head == "L"):
        return column, int(head[1:] or 1)
    return name, 0


def _table(names: tuple[str, ...], b: Floats, covariance: Floats, level: float) -> "pd.DataFrame":
    import pandas as pd

    b = b[: len(names)]
    error = np.sqrt(np.diag(covariance))[: len(names)]
    half = float(scipy.special.ndtri((1.0 + level) / 2.0)) * error
    return pd.DataFrame(
        {
            "coefficient": names,
            "estimate": b,
            "std_error": error,
            "z": b / error,
            "p_value": 2.0 * scipy.special.ndtr(-np.abs(b / error)),
            "lower": b - half,
            "upper": b + half,
        }
    )


def _convention(steps: int, corrected: bool) -> str:
    if steps == 1:
        return "One step; errors robust to any correlation within units (Stata's xtabond2, robust)."
    how = "corrected for the estimated weights (Windmeijer)" if corrected else "not corrected"
    return f"Two steps; errors {how}; z and chi-square, no factor of few units."


def _tests(
    design: Design,
    moments: Moments,
    both: tuple[Stage, Stage],
    stage: Stage,
    covariance: Floats,
) -> list[dict[str, Any]]:
    first, second = both
    rows = [_serial(design, moments, stage, covariance, order) for order in (1, 2)]
    df = moments.instruments - len(design.names)
    if df <= 0:
        said = "exactly identified: no restriction is left to test"
        return [*rows, {"test": "Hansen", "statistic": None, "degrees_of_freedom": 0,
                        "p_value": None, "sentence": said}]  # fmt: skip
    rows.append(_chi2("Hansen", second.criterion, df, "the instruments are valid"))
    sargan = first.criterion / first.variance
    rows.append(_chi2("Sargan, one step, if errors are alike", sargan, df, "they are valid"))
    for name in dict.fromkeys(moments.groups):
        keep = np.array([group != name for group in moments.groups])
        left = int(keep.sum()) - len(design.names)
        if left < 0 or keep.all():
            continue
        try:
            rest = moments.without(keep, second.weight_inverse)
        except FitError:
            continue
        gap = max(second.criterion - rest, 0.0)
        rows.append(_chi2(f"difference in Hansen: {name}", gap, df - left, f"{name} are valid"))
    return rows


def _chi2(test: str, statistic: float, df: int, claim: str) -> dict[str, Any]:
    p = float(scipy.special.chdtrc(df, statistic))
    verdict = "rejected at 5 per cent" if p < 0.05 else "not rejected"
    said = f"{test}: chi2({df}) {statistic:.3f}, p {p:.3f}: that {claim} is {verdict}"
    return {"test": test, "statistic": statistic, "degrees_of_freedom": df, "p_value": p,
            "sentence": said}  # fmt: skip


def _serial(
    design: Design, moments: Moments, stage: Stage, covariance: Floats, order: int
) -> dict[str, Any]:
    """Arellano and Bond's m_j: are differenced errors correlated `order` periods apart?"""
    name = f"AR({order})"
    rows = np.flatnonzero(~design.equation)
    e = stage.residuals
    before = design.before(order)
    there = before >= 0
    past = np.where(there, e[np.maximum(before, 0)], 0.0)[rows]
    if not there[rows].any():
        said = f"{name}: too few periods to tell"
        return {"test": name, "statistic": None, "degrees_of_freedom": None, "p_value": None,
                "sentence": said}  # fmt: skip
    own = np.bincount(design.unit[rows], weights=past * e[rows], minlength=moments.units_given)
    q = past @ design.X[rows]
    cross = stage.bread @ moments.XZ @ stage.weight @ (moments.sums(e).T @ own)
    variance = float(own @ own - 2.0 * q @ cross + q @ covariance @ q)
    if variance <= 0.0:
        said = f"{name}: its variance cannot be told"
        return {"test": name, "statistic": None, "degrees_of_freedom": None, "p_value": None,
                "sentence": said}  # fmt: skip
    z = float(own.sum() / np.sqrt(variance))
    p = float(2.0 * scipy.special.ndtr(-abs(z)))
    found = "correlated" if p < 0.05 else "not shown to be correlated"
    why = " (as they are if levels are not)" if order == 1 else ""
    said = f"{name}: z {z:.3f}, p {p:.3f}: differenced errors are {found}{why}"
    return {"test": name, "statistic": z, "degrees_of_freedom": None, "p_value": p,
            "sentence": said}  # fmt: skip
