"""The subscription base: contracts whose end is seen, counted by age, with what is known of each.

Age is the time since a contract began, in periods of the base (its renewals). A spell says between
which ages a contract ended, or that it was still active when last seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.units import TimeUnit
from cxmodels.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

SPELL = ("cohort", "window", "entry", "lasted", "ended", "customers")
COHORT = ("cohort", "age", "acquired", "previous", "renewed", "customers")


@dataclass(frozen=True, eq=False, repr=False)
class SubscriptionBase:
    """Contracts by cohort and age; made by one of the `from_` methods.

    spells: cohort, window (periods over which the contract could be observed), entry (age from
    which it was observed, 0 unless records begin later), lasted and ended (it was active at the one
    age and no longer at the other, which is infinite where it is active still), customers,
    covariates.
    exact: the same with ages to the day, where dates were given; None where not.
    cohorts: cohort, age (whole periods), acquired, previous (customers one period ago),
    renewed (of these), customers (active now), covariates: one row a group of customers alike.
    contracts: customer_id, cohort, age, active, covariates, where contracts were given.
    totals: period, acquired, lost, where nothing but totals is known; spells are then empty.
    unit: the length of one period; None where it was not said, and money cannot be discounted then.
    notes: what a reader has to know, in sentences.
    """

    spells: pd.DataFrame
    cohorts: pd.DataFrame
    unit: TimeUnit | None = None
    covariates: tuple[str, ...] = ()
    exact: pd.DataFrame | None = None
    contracts: pd.DataFrame | None = None
    totals: pd.DataFrame | None = None
    end: date | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def from_survivors(
        cls,
        counts: Sequence[float],
        *,
        unit: str | TimeUnit | None = None,
        customers: int | None = None,
        cohort: object = "all",
    ) -> SubscriptionBase:
        """One cohort: how many of it were still active at age 0, 1, 2, ...

        Args: counts: customers, beginning with all who were acquired; unit: length of a period,
        such as "month"; customers: how many there were at the start, needed where counts are
        shares or per cent (they are then turned into whole customers); cohort: its name.
        Raises: DataError listing everything that cannot be a survivor curve.

        >>> SubscriptionBase.from_survivors([1000, 869, 743, 653, 593], unit="year")
        SubscriptionBase: 1,000 customers, 593 still active; 1 cohort, 4 periods; period year
        """
        from cxmodels.data.given_survivors import read_survivors

        return read_survivors(cls, counts, unit=unit, customers=customers, cohort=cohort)

    @classmethod
    def from_cohorts(
        cls,
        frame: Any,
        *,
        unit: str | TimeUnit | None = None,
        layout: str = "age",
        covariates: pd.DataFrame | None = None,
    ) -> SubscriptionBase:
        """Many cohorts: one row each, one column a period, customers still active in each.

        Args: frame: rows are cohorts (index, or a column `cohort`); with layout "age" the first
        column is age 0, with layout "calendar" columns are calendar periods and a cohort begins in
        its first filled one. Later cells may be empty: trailing ones are not yet observed, others
        were not counted (first and last counts are enough). covariates: one row a cohort.
        """
        from cxmodels.data.given_survivors import read_cohorts

        return read_cohorts(cls, frame, unit=unit, layout=layout, covariates=covariates)

    @classmethod
    def from_first_and_last(
        cls, frame: Any, *, unit: str | TimeUnit | None = None
    ) -> SubscriptionBase:
        """Limited information: of each cohort the first and the last count alone.

        Args: frame: columns cohort, acquired, age (periods between the counts), customers.
        """
        from cxmodels.data.given_survivors import read_first_and_last

        return read_first_and_last(cls, frame, unit=unit)

    @classmethod
    def from_totals(cls, frame: Any, *, unit: str | TimeUnit | None = None) -> SubscriptionBase:
        """Limited information: customers acquired and lost in each period, over all cohorts.

        Args: frame: columns acquired and lost, one row a period in order (and period, its name).
        Records begin with the first customer. Whoever is acquired in a period is first up for
        renewal in the next one.
        """
        from cxmodels.data.given_survivors import read_totals

        return read_totals(cls, frame, unit=unit)

    @classmethod
    def from_contracts(  # noqa: PLR0913 - the door names every column and day
        cls,
        frame: Any,
        *,
        customer: str,
        start: str,
        end: str,
        as_of: str | date,
        unit: str | TimeUnit,
        cohort: str | None = None,
        covariates: Iterable[str] = (),
        observed_from: str | date | None = None,
    ) -> SubscriptionBase:
        """One row a contract, with the days on which it began and ended.

        Args: frame: any tabular object or path; customer, start, end: its columns, end empty while
        the contract is active; as_of: the last day that the records cover; unit: the length of a
        period, "month" for monthly renewals; cohort: a column, the start's own period if None;
        covariates: columns that may explain who leaves; observed_from: the day records begin, where
        older contracts are known only if they were still active then.
        Contracts that end after `as_of` count as active. An end within period k counts as lost at
        renewal k; only whole periods count, so that leavers and stayers are seen equally long.
        Raises: DataError with every problem of the table.
        """
        from cxmodels.data.contracts import Columns, read_contracts

        columns = Columns(customer, start, end, cohort, tuple(covariates))
        return read_contracts(
            cls, frame, columns, as_of=as_of, unit=TimeUnit.parse(unit), observed_from=observed_from
        )

    @property
    def customers(self) -> int:
        """Customers behind the base, those who left included."""
        return int(self.cohorts["acquired"].sum())

    @property
    def active(self) -> int:
        """Customers still active."""
        if self.totals is not None:
            return int(self.totals["acquired"].sum() - self.totals["lost"].sum())
        return int(self.cohorts["customers"].sum())

    @property
    def periods(self) -> int:
        """The longest time, in whole periods, over which a contract was observed."""
        return int(self.cohorts["age"].max()) if len(self.cohorts) else 0

    def before_last(self, periods: int) -> SubscriptionBase:
        """The base as it was `periods` periods ago, to keep the later ones as a hold-out.

        >>> SubscriptionBase.from_survivors([1000, 869, 743, 653, 593]).before_last(2)
        SubscriptionBase: 1,000 customers, 743 still active; 1 cohort, 2 periods; period not stated
        """
        from cxmodels.data.given_survivors import cut

        return cut(self, periods)

    def __repr__(self) -> str:
        cohorts = self.cohorts["cohort"].nunique()
        text = (
            f"SubscriptionBase: {self.customers:,} customer{'' if self.customers == 1 else 's'}, "
            f"{self.active:,} still active; {cohorts:,} cohort{'' if cohorts == 1 else 's'}, "
            f"{self.periods:,} period{'' if self.periods == 1 else 's'}; "
            f"period {'not stated' if self.unit is None else self.unit.value}"
        )
        return "\n".join([text, *(f"note: {note}" for note in self.notes)])

    def rescaled(self, spells: pd.DataFrame, cohorts: pd.DataFrame) -> SubscriptionBase:
        """The same base with other spells and cohorts, of whole periods alone."""
        return replace(self, spells=spells, cohorts=cohorts, exact=None, contracts=None, notes=())


def ask_for_subscriptions(given: object) -> None:
    """Raises OptionError unless `given` is a subscription base; says how to make one."""
    if not isinstance(given, SubscriptionBase):
        raise OptionError(
            f"a SubscriptionBase is wanted, got {type(given).__name__}: make one with "
            "SubscriptionBase.from_survivors(...), .from_cohorts(...) or .from_contracts(...)"
        )


def merged(frame: pd.DataFrame, by: Sequence[str], sums: Sequence[str]) -> pd.DataFrame:
    """Rows that agree in all of `by`, joined; the order of first appearance is kept."""
    kept: pd.DataFrame = frame.groupby(list(by), sort=False, dropna=False, as_index=False)[
        list(sums)
    ].sum(min_count=1)
    return kept


def parsed_unit(unit: str | TimeUnit | None) -> TimeUnit | None:
    """The unit, where one was given."""
    return None if unit is None else TimeUnit.parse(unit)


def spell_counts(spells: pd.DataFrame) -> tuple[float, float]:
    """Customers who left, and those still active."""
    gone = np.isfinite(spells["ended"].to_numpy(dtype=np.float64))
    customers = spells["customers"].to_numpy(dtype=np.float64)
    return float(customers[gone].sum()), float(customers[~gone].sum())
