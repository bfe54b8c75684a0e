"""The moments of a test day by day, from one pass, and put together look by look."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from cxmodels.data.readings import read_time
from cxmodels.data.tables import Source
from cxmodels.data.transactions import day as day_of
from cxmodels.errors import OptionError, Problem
from cxmodels.experiments.metric_kinds import Asked
from cxmodels.experiments.moments import Block, Moments, read_moments
from cxmodels.experiments.sample_ratio_counts import broken_rules
from cxmodels.experiments.trial_contract import BETWEEN, TrialColumns

REMEDY = "Write days as 2026-03-01"


def read_days(
    source: Source, columns: TrialColumns, asked: tuple[Asked, ...], day: str
) -> tuple[dict[date, Moments], list[Problem]]:
    """Moments of each day, in order, and all that is wrong with the rows."""
    column = source.find(day)
    if column is None:
        listed = ", ".join(repr(other.name) for other in source.columns) or "none"
        said = f"day column {day!r} is not there, or more than once"
        return {}, [Problem(said, remedy=f"Columns: {listed}")]
    reading = read_time(source, column, None, None)
    if reading.problems:
        told = [
            problem.what.replace("time column", "day column", 1) for problem in reading.problems
        ]
        return {}, [Problem(what, remedy=REMEDY) for what in told]
    rules = [(replace(rule, what=rule.what.replace("time", "day", 1), remedy=REMEDY), day)
             for rule in reading.rules]  # fmt: skip
    problems = list(broken_rules(source, rules))
    text = f"CAST(CAST({reading.safe} AS DATE) AS VARCHAR)"
    read = replace(column, place=f"({text})", kind="VARCHAR")
    dated = replace(source, columns=tuple(
        read if other.name == day else other for other in source.columns
    ))  # fmt: skip
    within = replace(columns, strata=(day, *columns.strata))
    found, other = read_moments(dated, within, asked)
    problems += [problem for problem in other if "stratum column" not in problem.what
                 or repr(day) not in problem.what]  # fmt: skip
    return ({} if found is None else _split(found, columns)), problems


def _split(found: Moments, columns: TrialColumns) -> dict[date, Moments]:
    """Cells by the day that their stratum's name begins with."""
    parts = [str(label).partition(BETWEEN) for label in found.stratum]
    when = np.array([part[0] for part in parts])
    stratum = np.array([part[2] for part in parts], dtype=object)
    return {
        date.fromisoformat(str(day)): Moments(
            columns, found.asked, found.arm[keep], stratum[keep], found.cluster[keep],
            found.rows[keep],
            tuple(Block(b.terms, b.outcomes, b.sums.at(keep), b.apart.at(keep))
                  for b in found.blocks),
        )
        for day in sorted(set(when.tolist())) for keep in (when == day,)
    }  # fmt: skip


def given_days(days: Mapping[Any, Any]) -> dict[date, Moments]:
    """Moments that were kept day by day, in order; all of the same columns and metrics."""
    wrong = [value for value in days.values() if not isinstance(value, Moments)]
    if wrong or not days:
        said = f"got {type(wrong[0]).__name__}" if wrong else "got none"
        raise OptionError(f"days are a mapping of day to moments, {said}")
    found = {day_of("day", key): value for key, value in days.items()}
    return {key: found[key] for key in sorted(key for key in found if key is not None)}


def until(days: Mapping[date, Moments], looks: Sequence[date]) -> Iterable[Moments | None]:
    """All that was known at the end of each look's day (looks grow); None before the first row."""
    total: Moments | None = None
    left = list(days.items())
    for look in looks:
        while left and left[0][0] <= look:
            _, own = left.pop(0)
            total = own if total is None else total.merged(own)
        yield total
