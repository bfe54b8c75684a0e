"""All that the analysis of a test needs of its data, in one pass, and mergeable day by day.

Counts, means and centred cross-products by arm (by stratum and cluster where asked for), computed
inside the engine by updating formulas that do not cancel. A unit without an outcome is not counted
for that outcome; units without a value from before the test are kept apart, since filling it in
needs the mean of the others.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from cxmodels.data import tables
from cxmodels.data.log_contract import first_row
from cxmodels.data.tables import LOG, Source
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.metric_kinds import Asked, Term, asked_of, metrics_of
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.sums import Sums, joined, pooled
from cxmodels.experiments.trial_contract import Layout, TrialColumns, layout
from cxmodels.numerics.arrays import Floats

if TYPE_CHECKING:
    import pandas as pd

WHAT = "test"
AT_ONCE = 20  # metrics a statement: planning a longer one takes longer than another pass
EMPTY = "''"  # no label, as SQL


@dataclass(frozen=True, eq=False)
class Block:
    """Terms (k) that were known together, outcomes first: sums by cell (c) of units that have all,
    and apart of those that lack a value from before the test, which count as 0 there."""

    terms: tuple[Term, ...]
    outcomes: int
    sums: Sums
    apart: Sums

    @property
    def n(self) -> Floats:
        """Units (c,) whose outcome is known."""
        return self.sums.n + self.apart.n

    def filled(self, fill: Floats) -> Sums:
        """Cells (2 c,): of units that have all, then of those that get means `fill` (k,)."""
        mean = self.apart.mean.copy()
        mean[:, self.outcomes :] = fill[self.outcomes :]
        return joined(self.sums, Sums(self.apart.n, mean, self.apart.product))


@dataclass(frozen=True, eq=False)
class Moments:
    """Sufficient statistics of a test, one cell an arm, stratum, cluster and kind of row.

    arm, stratum, cluster: (c,) labels, empty text where not asked for; rows: (c,) units, known
    outcome or not; blocks: their sums.
    """

    columns: TrialColumns
    asked: tuple[Asked, ...]
    arm: Any
    stratum: Any
    cluster: Any
    rows: Floats
    blocks: tuple[Block, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """Labels of the arms."""
        return tuple(sorted({str(label) for label in self.arm}))

    def block(self, asked: Asked) -> Block:
        """The sums that an outcome is compared by."""
        wanted = (asked.terms, asked.outcomes)
        return next(item for item in self.blocks if (item.terms, item.outcomes) == wanted)

    def merged(self, other: "Moments") -> "Moments":
        """Both put together: the moments of all rows, as if they had been read at once.

        Errors: OptionError where the two were not read for the same columns and metrics.
        """
        if not isinstance(other, Moments):
            raise OptionError(f"moments merge with moments, got {type(other).__name__}")
        if (self.columns, self.asked) != (other.columns, other.asked):
            raise OptionError("these moments were read for other columns or metrics")
        keys = [
            np.concatenate([getattr(part, name) for part in (self, other)])
            for name in ("arm", "stratum", "cluster")
        ]
        code, first = _codes(keys)
        size = first.size
        blocks = tuple(
            Block(
                a.terms,
                a.outcomes,
                pooled(joined(a.sums, b.sums), code, size),
                pooled(joined(a.apart, b.apart), code, size),
            )
            for a, b in zip(self.blocks, other.blocks, strict=True)
        )
        rows = np.bincount(code, np.concatenate([self.rows, other.rows]), size).astype(np.float64)
        arm, stratum, cluster = (key[first] for key in keys)
        return Moments(self.columns, self.asked, arm, stratum, cluster, rows, blocks)

    @property
    def table(self) -> "pd.DataFrame":
        """Columns arm, metric, n, mean and variance, cells put together; a ratio has a row for each
        of its two columns."""
        import pandas as pd

        names = list(self.arms)
        code = np.array([names.index(str(label)) for label in self.arm], dtype=np.int64)
        rows = []
        for block in self.blocks:
            sums = pooled(block.filled(np.zeros(len(block.terms))), np.tile(code, 2), len(names))
            for place, term in enumerate(block.terms[: block.outcomes]):
                variance = sums.covariance[:, place, place]
                rows += [
                    {"arm": name, "metric": str(term), "n": int(sums.n[i]),
                     "mean": sums.mean[i, place], "variance": variance[i]}
                    for i, name in enumerate(names)
                ]  # fmt: skip
        return pd.DataFrame(rows).drop_duplicates(["arm", "metric"], ignore_index=True)


def _codes(keys: list[Any]) -> tuple[Any, Any]:
    """A number for each distinct row of keys, and where each is first met."""
    code = np.zeros(keys[0].size, dtype=np.int64)
    for key in keys:
        _, own = np.unique(key, return_inverse=True)
        _, code = np.unique(code * (own.max(initial=0) + 1) + own, return_inverse=True)
    _, first = np.unique(code, return_index=True)
    return code, first


def moments(
    source: Any,
    *,
    arm: str,
    metrics: Iterable[str | Metric],
    covariates: Iterable[str] = (),
    strata: str | Iterable[str] = (),
    cluster: str | None = None,
    unit: str | None = None,
    table: str | None = None,
) -> Moments:
    """Sufficient statistics of a test's metrics in one pass over the source.

    source: a frame, an Arrow table, a Parquet or CSV path, a DuckDB table with one row a unit;
    metrics: columns, or `Metric`; covariates: columns from before the test; strata, cluster: that
    the test was drawn in; unit: if given, none may occur twice or in two arms.
    Errors: DataError with every problem of the rows. What only the whole can show (an arm too
    small, a metric that never varies) is told by `analyse`.

    >>> import pandas as pd
    >>> day = pd.DataFrame({"arm": ["A", "A", "B", "B"], "spend": [1.0, 3.0, 2.0, None]})
    >>> one = moments(day, arm="arm", metrics=["spend"])
    >>> one.merged(one).table[["arm", "n", "mean"]].to_dict("list")
    {'arm': ['A', 'B'], 'n': [4, 2], 'mean': [2.0, 2.0]}
    """
    wanted = asked_of(metrics_of(metrics), named(covariates, "covariates"))
    numbers = tuple(dict.fromkeys(term.column for asked in wanted for term in asked.terms))
    columns = TrialColumns(arm, named(strata, "strata"), cluster, unit, numbers)
    with tables.open_log(source, table) as opened:
        try:
            found, problems = read_moments(opened, columns, wanted)
        except duckdb.Error as error:
            raise DataError(f"{WHAT} ({opened.what})", [tables.unreadable(error)]) from None
        if found is None or problems:
            raise DataError(f"{WHAT} ({opened.what})", problems)
        return found


def named(given: str | Iterable[str] | None, what: str) -> tuple[str, ...]:
    """Names of columns; one alone may be given as it is."""
    if given is None:
        return ()
    listed = (given,) if isinstance(given, str) else tuple(given)
    wrong = [item for item in listed if not isinstance(item, str)]
    if wrong:
        raise OptionError(f"{what} are names of columns, got {wrong[0]!r}")
    return tuple(dict.fromkeys(listed))


def read_moments(
    source: Source, columns: TrialColumns, asked: tuple[Asked, ...]
) -> tuple[Moments | None, list[Problem]]:
    """The moments of an opened source, or None, and all that is wrong with its rows."""
    plan = layout(source, columns, [item.metric for item in asked])
    if plan.problems:  # columns that are not there make every other finding unsure
        return None, list(plan.problems)
    shapes = list(dict.fromkeys((item.terms, item.outcomes) for item in asked))
    found: dict[str, Any] = {}
    for start in range(0, len(shapes), AT_ONCE):
        query = _query(plan, dict(list(enumerate(shapes))[start : start + AT_ONCE]))
        found = source.connection.execute(query).fetchnumpy() | found
    values = {name: _plain(column) for name, column in found.items()}
    if not values["n"].sum():
        return None, [Problem("the table is empty", remedy="It has columns but not a single row")]
    problems = list(_broken(source, plan, values))
    if columns.unit is not None:
        problems += repeated_units(source, plan)
    values = {name: column[_labelled(found)] for name, column in values.items()}
    blocks = tuple(
        Block(
            terms,
            outcomes,
            _sums(values, f"b{place}", len(terms), len(terms)),
            _sums(values, f"a{place}", outcomes if len(terms) > outcomes else 0, len(terms)),
        )
        for place, (terms, outcomes) in enumerate(shapes)
    )
    arm, stratum, cluster = (values[name] for name in ("arm", "stratum", "cluster"))
    rows = values["n"].astype(np.float64)
    return Moments(columns, asked, arm, stratum, cluster, rows, blocks), problems


def _plain(column: Any) -> Any:
    """A fetched column without a mask: numbers with 0 for none, labels with empty text."""
    if isinstance(column, np.ma.MaskedArray):
        return column.filled("" if column.dtype == object else 0)
    return np.asarray(column)


def _labelled(found: dict[str, Any]) -> Any:
    """Cells (c,) all of whose labels are there."""
    lost = np.zeros(found["n"].size, dtype=bool)
    for name in ("arm", "stratum", "cluster"):
        lost |= np.ma.getmaskarray(found[name])
    return ~lost


def _query(plan: Layout, shapes: dict[int, tuple[tuple[Term, ...], int]]) -> str:
    """One statement for labels, counts of broken rules, and the sums of blocks by place."""
    every = dict.fromkeys(term for own, _ in shapes.values() for term in own)
    terms = {term: f"t{place}" for place, term in enumerate(every)}
    inner = [f"{plan.arm} AS arm", f"{plan.stratum or EMPTY} AS stratum",
             f"{plan.cluster or EMPTY} AS cluster"]  # fmt: skip
    inner += [f"{plan.term(term)} AS {name}" for term, name in terms.items()]
    inner += [f"{rule.broken} AS r{place}" for place, (rule, _) in enumerate(plan.rules)]
    shown = ["arm", "stratum", "cluster", "COUNT(*) AS n"]
    shown += [f"COUNT_IF(r{place}) AS r{place}" for place in range(len(plan.rules))]
    for place, (own, outcomes) in shapes.items():
        names = [terms[term] for term in own]
        has = [f"{name} IS NOT NULL" for name in names]
        shown += _aggregates(f"b{place}", names, " AND ".join(has))
        if outcomes < len(own):
            known, before = " AND ".join(has[:outcomes]), " AND ".join(has[outcomes:])
            shown += _aggregates(f"a{place}", names[:outcomes], f"{known} AND NOT ({before})")
    return (f"SELECT {', '.join(shown)} FROM (SELECT {', '.join(inner)} FROM {LOG})"
            " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3")  # fmt: skip


def _aggregates(label: str, names: list[str], where: str) -> list[str]:
    """Count, means and co-moments of columns over the rows that meet a condition."""
    shown = [f"COUNT_IF({where}) AS {label}_n"]
    for i, one in enumerate(names):
        shown.append(f"FAVG({one}) FILTER (WHERE {where}) AS {label}_m{i}")
        for j, two in enumerate(names[i:], i):
            pair = f"COVAR_POP({one}, {two}) FILTER (WHERE {where})"
            shown.append(f"{pair} AS {label}_p{i}_{j}")
    return shown


def _sums(values: dict[str, Any], label: str, known: int, k: int) -> Sums:
    """Sums (c,) of k terms of which the first `known` were asked for; the others are 0."""
    size = values["n"].size
    n = values[f"{label}_n"].astype(np.float64) if known else np.zeros(size)
    mean, product = np.zeros((size, k)), np.zeros((size, k, k))
    for i in range(known):
        mean[:, i] = values[f"{label}_m{i}"]
        for j in range(i, known):
            product[:, i, j] = product[:, j, i] = n * values[f"{label}_p{i}_{j}"]
    return Sums(n, mean, product)


def _broken(source: Source, plan: Layout, values: dict[str, Any]) -> Iterable[Problem]:
    """Rules that rows break, with counts and the first row: its labels and the column at fault."""
    for place, (rule, name) in enumerate(plan.rules):
        count = int(values[f"r{place}"].sum())
        if count:
            own = plan.columns
            labels = {own.arm, *own.strata, own.cluster, own.unit}
            numbers = () if name in labels else (name,)
            shown = TrialColumns(own.arm, own.strata, own.cluster, own.unit, numbers)
            yield Problem(rule.what, count, first_row(source, rule.broken, shown), rule.remedy)


def repeated_units(source: Source, plan: Layout) -> Iterable[Problem]:
    """Units in two arms, or with several rows that nothing says belong together."""
    by_unit = (
        f"SELECT {plan.unit} AS unit, COUNT(*) AS n, COUNT(DISTINCT {plan.arm}) AS arms,"
        f" MIN({plan.arm}) AS one, MAX({plan.arm}) AS two FROM {LOG}"
        f" WHERE {plan.unit} IS NOT NULL GROUP BY 1"
    )
    twice = "arms = 1 AND n > 1" if plan.cluster is None else "FALSE"
    for condition, said, remedy in (
        (
            "arms > 1",
            "a unit is in two arms",
            "Remove it from both, and find out how it came",
        ),
        (twice, "a unit has several rows", "Sum them to one row a unit, or name it as cluster="),
    ):
        query = (
            f"SELECT COUNT(*), SUM(n), MIN_BY((CAST(unit AS VARCHAR), n, one, two), unit)"
            f" FROM ({by_unit}) WHERE {condition}"
        )
        ((count, rows, first),) = tables.rows_of(source.connection, query)
        if count:
            name, own, one, two = first.values() if isinstance(first, dict) else first
            where = f"arms {one!r} and {two!r}" if one != two else f"arm {one!r}"
            told = f"{plan.columns.unit} {name}, {own:,} rows in {where}; {count:,} units in all"
            yield Problem(said, int(rows), told, remedy)
