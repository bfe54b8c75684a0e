"""A customer-base audit: five looks at who buys, how often and for how much, before any model.

Source: Fader, Hardie and Ross (2022), The Customer-Base Audit. Lens 1: one period; 2: two periods;
3: one cohort; 4: two cohorts at the same age; 5: all cohorts over all periods.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pandas as pd

from cxmodels.data.cohorts import asked
from cxmodels.data.periods import Period
from cxmodels.data.units import Collapse, TimeUnit
from cxmodels.errors import OptionError
from cxmodels.measures.figures import money
from cxmodels.measures.one_cohort import OneCohort, one_cohort
from cxmodels.measures.one_period import OnePeriod, one_period
from cxmodels.measures.purchases_by_period import Base
from cxmodels.measures.two_cohorts import TwoCohorts, two_cohorts
from cxmodels.measures.two_periods import TwoPeriods, two_periods
from cxmodels.measures.whole_base import WholeBase, whole_base

CENSUS_NOTE = (
    "Rows marked census count all of the log and estimate nothing. Rows marked estimate are read "
    "as shares and means of further customers like these, in the same periods; their intervals "
    "say how far chance alone moves them, not what comes next."
)


@dataclass(frozen=True, eq=False, repr=False)
class Audit:
    """A customer-base audit, made by `audit`; each lens holds tables and shows itself.

    two_periods, two_cohorts: None where the log holds only one; notes say so.
    reconciliation, notes: as in a customer base; level: width of the intervals.
    """

    one_period: OnePeriod
    two_periods: TwoPeriods | None
    one_cohort: OneCohort
    two_cohorts: TwoCohorts | None
    whole_base: WholeBase
    period: TimeUnit
    level: float
    currency: str | None
    customers: int
    reconciliation: pd.DataFrame | None
    notes: tuple[str, ...] = field(default=())

    @property
    def lenses(self) -> tuple[OnePeriod | TwoPeriods | OneCohort | TwoCohorts | WholeBase, ...]:
        """The lenses that the log allows, in their order."""
        five = (
            self.one_period,
            self.two_periods,
            self.one_cohort,
            self.two_cohorts,
            self.whole_base,
        )
        return tuple(lens for lens in five if lens is not None)

    def __repr__(self) -> str:
        head = (
            f"Audit: {self.customers:,} customers by {self.period.value}, "
            f"{self.level * 100:g}% intervals"
        )
        titles = [lens.title for lens in self.lenses]
        return "\n".join([head, *titles, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        from html import escape

        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return "".join(lens._repr_html_() for lens in self.lenses) + f"<ul>{notes}</ul>"


def audit(  # noqa: PLR0913 - the door names every choice
    log: Any,
    *,
    customer: str,
    time: str,
    amount: str,
    order: str | None = None,
    period: str | TimeUnit = "year",
    periods: Sequence[str] | None = None,
    cohorts: Sequence[str] | None = None,
    start: str | date | None = None,
    end: str | date | None = None,
    collapse: str | Collapse = "day",
    timezone: str | None = None,
    time_format: str | None = None,
    duplicates: str = "keep",
    table: str | None = None,
    currency: str | None = None,
    level: float = 0.9,
) -> Audit:
    """Five looks at a customer base, as tables, from a transaction log.

    period: "week", "month", "quarter" or "year" of the calendar, for periods and cohorts.
    periods: labels of the two periods of lens 2, such as ("2024-Q1", "2024-Q2"); the later is that
    of lens 1. By default the last two that the window holds whole.
    cohorts: labels of the two cohorts of lens 4; the first is that of lens 3. By default the first
    two that the window holds whole, leaving out an opening that old customers crowd.
    start, end: give them where nobody bought on the first or last days that the log covers: else
    the periods there look incomplete. level: width of the intervals.
    The other arguments are those of `customer_base`, and so are the rules: an order
    is an occasion, refunds are netted, what is set aside is counted.

    Raises DataError with every problem of the log, OptionError for a choice that does not exist.

    >>> from cxmodels.data import samples
    >>> found = audit(samples.cdnow(), customer="customer_id", time="date", amount="amount",
    ...               period="quarter", currency="USD")
    >>> print(found.one_period.title)
    Lens 1: one period, 1998-Q2
    >>> found.two_periods.flow[["group", "customers"]].iloc[[0, 4, 5]].to_numpy().tolist()
    [['left', 215], ['came back', 131], ['new', 0]]
    """
    if not 0 < level < 1:
        raise OptionError(f"level {level!r} is not between 0 and 1")
    names, choices, unit = asked(
        (customer, time, amount, order, time_format, timezone),
        (start, end, None),
        period=period,
        collapse=collapse,
        duplicates=duplicates,
        currency=currency,
    )
    from cxmodels.data.purchase_panel import panel_from  # the engine, at its first use

    base = Base(panel_from(log, table, names, choices, unit), level, money(currency))
    return _audited(base, _chosen("periods", periods, base), _chosen("cohorts", cohorts, base))


def _audited(base: Base, given: list[int] | None, named: list[int] | None) -> Audit:
    found = base.panel.cohorts
    pair = given or _last_two(base)
    ages = named or _first_two(base)
    notes = [CENSUS_NOTE, *found.notes]
    if len(pair) < 2:
        notes.append("Only one period has purchases: lens 2 needs two; take a shorter period.")
    if len(ages) < 2:
        notes.append("Only one cohort was acquired: lens 4 needs two; take a shorter period.")
    notes += [_partial(base.periods[place]) for place in pair]
    return Audit(
        one_period=one_period(base, pair[-1]),
        two_periods=two_periods(base, pair[0], pair[1]) if len(pair) == 2 else None,
        one_cohort=one_cohort(base, ages[0]),
        two_cohorts=two_cohorts(base, ages[0], ages[1]) if len(ages) == 2 else None,
        whole_base=whole_base(base),
        period=found.period,
        level=base.level,
        currency=found.currency,
        customers=len(base.panel.customers),
        reconciliation=found.reconciliation,
        notes=tuple(note for note in notes if note),
    )


def _chosen(name: str, labels: Sequence[str] | None, base: Base) -> list[int] | None:
    """The places of two labels, in order of time; OptionError where there is no such period."""
    if labels is None:
        return None
    known = [base.periods[place].label for place in _used(base, name)]
    wrong = [label for label in labels if label not in known]
    if isinstance(labels, str) or len(set(labels)) != 2 or wrong:
        said = ", ".join(map(repr, wrong)) or repr(labels)
        most = ", ".join(known[:24]) + (", ..." if len(known) > 24 else "")
        raise OptionError(f"{name} are two different ones of {most}; got {said}")
    return sorted(next(i for i, p in enumerate(base.periods) if p.label == x) for x in labels)


def _used(base: Base, name: str) -> list[int]:
    """Places of periods with an order, or of cohorts with a customer."""
    column = base.panel.cells["period"] if name == "periods" else base.panel.customers["cohort"]
    return sorted(int(place) for place in column.unique())


def _last_two(base: Base) -> list[int]:
    used = _used(base, "periods")
    whole = [place for place in used if base.periods[place].complete]
    return (whole if len(whole) > 1 else used)[-2:]


def _first_two(base: Base) -> list[int]:
    used = _used(base, "cohorts")
    whole = [place for place in used if base.periods[place].complete]
    if base.panel.cohorts.truncated:
        whole = [place for place in whole if place > 0]
    return (whole if len(whole) > 1 else used)[:2]


def _partial(period: Period) -> str:
    if period.complete:
        return ""
    return (
        f"Of {period.label} the window holds only {period.first} to {period.last}: its totals are "
        "those of a part."
    )
