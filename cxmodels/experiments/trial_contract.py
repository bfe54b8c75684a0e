"""The columns of a test as the engine reads them, and what no row of a test may hold."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cxmodels.data.dated_rows import REAL
from cxmodels.data.readings import WHOLE, Reading, Rule, is_text, quoted, read_customer
from cxmodels.data.tables import Column, Source
from cxmodels.errors import OptionError, Problem
from cxmodels.experiments.metric_kinds import Form, Term
from cxmodels.experiments.metrics import Metric

LARGEST = 1e100  # squares of larger numbers leave the range of arithmetic
BETWEEN = " | "  # joins the names of several strata


@dataclass(frozen=True)
class TrialColumns:
    """Which column plays which part: the arm, strata, the cluster, the unit, and numbers."""

    arm: str
    strata: tuple[str, ...] = ()
    cluster: str | None = None
    unit: str | None = None
    numbers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        labels = [self.arm, *self.strata]
        odd = [name for name in (*labels, *self.numbers) if not isinstance(name, str)]
        if odd:
            raise OptionError(f"columns are named by text, got {odd[0]!r}")
        twice = [name for name in labels if [*labels, *self.numbers].count(name) > 1]
        if twice:
            raise OptionError(f"column {twice[0]!r} plays two parts: give each its own")

    def named(self) -> dict[str, str]:
        """Role -> column name, for the roles that are played."""
        roles = {"arm": self.arm}
        roles |= {f"stratum ({place})": name for place, name in enumerate(self.strata, 1)}
        roles |= {"cluster": self.cluster} if self.cluster else {}
        roles |= {"unit": self.unit} if self.unit else {}
        return roles | {f"number ({place})": name for place, name in enumerate(self.numbers, 1)}


@dataclass(frozen=True)
class Layout:
    """Parts of a sound statement: SQL of the labels (None where not asked for), of the numbers by
    name, and the rules with the column that each is about."""

    columns: TrialColumns
    arm: str
    stratum: str | None
    cluster: str | None
    unit: str | None
    numbers: dict[str, str]
    rules: tuple[tuple[Rule, str], ...]
    problems: tuple[Problem, ...]

    def term(self, term: Term) -> str:
        """SQL of a term, NULL where it is missing."""
        value = self.numbers[term.column]
        if term.form is Form.ABOVE_ZERO:
            return f"CASE WHEN {value} > 0 THEN 1.0 WHEN {value} IS NOT NULL THEN 0.0 END"
        if term.form is Form.WHERE_ANY:
            return f"CASE WHEN {value} > 0 THEN {value} END"
        if term.form is Form.SCORE:
            return (f"CASE WHEN {value} >= 9 THEN 100.0 WHEN {value} <= 6 THEN -100.0 "
                    f"WHEN {value} IS NOT NULL THEN 0.0 END")  # fmt: skip
        return value


def layout(source: Source, columns: TrialColumns, metrics: Iterable[Metric]) -> Layout:
    """How the columns of a test are read; what stands against it is among its problems."""
    problems = list(_structure(source, columns))
    labels = {role: _label(source, role, name) for role, name in columns.named().items()
              if not role.startswith("number")}  # fmt: skip
    rules = [(rule, reading.column.name) for reading in labels.values() if reading
             for rule in reading.rules]  # fmt: skip
    problems += [problem for reading in labels.values() if reading for problem in reading.problems]
    numbers = {}
    for name in dict.fromkeys(columns.numbers):
        column = source.find(name)
        if column is not None:
            reading = _number(column)
            numbers[name] = reading.safe
            rules += [(rule, name) for rule in reading.rules]
            problems += reading.problems
    for metric in metrics:
        rules += [(rule, name) for rule, name in _of_kind(metric, numbers)]
    strata = [reading for role, reading in labels.items() if role.startswith("stratum") and reading]
    return Layout(
        columns,
        arm=_text(labels.get("arm")) or "NULL",
        stratum=_joined(strata),
        cluster=_own(labels.get("cluster")),
        unit=_own(labels.get("unit")),
        numbers=numbers,
        rules=tuple(dict.fromkeys(rules)),
        problems=tuple(problems),
    )


def _structure(source: Source, columns: TrialColumns) -> Iterable[Problem]:
    present = [column.name for column in source.columns]
    listed = ", ".join(map(repr, present)) or "none"
    for role, name in columns.named().items():
        if present.count(name) != 1:
            said = "is not there" if name not in present else "is there more than once"
            hint = "" if name not in source.index else f" ({name!r} is in the index: reset_index())"
            part = role.partition(" ")[0].replace("number", "metric or covariate")
            yield Problem(f"{part} column {name!r} {said}", remedy=f"Columns: {listed}{hint}")


REMEDY = {
    "arm": "Remove units that were not assigned",
    "stratum": "Name the stratum of every unit",
    "cluster": "Name the cluster of every unit",
    "unit": "Name every unit",
}


def _label(source: Source, role: str, name: str) -> Reading | None:
    """A column of labels; none may be missing."""
    column, part = source.find(name), role.partition(" ")[0]
    if column is None:
        return None
    found = read_customer(source, column)
    rules = [replace(rule, what=rule.what.replace("customer", part, 1)) for rule in found.rules]
    lost = Rule(f"{part} column {name!r} is missing", found.missing, REMEDY[part])
    told = [replace(item, what=item.what.replace("customer", part, 1)) for item in found.problems]
    return replace(found, rules=(lost, *rules), problems=tuple(told))


def _text(reading: Reading | None) -> str | None:
    """A label as text, NULL where it is missing."""
    if reading is None:
        return None
    return f"CASE WHEN NOT {reading.missing} THEN CAST({reading.safe} AS VARCHAR) END"


def _own(reading: Reading | None) -> str | None:
    """A label in its own type."""
    return None if reading is None else f"CASE WHEN NOT {reading.missing} THEN {reading.safe} END"


def _joined(readings: list[Reading]) -> str | None:
    if not readings:
        return None
    texts = [_text(reading) for reading in readings]
    if len(texts) > 1:  # a bar inside a name is doubled, so that no two pairs read alike
        texts = [f"REPLACE({text}, '|', '||')" for text in texts]
    return f" || {quoted(BETWEEN)} || ".join(f"({text})" for text in texts)


def _number(column: Column) -> Reading:
    """A column of numbers as DOUBLE, empty where missing; text is read where it is one."""
    place, kind, name = column.place, column.kind.partition("(")[0], column.name
    rules = []
    if is_text(column.kind):
        text = f"CAST({place} AS VARCHAR)"
        missing, value = f"({place} IS NULL OR TRIM({text}) = '')", f"TRY_CAST({text} AS DOUBLE)"
        said = f"column {name!r} holds text that is not a number"
        rules = [Rule(said, f"NOT {missing} AND {value} IS NULL", "Write numbers as 7 or 7.5")]
    elif kind in (*WHOLE, *REAL):
        missing, value = f"{place} IS NULL", f"CAST({place} AS DOUBLE)"
    else:
        problem = Problem(f"column {name!r} is of type {column.kind}, no number")
        return Reading(column, "NULL", "CAST(NULL AS DOUBLE)", "FALSE", problems=(problem,))
    large = f"COALESCE(NOT ISNAN({value}) AND ABS({value}) > {LARGEST!r}, FALSE)"
    rules.append(Rule(f"column {name!r} is infinite, or beyond 1e100", large, "Correct these rows"))
    safe = f"CASE WHEN NOT ISNAN({value}) AND ABS({value}) <= {LARGEST!r} THEN {value} END"
    return Reading(column, safe, safe, missing, tuple(rules))


def _of_kind(metric: Metric, numbers: dict[str, str]) -> Iterable[tuple[Rule, str]]:
    """What a kind of metric asks of its column."""
    name, value = metric.column, numbers.get(metric.column)
    if value is not None and metric.kind == "proportion":
        said = f"column {name!r} is neither 0 nor 1, as a proportion is"
        yield Rule(said, f"COALESCE({value} NOT IN (0, 1), FALSE)", "Take kind='mean'"), name
    if value is not None and metric.kind == "nps":
        said = f"column {name!r} is no whole number from 0 to 10, as an NPS needs"
        odd = f"COALESCE({value} <> TRUNC({value}) OR {value} < 0 OR {value} > 10, FALSE)"
        yield Rule(said, odd, "Give the answers themselves"), name
    if value is not None and metric.kind == "hurdle":
        said = f"column {name!r} is below 0, which has no hurdle"
        yield Rule(said, f"COALESCE({value} < 0, FALSE)", "Net refunds, or take kind='mean'"), name
    below = numbers.get(metric.per) if metric.per is not None else None
    if below is not None and metric.per is not None:
        said = f"column {metric.per!r} is below 0, and stands below a ratio"
        yield Rule(said, f"COALESCE({below} < 0, FALSE)", "Correct these rows"), metric.per
