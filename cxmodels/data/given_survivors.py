"""Counts of survivors, by age or by calendar period, become a subscription base: their contract.

All problems of a table are told together, with counts and the first cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.profiles import Bools, Floats
from cxmodels.data.subscriptions import COHORT, SPELL, SubscriptionBase, merged, parsed_unit
from cxmodels.data.units import TimeUnit
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

LAYOUTS = ("age", "calendar")


def read_survivors(
    cls: type[SubscriptionBase],
    counts: Sequence[float],
    *,
    unit: str | TimeUnit | None,
    customers: int | None,
    cohort: object,
) -> SubscriptionBase:
    """The base of one cohort."""
    try:
        values = np.asarray(counts, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError("survivors", [Problem("a count is not a number")]) from None
    if values.ndim != 1:
        raise DataError("survivors", [Problem("one cohort is a plain list of counts")])
    notes: tuple[str, ...] = ()
    if customers is not None:
        values, notes = _of_shares(values, customers)
    found = _Cells(np.array([cohort], dtype=object), values[None, :])
    return _base(cls, found, "survivors", unit=unit, notes=notes)


def _of_shares(values: Floats, customers: int) -> tuple[Floats, tuple[str, ...]]:
    if isinstance(customers, bool) or customers != int(customers) or customers < 1:
        raise OptionError(f"customers is how many there were at the start, got {customers!r}")
    if not (values.size and values[0] > 0):
        raise DataError("survivors", [Problem("the first value is not above 0")])
    whole = np.round(values / values[0] * customers)
    return whole, (f"Shares were turned into whole customers out of {customers:,}.",)


def read_cohorts(
    cls: type[SubscriptionBase],
    frame: Any,
    *,
    unit: str | TimeUnit | None,
    layout: str,
    covariates: "pd.DataFrame | None",
) -> SubscriptionBase:
    """The base of a table cohorts x periods."""
    import pandas as pd

    if layout not in LAYOUTS:
        raise OptionError(f"layout {layout!r} is not one of {', '.join(LAYOUTS)}")
    table = as_pandas(frame)
    if "cohort" in table:
        table = table.set_index("cohort")
    numbers = table.apply(pd.to_numeric, errors="coerce")
    text = (numbers.isna() & table.notna()).to_numpy()
    values = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    labels = table.index.to_numpy(dtype=object)
    if text.any():
        first = np.argwhere(text)[0]
        place = _place(labels[first[0]], first[1])
        raise DataError("cohorts", [Problem("a count is not a number", int(text.sum()), place)])
    if layout == "calendar":
        values = _by_age(values)
    found = _Cells(labels, values)
    base = _base(cls, found, "cohorts", unit=unit, notes=())
    return base if covariates is None else _with_covariates(base, covariates)


def _by_age(values: Floats) -> Floats:
    """Rows moved to the left, so that each begins with its first filled cell."""
    moved = np.full_like(values, np.nan)
    for row, line in enumerate(values):
        filled = np.flatnonzero(~np.isnan(line))
        if filled.size:
            moved[row, : line.size - filled[0]] = line[filled[0] :]
    return moved


def read_first_and_last(
    cls: type[SubscriptionBase], frame: Any, *, unit: str | TimeUnit | None
) -> SubscriptionBase:
    """The base of cohorts whose counts between the first and the last are not known."""
    table = as_pandas(frame)
    _ask_for_columns(table, ("cohort", "acquired", "age", "customers"), "first and last counts")
    age = table["age"].to_numpy(dtype=np.float64)
    bad = ~(np.isfinite(age) & (age >= 0) & (age == np.floor(age)))
    if bad.any():
        first = f"cohort {table['cohort'].iloc[int(np.argmax(bad))]}"
        problem = Problem("age is not a whole number of periods", int(bad.sum()), first)
        raise DataError("first and last counts", [problem])
    values = np.full((len(table), int(age.max(initial=0)) + 1), np.nan)
    rows = np.arange(len(table))
    values[rows, age.astype(np.int64)] = table["customers"].to_numpy(dtype=np.float64)
    values[rows, 0] = table["acquired"].to_numpy(dtype=np.float64)
    found = _Cells(table["cohort"].to_numpy(dtype=object), values)
    return _base(cls, found, "first and last counts", unit=unit, notes=())


def read_totals(
    cls: type[SubscriptionBase], frame: Any, *, unit: str | TimeUnit | None
) -> SubscriptionBase:
    """The base of which nothing but totals by period is known."""
    import pandas as pd

    table = as_pandas(frame)
    _ask_for_columns(table, ("acquired", "lost"), "totals")
    acquired, lost = (table[name].to_numpy(dtype=np.float64) for name in ("acquired", "lost"))
    label = table["period"] if "period" in table else pd.Series(np.arange(1, len(table) + 1))
    before = np.cumsum(acquired) - acquired - (np.cumsum(lost) - lost)
    both = np.stack([acquired, lost])
    rules = [
        ("a total is missing or infinite", ~np.isfinite(both).all(axis=0), ""),
        ("a total is negative", (both < 0).any(axis=0), ""),
        ("a total is not a whole number", (both != np.floor(both)).any(axis=0), ""),
        ("more customers were lost than there were at the start of the period", lost > before,
         "Records must begin with the first customer, and whoever is acquired in a period is first "
         "up for renewal in the next one."),
    ]  # fmt: skip
    problems = [
        Problem(what, int(broken.sum()), f"period {label.iloc[int(np.argmax(broken))]}", remedy)
        for what, broken, remedy in rules
        if broken.any()
    ]
    if problems:
        raise DataError("totals", problems)
    used = acquired > 0
    ages = np.arange(len(table))[::-1][used]
    unknown = np.full(ages.size, np.nan)
    facts = (label.to_numpy()[used], ages, acquired[used], unknown, unknown, unknown)
    cohorts = dict(zip(COHORT, facts, strict=True))
    totals = pd.DataFrame({"period": label.to_numpy(), "acquired": acquired, "lost": lost})
    empty = pd.DataFrame({name: np.zeros(0) for name in SPELL})
    return cls(empty, pd.DataFrame(cohorts), parsed_unit(unit), totals=totals)


def _ask_for_columns(table: "pd.DataFrame", names: Sequence[str], what: str) -> None:
    missing = [name for name in names if name not in table]
    if missing:
        columns = ", ".join(map(str, table.columns))
        raise DataError(
            what, [Problem(f"there is no column {name!r}", 0, "", f"Columns: {columns}")
                   for name in missing]
        )  # fmt: skip
    if not len(table):
        raise DataError(what, [Problem("the table is empty")])


@dataclass(frozen=True)
class _Cells:
    """Counts (cohorts, ages) with NaN where nobody counted."""

    labels: Any
    values: Floats


def _place(label: object, age: int) -> str:
    return f"cohort {label}, column {int(age) + 1}"


def _base(
    cls: type[SubscriptionBase],
    cells: _Cells,
    what: str,
    *,
    unit: str | TimeUnit | None,
    notes: tuple[str, ...],
) -> SubscriptionBase:
    problems = _problems(cells)
    if problems:
        raise DataError(what, problems)
    spells, cohorts = _spells(cells)
    return cls(spells, cohorts, parsed_unit(unit), notes=notes)


def _problems(cells: _Cells) -> list[Problem]:
    """Everything that cannot be counts of survivors."""
    values = cells.values
    if not values.size:
        return [Problem("there is not a single count")]
    known = np.where(np.isnan(values), np.inf, values)
    earlier = np.minimum.accumulate(known, axis=1)
    rise = np.zeros(values.shape, dtype=np.bool_)
    with np.errstate(invalid="ignore"):  # NaN: not counted, so not compared
        rise[:, 1:] = values[:, 1:] > earlier[:, :-1]
        whole = np.isfinite(values) & (values != np.floor(values))
        negative = values < 0
    nobody = np.zeros(values.shape, dtype=np.bool_)
    nobody[:, 0] = ~(np.nan_to_num(values[:, 0], nan=0.0) > 0)
    shares = values[:, 0].max(initial=0.0) <= 1.0 or (bool(whole.any()) and _percent(values))
    cells_rules: list[tuple[str, Bools, str]] = [
        ("survivors increase", rise, "A customer who came back is a new contract"),
        ("a count is negative", negative, ""),
        ("a count is infinite", np.isinf(values), ""),
        ("the first count is missing or 0", nobody,
         "Where columns are calendar periods, say layout='calendar'"),
    ]  # fmt: skip
    found = [_told(cells, *rule) for rule in cells_rules if rule[1].any()]
    if shares:
        found.append(
            Problem(
                "these look like shares or per cent, not customers",
                first=f"{values[0, :4].tolist()}",
                remedy="Multiply by the customers at the start, or pass customers=: without them "
                "nothing can be said about how certain a fit is",
            )
        )
    elif whole.any():
        found.append(_told(cells, "a count is not a whole number", whole, ""))
    labels = [str(label) for label in cells.labels]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        found.append(Problem("a cohort occurs more than once", len(twice), twice[0]))
    return found


def _percent(values: Floats) -> bool:
    return bool((values[:, 0] == 100.0).all())


def _told(cells: _Cells, what: str, broken: Bools, remedy: str) -> Problem:
    row, age = np.argwhere(broken)[0]
    shown = f"{_place(cells.labels[row], age)}: {cells.values[row, age]:g}"
    return Problem(what, int(broken.any(axis=1).sum()), shown, remedy)


def _spells(cells: _Cells) -> tuple["pd.DataFrame", "pd.DataFrame"]:
    """Rows of `spells` and `cohorts`, from counts that are sound."""
    import pandas as pd

    spells, cohorts = [], []
    for label, line in zip(cells.labels, cells.values, strict=True):
        ages = np.flatnonzero(~np.isnan(line))
        counts, last = line[ages], int(ages[-1])
        for place in range(1, ages.size):
            lost = counts[place - 1] - counts[place]
            if lost > 0:
                ends = (float(ages[place - 1]), float(ages[place]))
                spells.append((label, last, 0.0, *ends, int(lost)))
        if counts[-1] > 0:
            spells.append((label, last, 0.0, float(last), np.inf, int(counts[-1])))
        before = line[last - 1] if last else np.nan
        renewed = np.nan if np.isnan(before) else counts[-1]
        cohorts.append((label, last, int(counts[0]), before, renewed, int(counts[-1])))
    return pd.DataFrame(spells, columns=list(SPELL)), pd.DataFrame(cohorts, columns=list(COHORT))


def _with_covariates(base: SubscriptionBase, covariates: "pd.DataFrame") -> SubscriptionBase:
    """The base with covariates of its cohorts."""
    import dataclasses

    table = covariates.set_index("cohort") if "cohort" in covariates else covariates
    missing = ~base.cohorts["cohort"].isin(table.index)
    names = tuple(str(name) for name in table.columns)
    problems = []
    if missing.any():
        first = f"cohort {base.cohorts['cohort'][missing].iloc[0]}"
        problems.append(Problem("a cohort has no covariates", int(missing.sum()), first))
    problems += [
        Problem(f"covariate {name!r} is missing", int(table[name].isna().sum()))
        for name in names
        if table[name].isna().any()
    ]
    taken = {*SPELL, *COHORT, "customer_id"}.intersection(names)
    if taken:
        raise OptionError(f"covariate {min(taken)!r} has the name of a column of the base")
    if problems:
        raise DataError("covariates of cohorts", problems)
    spells = base.spells.join(table, on="cohort")
    cohorts = base.cohorts.join(table, on="cohort")
    return dataclasses.replace(base, spells=spells, cohorts=cohorts, covariates=names)


def cut(base: SubscriptionBase, periods: int) -> SubscriptionBase:
    """The base with the last `periods` periods unseen."""
    if isinstance(periods, bool) or periods != int(periods) or periods < 0:
        raise OptionError(f"periods is a whole number of 0 or more, got {periods!r}")
    if base.totals is not None:
        kept = base.totals.iloc[: len(base.totals) - int(periods)]
        return read_totals(type(base), kept, unit=base.unit)
    spells, names = base.spells, list(base.covariates)
    window = spells["window"] - periods
    spells = spells.assign(window=window)[(window >= 0) & (window >= spells["entry"])]
    late = spells["ended"].to_numpy() > spells["window"].to_numpy()
    seen = np.minimum(spells["lasted"], spells["window"])
    spells = spells.assign(
        lasted=np.where(late, seen, spells["lasted"]), ended=np.where(late, np.inf, spells["ended"])
    )
    spells = merged(spells, [*SPELL[:-1], *names], ["customers"])[[*SPELL, *names]]
    active = np.isinf(spells["ended"])
    lasted = active & (spells["lasted"] == spells["window"])
    latest = lasted | (spells["lasted"] == spells["window"] - 1)
    at_risk = latest & (spells["window"] > spells["entry"])
    counted = spells.assign(
        age=spells["window"].astype(np.int64),
        acquired=spells["customers"],
        previous=spells["customers"].where(at_risk),
        renewed=spells["customers"].where(at_risk & lasted),
        customers=spells["customers"].where(active, 0),
    )
    cohorts = merged(counted, ["cohort", "age", *names], COHORT[2:])
    return base.rescaled(spells, cohorts[[*COHORT, *names]])
