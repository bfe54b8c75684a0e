"""Whether arms were alike before the test: standardised differences, and one test of them all.

A difference by chance is no fault of a draw, and intervals allow for it: of many columns some have
a small p-value in every sound test. What counts is one test of all columns together, whose small
p-value says that arms were not dealt as one thinks (Hansen and Bowers 2008, Statistical Science
23). No single p-value is given, since none is a reason to draw anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import scipy

from cxmodels.data import tables
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.answer_tables import ODD, label_of
from cxmodels.experiments.metric_kinds import Asked, Quantity, Term
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.moment_problems import LEVEL, split_clusters
from cxmodels.experiments.moments import Moments, named, read_moments
from cxmodels.experiments.randomisation_omnibus import Omnibus, of_sums, omnibus
from cxmodels.experiments.sums import Sums, pooled
from cxmodels.experiments.trial_contract import TrialColumns
from cxmodels.numerics.arrays import Ints
from cxmodels.results.estimate import check_level, told_p
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

NOTE = ("Differences within chance are no reason to draw anew, and single columns are not tested: "
        "of many, some differ in every sound test.")  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Balance(Faced):
    """What arms were like before the test.

    table: one row a column and arm: covariate, arm, n, n_control, mean, mean_control, standardised
    (difference over the root of the mean of both variances), by_chance (how far from 0 it is by
    chance, at `level`). statistic, degrees, p_value: of all columns and arms together, of the `n`
    units that have all columns.
    """

    table: "pd.DataFrame"
    statistic: float
    degrees: int
    p_value: float
    n: int
    level: float
    sentence: str

    def face(self) -> Face:
        """Differences, then the one test."""
        return Face("Arms before the test", self.table, (self.sentence, NOTE))


def balance(
    source: Any,
    *,
    covariates: str | Iterable[str],
    control: Any,
    arm: str = "arm",
    strata: str | Iterable[str] = (),
    cluster: str | None = None,
    level: float = 0.95,
    table: str | None = None,
) -> Balance:
    """Arms beside the control in columns of numbers from before the test.

    source, table: one row a unit, anything tabular; strata: within which arms were drawn; cluster:
    what was drawn as a whole; level: of what is called chance. A unit that lacks a column is left
    out of that column, and of the test of them all. Words enter as columns of 0 and 1.
    Errors: DataError with every problem of the rows, one arm, or a column that never varies.

    >>> import pandas as pd
    >>> units = pd.DataFrame({"arm": ["A", "B"] * 4, "age": [30, 31, 45, 44, 52, 53, 61, 65]})
    >>> found = balance(units, covariates=["age"], control="A")
    >>> round(found.p_value, 3), found.degrees
    (0.89, 1)
    """
    columns = named(covariates, "covariates")
    if not columns:
        raise OptionError("name the columns from before the test: covariates=")
    inside = check_level(level)
    asked = (_asked(columns), *(_asked((name,)) for name in columns if len(columns) > 1))
    trial = TrialColumns(arm, named(strata, "strata"), cluster, None, columns)
    with tables.open_log(source, table) as opened:
        what = f"test ({opened.what})"
        try:
            found, problems = read_moments(opened, trial, asked)
        except duckdb.Error as error:
            raise DataError(what, [tables.unreadable(error)]) from None
        if found is not None and not problems:
            problems += list(_problems(found, asked, label_of(control)))
        if found is None or problems:
            raise DataError(what, problems)
    return _told(found, asked, label_of(control), inside)


def _asked(columns: tuple[str, ...]) -> Asked:
    """Columns that are asked for together."""
    terms = tuple(Term(name) for name in columns)
    return Asked(columns[0], Metric(columns[0]), terms, len(terms), Quantity(0), (), "")


def _problems(moments: Moments, asked: tuple[Asked, ...], control: str) -> Iterable[Problem]:
    arms = moments.arms
    listed = ", ".join(map(repr, arms))
    if control not in arms:
        yield Problem(f"no unit is in arm {control!r}, the control", remedy=f"Arms: {listed}")
    if len(arms) < 2:
        yield Problem(f"there is one arm, {listed}", remedy="A test needs two")
        return
    yield from split_clusters(moments)
    sums = _by(moments, asked[0], _code(moments, arms), len(arms))
    few = [f"{arm!r} {int(n)}" for arm, n in zip(arms, sums.n, strict=True) if n < 2]
    if few:
        yield Problem(f"fewer than 2 units have all columns in arm {', '.join(few)}",
                      remedy="Leave out the arm, or columns that are missing")  # fmt: skip
    for item in asked[1:] or asked:
        whole = _by(moments, item, np.zeros(moments.arm.size, dtype=np.int64), 1)
        if whole.n[0] < 2 or whole.product[0, 0, 0] <= LEVEL * whole.n[0] * whole.mean[0, 0] ** 2:
            yield Problem(f"{item.terms[0]}, from before the test, is the same for every unit",
                          remedy="Leave it out")  # fmt: skip


def _code(moments: Moments, arms: tuple[str, ...]) -> Ints:
    return np.array([arms.index(str(label)) for label in moments.arm], dtype=np.int64)


def _by(moments: Moments, asked: Asked, code: Ints, size: int) -> Sums:
    return pooled(moments.block(asked).sums, code, size)


def _told(moments: Moments, asked: tuple[Asked, ...], control: str, level: float) -> Balance:
    import pandas as pd

    arms = moments.arms
    code, base = _code(moments, arms), arms.index(control)
    reach = float(scipy.stats.norm.ppf((1.0 + level) / 2.0))
    rows = []
    for item in asked[1:] or asked:
        sums = _by(moments, item, code, len(arms))
        variance = sums.covariance[:, 0, 0]
        for place, arm in enumerate(arms):
            if place == base or min(sums.n[place], sums.n[base]) < 1:
                continue
            spread = float(np.sqrt((variance[place] + variance[base]) / 2.0))
            gap = float(sums.mean[place, 0] - sums.mean[base, 0])
            rows.append({
                "covariate": str(item.terms[0]), "arm": arm, "n": int(sums.n[place]),
                "n_control": int(sums.n[base]), "mean": float(sums.mean[place, 0]),
                "mean_control": float(sums.mean[base, 0]),
                "standardised": gap / spread if spread > 0.0 else None,
                "by_chance": reach * float(np.sqrt(1.0 / sums.n[place] + 1.0 / sums.n[base])),
            })  # fmt: skip
    table = pd.DataFrame(rows)
    if moments.columns.cluster is not None:  # chance of single units says nothing of clusters
        table = table.drop(columns="by_chance")
    found = _omnibus(moments, asked[0], code, len(arms))
    n, count = int(moments.block(asked[0]).n.sum()), len(asked[0].terms)
    odd = "differ by more than their draw explains" if found.p_value < ODD else (
        "differ by no more than their draw explains"
    )  # fmt: skip
    columns = f"{count} column{'s' if count > 1 else ''}"
    told = (f"Arms {odd}: chi-squared {found.statistic:.1f} on {found.degrees}, p "
            f"{told_p(found.p_value)}, {n:,} units, {columns}.")  # fmt: skip
    return Balance(table, found.statistic, found.degrees, found.p_value, n, level, told)


def _omnibus(moments: Moments, asked: Asked, code: Ints, arms: int) -> Omnibus:
    """Of what was dealt within each stratum: units, or clusters by the sums over their units."""
    sums = moments.block(asked).sums
    _, stratum = np.unique(moments.stratum, return_inverse=True)
    strata = int(stratum.max()) + 1
    inside = pooled(sums, stratum, strata)
    off = sums.n[:, None] * (sums.mean - inside.mean[stratum])
    if moments.columns.cluster is not None:
        return omnibus(off[sums.n > 0], code[sums.n > 0], stratum[sums.n > 0])
    total = np.stack([np.bincount(code, column, arms) for column in off.T], axis=1)
    dealt = np.zeros((strata, arms))
    np.add.at(dealt, (stratum, code), sums.n)
    return of_sums(np.asarray(total, dtype=np.float64), dealt, inside.product, arms)
