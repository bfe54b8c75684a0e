"""Whether the arms are as large as they were drawn, in those assigned and in those who answered.

A test whose arms have other sizes than were drawn (a sample-ratio mismatch) lost or gained units by
arm, and no effect it shows can be believed until it is known how (Fabijan and others 2019,
"Diagnosing sample ratio mismatch in online controlled experiments", KDD 25). The table by segment
shows where it comes from. Looked at daily, only the always-valid p-value keeps its size.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import scipy

from cxmodels.chance import generator
from cxmodels.data import tables
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.answer_tables import ODD, UNLIKE, label_of
from cxmodels.experiments.families import adjusted
from cxmodels.experiments.moments import Moments, named
from cxmodels.experiments.multinomial_sequence import always_valid
from cxmodels.experiments.plan import Registered, TestPlan
from cxmodels.experiments.planned import Said, by_plan
from cxmodels.experiments.randomisation_omnibus import of_sums, omnibus
from cxmodels.experiments.sample_ratio_counts import Counted, Wanted, counted, split_told
from cxmodels.experiments.trial_contract import TrialColumns
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import told_p
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd

ASSIGNED, RESPONSE = "assignment", "response"
NEVER = np.datetime64("1970-01-01", "ns")  # stands for no day
ALWAYS = 0.01  # always-valid p-value below which arms are not as drawn
FEW, DRAWS = 10.0, 9_999  # expected units below which a p-value is exact or drawn, and how often


@dataclass(frozen=True, eq=False, repr=False)
class SampleRatio(Faced):
    """Whether arms are as drawn.

    table: one row an arm: arm, units (clusters, where these were drawn), expected, share,
    expected_share, and with an outcome answered, response_rate. checks: kind ("assignment",
    "response"), p_value (one look), always_valid (any number of looks; missing without days).
    days: kind, day, units until then, p_value of a look that day alone, always_valid (of those who
    answered: against the shares drawn).
    segments: column, segment, kind, units, arm (farthest off), share, expected_share, p_value,
    adjusted (Holm, over all segments of the kind). mismatch: kinds that are not as drawn, in all
    or in a segment; clusters that lie in several arms are.
    """

    table: "pd.DataFrame"
    checks: "pd.DataFrame"
    days: "pd.DataFrame"
    segments: "pd.DataFrame"
    mismatch: tuple[str, ...]
    sentence: str

    def face(self) -> Face:
        """Arms, then what is wrong and where."""
        return Face("Arms as drawn, and as they are", self.table, (self.sentence,))


def sample_ratio(  # noqa: PLR0913 - the door says everything by keyword
    source: Any,
    *,
    arm: str = "arm",
    shares: Mapping[Any, float] | None = None,
    plan: TestPlan | Registered | None = None,
    by: str | Iterable[str] = (),
    day: str | None = None,
    outcome: str | None = None,
    cluster: str | None = None,
    unit: str | None = None,
    table: str | None = None,
) -> SampleRatio:
    """Sizes of arms against the shares they were drawn with.

    source, table: one row a unit, anything tabular; or arm -> number of units. arm: its column;
    shares: arm -> share, in any unit (of a plan: its own; equal if neither is given); by: columns
    of segments; day: of assignment, for a p-value that may be looked at daily; outcome: a column
    that is empty for those who did not answer; cluster: what was drawn as a whole, and then is
    what is counted; unit: if given, none may occur twice.
    Two arms: exact binomial; more: chi-squared, drawn where fewer than 10 are expected in an arm.
    Response: given the assigned numbers, chi-squared, Fisher's exact test where they are few.
    Assignment within strata or pairs varies less than this allows for: the p-value is then too
    large rather than too small. Errors: DataError with every problem; OptionError.

    >>> found = sample_ratio({"control": 5000, "call": 5250})
    >>> round(float(found.checks["p_value"].iloc[0]), 4), found.mismatch
    (0.0139, ())
    """
    of = by_plan(Said(None, (), (), None, None, None, float("nan")), plan) if plan else None
    if of is not None:
        shares, cluster = shares or of.shares, cluster or of.cluster
        unit = unit or (of.unit if _has(source, of.unit or "") else None)
    if isinstance(source, Mapping) and all(_whole(value) for value in source.values()):
        return _told(_given(source), _shares(shares, [label_of(name) for name in source]), None)
    wanted = Wanted(TrialColumns(arm, (), cluster, unit), named(by, "by"), day, outcome)
    with tables.open_log(source, table) as opened:
        what = f"test ({opened.what})"
        try:
            found, problems = counted(opened, wanted)
        except duckdb.Error as error:
            raise DataError(what, [tables.unreadable(error)]) from None
    if found is None or problems:
        raise DataError(what, problems)
    arms = [str(label) for label in dict.fromkeys(found.days["arm"])]
    if of is not None and shares == of.shares:
        shares = of.among(arms).shares
    return _told(found, _shares(shares, sorted(arms)), outcome)


def of_moments(days: Mapping[Any, Moments], shares: Mapping[Any, float]) -> SampleRatio:
    """The same from moments of each day; clusters are counted on their first day."""
    import pandas as pd

    met: set[str] = set()
    rows = []
    for when, own in days.items():
        new = own.rows
        if own.columns.cluster is not None:
            fresh = [label not in met for label in own.cluster.astype(str)]
            new = np.array(fresh, dtype=np.float64)
            met |= set(own.cluster.astype(str))
        rows += [{"arm": str(arm), "day": pd.Timestamp(when), "units": n, "answered": 0}
                 for arm, n in zip(own.arm, new, strict=True)]  # fmt: skip
    found = Counted(pd.DataFrame(rows), _no_segments(), None, _split(days))
    return _told(found, _shares(shares, sorted({str(row["arm"]) for row in rows})), None)


def _split(days: Mapping[Any, Moments]) -> str:
    """That some clusters lie in several arms, from moments of each day."""
    held: dict[str, set[str]] = {}
    name = next(iter(days.values())).columns.cluster
    for own in days.values() if name is not None else ():
        for label, arm in zip(own.cluster, own.arm, strict=True):
            held.setdefault(str(label), set()).add(str(arm))
    several = [label for label, arms in held.items() if len(arms) > 1]
    return split_told(len(several), len(held), name, min(several)) if several else ""


def _no_segments() -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(columns=["arm", "units", "answered", "segment", "column"])


def _has(source: Any, column: str) -> bool:
    """Whether a frame has a column; of what has no columns to see, yes."""
    columns = getattr(source, "columns", None)
    return columns is None or column in list(columns)


def _whole(value: Any) -> bool:
    return isinstance(value, int | float | np.integer) and not isinstance(value, bool)


def _given(counts: Mapping[Any, Any]) -> Counted:
    """Counts of arms as they were given."""
    import pandas as pd

    wrong = [f"{name}: {n}" for name, n in counts.items() if not (n >= 0 and float(n).is_integer())]
    if wrong or len(counts) < 2:
        raise OptionError(f"counts are whole numbers from 0 on, of two arms or more: {wrong[:3]}")
    days = pd.DataFrame({"arm": [label_of(name) for name in counts], "day": pd.NaT,
                         "units": list(counts.values()), "answered": 0})  # fmt: skip
    return Counted(days, _no_segments(), None)


def _shares(shares: Mapping[Any, float] | None, arms: list[str]) -> dict[str, float]:
    """Share of each arm; every arm that is there must have one."""
    given = dict.fromkeys(arms, 1.0) if shares is None else shares
    if not isinstance(given, Mapping):
        raise OptionError("shares are of every arm, as in {'control': 0.5, 'call': 0.5}")
    held = {label_of(name): share for name, share in given.items()}
    if not all(_whole(s) and np.isfinite(s) and s > 0.0 for s in held.values()):
        raise OptionError("shares are numbers above 0")
    listed = f"Arms drawn: {', '.join(map(repr, held))}"
    other = [arm for arm in arms if arm not in held]
    if other:
        raise DataError("test", [Problem(f"arm {a!r} was not drawn", remedy=listed) for a in other])
    if len(held) < 2:
        said = f"there is one arm, {', '.join(map(repr, held))}"
        remedy = "A test needs two; name all in shares="
        raise DataError("test", [Problem(said, remedy=remedy)])
    total = sum(held.values())
    return {name: float(share) / total for name, share in held.items()}


def _told(found: Counted, shares: dict[str, float], outcome: str | None) -> SampleRatio:
    import pandas as pd

    wanted = np.array(list(shares.values()))
    units, answered = (_wide(found.days, name, shares) for name in ("units", "answered"))
    table = pd.DataFrame({"arm": list(shares), "units": units.sum(axis=0).astype(np.int64)})
    total = float(units.sum())
    if total == 0.0:
        raise DataError("test", [Problem("no unit is in any arm")])
    table = table.assign(expected=total * wanted, share=table["units"] / total,
                         expected_share=wanted)  # fmt: skip
    kinds: dict[str, Floats] = {ASSIGNED: units}
    p = {ASSIGNED: ratio_p(units.sum(axis=0), wanted)}
    if outcome is not None:
        table = _answers(table, found, shares, answered.sum(axis=0).astype(np.int64))
        p[RESPONSE] = _response(found, shares, units.sum(axis=0), answered.sum(axis=0))
        if found.clusters is None:
            kinds[RESPONSE] = answered
    days = _days(found, kinds, wanted)
    last: Any = days.groupby("kind")["always_valid"].last() if len(days) else {}
    checks = pd.DataFrame([{"kind": kind, "p_value": value, "always_valid": last.get(kind)}
                           for kind, value in p.items()])  # fmt: skip
    segments = _segments(found, shares, outcome is not None)
    somewhere = set(segments.loc[segments["adjusted"] < ODD, "kind"])
    off = _off(checks, somewhere)
    sentence = found.split or _sentence(table, checks, segments, off)
    off = (ASSIGNED, *(kind for kind in off if kind != ASSIGNED)) if found.split else off
    return SampleRatio(table, checks, days, segments, off, sentence)


def _answers(
    table: "pd.DataFrame", found: Counted, shares: Mapping[str, float], answered: Any
) -> "pd.DataFrame":
    """The table with those who answered, of all units even where clusters were drawn."""
    units, own = table["units"], found.clusters
    if own is not None:
        units, answered = (_summed(own, shares, name) for name in ("units", "answered"))
    return table.assign(answered=answered, response_rate=answered / np.maximum(units, 1))


def _off(checks: "pd.DataFrame", somewhere: set[str]) -> tuple[str, ...]:
    """Checks that failed, by the p-value that their looks allow for; where assignment is off, the
    response is judged given the assigned numbers alone."""
    off: list[str] = []
    for row in checks.to_dict("records"):
        valid = row["always_valid"]
        once = valid is None or valid != valid or ASSIGNED in off
        failed = row["p_value"] < ODD if once else valid < ALWAYS
        if failed or row["kind"] in somewhere:
            off.append(row["kind"])
    return tuple(off)


def _wide(days: "pd.DataFrame", column: str, shares: Mapping[str, float]) -> Floats:
    """(days, arms) of a column; one row where no day is known."""
    day = days["day"].astype("datetime64[ns]").fillna(NEVER)
    wide = days.assign(day=day, arm=days["arm"].astype(str))
    wide = wide.pivot_table(index="day", columns="arm", values=column, aggfunc="sum")
    return wide.reindex(columns=list(shares)).fillna(0.0).to_numpy(dtype=np.float64)


def _summed(clusters: "pd.DataFrame", shares: Mapping[str, float], column: str) -> Any:
    """(arms,) of units, or of those who answered, over clusters."""
    total = clusters.groupby("arm")[column].sum().reindex(list(shares))
    return total.fillna(0).to_numpy(np.int64)


def ratio_p(counts: Floats, shares: Floats) -> float:
    """p-value of counts (a,) under shares (a,) that sum to 1.

    >>> round(ratio_p(np.array([40.0, 60.0]), np.array([0.5, 0.5])), 4)
    0.0569
    """
    n = int(counts.sum())
    if n == 0:
        return 1.0
    if counts.size == 2:
        return float(scipy.stats.binomtest(int(counts[0]), n, float(shares[0])).pvalue)
    statistic = ((counts - n * shares) ** 2 / (n * shares)).sum()
    if (n * shares).min() >= FEW:
        return float(scipy.stats.chi2.sf(statistic, counts.size - 1))
    drawn = generator(1).multinomial(n, shares, size=DRAWS)
    other = ((drawn - n * shares) ** 2 / (n * shares)).sum(axis=1)
    return float((1 + (other >= statistic - 1e-9).sum()) / (1 + DRAWS))


def _response(
    found: Counted, shares: Mapping[str, float], units: Floats, answered: Floats
) -> float:
    """That arms answered alike, given how many were assigned."""
    if found.clusters is None:
        return response_p(units, answered)
    own = found.clusters
    rate = own["answered"].sum() / own["units"].sum()
    score = (own["answered"] - rate * own["units"]).to_numpy(dtype=np.float64)
    arm = np.array([list(shares).index(str(label)) for label in own["arm"]], dtype=np.int64)
    return omnibus(score[:, None], arm, np.zeros_like(arm)).p_value


def response_p(units: Floats, answered: Floats) -> float:
    """p-value that arms of `units` (a,) answered alike, `answered` (a,) of them.

    >>> round(response_p(np.array([1000.0, 1000.0]), np.array([300.0, 350.0])), 4)
    0.017
    """
    there = units > 0.0
    units, answered = units[there], answered[there]
    n, rate = units.sum(), answered.sum() / max(units.sum(), 1.0)
    if units.size < 2 or rate in (0.0, 1.0):
        return 1.0
    if units.size == 2 and units.min() * min(rate, 1.0 - rate) < FEW:
        square = np.column_stack([answered, units - answered])
        return float(scipy.stats.fisher_exact(square)[1])
    total = (answered - units * rate)[:, None]
    product = np.array([[[n * rate * (1.0 - rate)]]])
    return of_sums(total, units[None, :], product, units.size).p_value


def _days(found: Counted, kinds: dict[str, Floats], wanted: Floats) -> "pd.DataFrame":
    """Look by look, all units until then; no rows where days are not known."""
    import pandas as pd

    names = ["kind", "day", "units", "p_value", "always_valid"]
    when = found.days["day"].dropna()
    if when.empty:
        return pd.DataFrame(columns=names)
    every = np.unique(when.to_numpy("datetime64[ns]"))
    parts, assigned = [], kinds[ASSIGNED].cumsum(axis=0)
    for kind, each in kinds.items():
        until = each.cumsum(axis=0)
        parts.append(pd.DataFrame({
            "kind": kind, "day": every, "units": until.sum(axis=1).astype(np.int64),
            "p_value": [ratio_p(row, wanted) if kind == ASSIGNED else response_p(whole, row)
                        for row, whole in zip(until, assigned, strict=True)],
            "always_valid": always_valid(until, wanted),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _segments(found: Counted, shares: dict[str, float], answers: bool) -> "pd.DataFrame":
    """One row a segment and kind, the least likely first."""
    import pandas as pd

    names = ["column", "segment", "kind", "units", "arm", "share", "expected_share", "p_value",
             "adjusted"]  # fmt: skip
    rows: list[dict[str, Any]] = []
    for (column, segment), own in found.segments.groupby(["column", "segment"], sort=False):
        held = own.assign(arm=own["arm"].astype(str)).set_index("arm").reindex(list(shares))
        units, known = (held[c].fillna(0).to_numpy(np.float64) for c in ("units", "answered"))
        wanted = np.array(list(shares.values()))
        rows.append(_segment((column, segment, ASSIGNED), units, shares, ratio_p(units, wanted)))
        if answers and found.clusters is None and known.any():
            expected = dict(zip(shares, units / units.sum(), strict=True))
            rows.append(
                _segment((column, segment, RESPONSE), known, expected, response_p(units, known))
            )
    if not rows:
        return pd.DataFrame(columns=names).astype({"adjusted": np.float64})
    table = pd.DataFrame(rows)
    for kind in table["kind"].unique():
        here = table["kind"] == kind
        table.loc[here, "adjusted"] = adjusted(table.loc[here, "p_value"].to_numpy(), "holm")
    return table[names].sort_values(["kind", "p_value"], kind="stable", ignore_index=True)


def _segment(
    names: tuple[Any, Any, str], counts: Floats, shares: dict[str, float], p: float
) -> dict[str, Any]:
    wanted = np.array(list(shares.values()))
    share = counts / max(counts.sum(), 1.0)
    far = int(np.argmax(np.abs(share - wanted) / np.sqrt(np.maximum(wanted, 1e-12))))
    return {"column": names[0], "segment": names[1], "kind": names[2], "units": int(counts.sum()),
            "arm": list(shares)[far], "share": float(share[far]),
            "expected_share": float(wanted[far]), "p_value": p}  # fmt: skip


def _sentence(
    table: "pd.DataFrame", checks: "pd.DataFrame", segments: "pd.DataFrame", off: tuple[str, ...]
) -> str:
    sizes = ", ".join(f"{row['arm']} {row['units']:,} of {row['expected']:,.0f} expected"
                      for row in table.to_dict("records"))  # fmt: skip
    parts = [f"{sizes}."]
    for row in checks.to_dict("records"):
        valid = row["always_valid"]
        looked = "" if valid is None or valid != valid else f"; at all looks {told_p(valid)}"
        said = "are not as drawn" if row["kind"] == ASSIGNED else "did not answer alike"
        if row["kind"] not in off:
            ends = ("be as drawn", "have answered alike")[row["kind"] != ASSIGNED]
            said = f"may not {ends}" if row["p_value"] < UNLIKE else f"may {ends}"
        parts.append(f"Arms {said} (p {told_p(row['p_value'])}{looked}).")
    worst = segments[segments["adjusted"] < ODD]
    parts += [f"It lies in {row['column']} {row['segment']!r}: {row['arm']} is {row['share']:.1%} "
              f"where {row['expected_share']:.1%} was drawn."
              for row in worst.head(3).to_dict("records") if row["kind"] == ASSIGNED]  # fmt: skip
    if off:
        parts.append("Find out why before believing any effect.")
    return " ".join(parts)
