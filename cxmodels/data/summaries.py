"""The customer base: one row per customer, with the account of how the log became it.

frequency, recency and T are repeat occasions, first to last occasion, and first occasion to the
end of observation, the latter two in the base's unit of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from cxmodels.data.profiles import Profiles
from cxmodels.data.units import Collapse, TimeUnit
from cxmodels.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from cxmodels.data.covariate_paths import CovariatePath

__all__ = ["CustomerBase", "Profiles"]

REVENUE, MARGIN = "revenue in the base", "margin in the base"


@dataclass(frozen=True, eq=False, repr=False)
class CustomerBase:
    """One row per customer, made by `customer_base` or `CustomerBase.from_summary`.

    table: customer_id, frequency, recency, T, monetary_value (mean of paid repeat occasions, NaN
    where there is none), paid_frequency, monetary_squares with losses, log_interval_sum and
    interval_share if asked for, first_date, last_date, cohort, covariates, and with a hold-out
    holdout_frequency and holdout_amount; sorted by customer_id.
    reconciliation: item, rows, customers, amount, note; ties the log's revenue to the base's.
    tracking: period, period_start, period_end, part, repeat_purchases, buyers_new.
    losses: whether amounts are margins, so that a negative one is an order at a loss.
    notes: what a reader should know before trusting a fit, in words.
    again: makes the base anew for other days, None where there is no log to go back to; see `at`.
    paths: covariates that change over time. occasions: reads customer_id, happened and amount of
    every repeat purchase in calibration from the log, None where there is none to go back to.
    """

    table: pd.DataFrame
    unit: TimeUnit
    profiles: Profiles
    start: date | None = None
    end: date | None = None
    holdout_end: date | None = None
    holdout_T: float | None = None
    collapse: Collapse | None = None
    currency: str | None = None
    losses: bool = False
    covariates: tuple[str, ...] = ()
    reconciliation: pd.DataFrame | None = None
    tracking: pd.DataFrame | None = None
    notes: tuple[str, ...] = field(default=())
    again: Callable[[date, date | None], CustomerBase] | None = field(default=None)
    paths: tuple[CovariatePath, ...] = ()
    occasions: Callable[[], pd.DataFrame] | None = field(default=None)

    def at(self, end: str | date, *, holdout_end: str | date | None = None) -> CustomerBase:
        """The base as it stood on another day: from the same log, with the same choices.

        end: last day of the calibration; holdout_end: last day of the hold-out, None for none.
        Raises OptionError where the base holds no log: it came from a summary, a file of a run,
        or a source that can be read once only.
        """
        from cxmodels.data.transactions import day

        if self.again is None:
            raise OptionError(
                "this base holds no log to go back to; make it with cx.customer_base(...) from a "
                "frame, file or table"
            )
        last = day("end", end)
        if last is None:
            raise OptionError("at() needs an end, the last day of calibration")
        return self.again(last, day("holdout_end", holdout_end))

    @property
    def customers(self) -> int:
        """How many customers the base holds."""
        return len(self.table)

    @property
    def repeaters(self) -> int:
        """How many of them bought again."""
        return int((self.table["frequency"] > 0).sum())

    @property
    def has_holdout(self) -> bool:
        """Whether purchases after `end` were counted."""
        return "holdout_frequency" in self.table

    def __len__(self) -> int:
        return len(self.table)

    @classmethod
    def from_summary(
        cls,
        frame: Any,
        *,
        unit: str | TimeUnit = "week",
        end: str | date | None = None,
        holdout_T: float | None = None,
        currency: str | None = None,
        covariates: Iterable[str] = (),
        count: str | None = None,
        negative: str = "refund",
    ) -> CustomerBase:
        """A base from one row per customer, as other programs give it.

        frame: any tabular object or path with the columns frequency (repeat occasions), recency
        (first to last purchase) and T (first purchase to end of observation), in `unit`; and, where
        known, customer_id (else the index), monetary_value, paid_frequency, holdout_frequency,
        holdout_amount, log_interval_sum (natural logs of the intervals between purchases, summed)
        and interval_share. A monetary_value of 0 or NaN says that no repeat occasion was paid.
        count: a column that says how many customers each row stands for; they are
        numbered from 0.
        end: last day of observation; needed only for horizons in calendar months.
        negative: "loss" where monetary_value is the mean margin of all repeat occasions, be it
        negative or not; monetary_squares, their squared deviations from it, is then read if given.
        Raises DataError with every problem of the table, OptionError on an unknown unit.

        >>> import pandas as pd
        >>> CustomerBase.from_summary(
        ...     pd.DataFrame({"frequency": [2, 0], "recency": [30.4, 0], "T": [38.9, 20.1]}))
        CustomerBase: 2 customers, 1 of them with repeat purchases; unit week

        Customers counted by history, as a paper prints them:

        >>> counts = {"frequency": [0, 1], "recency": [0, 4], "T": 6, "donors": [3464, 78]}
        >>> CustomerBase.from_summary(pd.DataFrame(counts), unit="year", count="donors")
        CustomerBase: 3,542 customers, 78 of them with repeat purchases; unit year
        """
        from cxmodels.data.given_summaries import counted_rows, read_summary
        from cxmodels.data.transactions import orders_at_a_loss

        ask: dict[str, Any] = {
            "unit": unit,
            "end": end,
            "holdout_T": holdout_T,
            "covariates": tuple(covariates),
            "losses": orders_at_a_loss(negative, "monetary_value"),
        }
        if count is None:
            return replace(read_summary(cls, frame, **ask), currency=currency)
        table, times = counted_rows(frame, count)
        read_summary(cls, table, **ask)  # what is wrong is told by the rows as given
        rows = table.loc[table.index.repeat(times)].reset_index(drop=True)
        return replace(read_summary(cls, rows, **ask), currency=currency)

    def with_covariates(
        self,
        frame: Any,
        *,
        on: str = "customer_id",
        time: str | None = None,
        until: str | date | None = None,
    ) -> CustomerBase:
        """A new base with the columns of another table joined, as covariates.

        Args: frame: any tabular object or path with one row a customer; on: its column of ids.
        time: a column of days, where covariates change over time: a row then holds from its day
        until the customer's next row, and the last one through `until`: unless given, the end of
        the base, or the last day of the table (of its last week, where its days are the weeks').
        Without a column `on` the rows hold for all customers, as a season does. Rows after the
        base's end are projections: predictions reach as far as they do.
        Customers of the frame who are not in the base are left out.
        Raises: DataError where customers of the base are missing there, or occur twice.

        >>> import pandas as pd
        >>> base = CustomerBase.from_summary(
        ...     pd.DataFrame({"frequency": [2, 0], "recency": [30.4, 0], "T": [38.9, 20.1]}))
        >>> kinds = pd.DataFrame({"customer_id": [1, 0], "channel": ["web", "store"]})
        >>> base.with_covariates(kinds).table["channel"].tolist()
        ['store', 'web']
        """
        from cxmodels.data.covariate_paths import with_path
        from cxmodels.data.joined import with_covariates

        if time is None and until is not None:
            raise OptionError("until= belongs to covariates over time: name their days with time=")
        before = self.again

        def joined(base: CustomerBase) -> CustomerBase:
            if time is None:
                return with_covariates(base, frame, on)
            return with_path(base, frame, on, time, until)

        found = joined(self)
        if before is None:
            return found
        return replace(found, again=lambda end, holdout_end: joined(before(end, holdout_end)))

    def facts(self) -> list[tuple[str, str]]:
        """What the base is, as pairs of a word and its value."""
        pairs = [
            ("customers", f"{self.customers:,}"),
            ("with repeat purchases", f"{self.repeaters:,}"),
            ("repeat purchases", f"{int(self.table['frequency'].sum()):,}"),
            ("unit of time", self.unit.value),
        ]
        if self.start is not None and self.end is not None:
            pairs.append(("observed", f"{self.start} to {self.end}"))
        elif self.end is not None:
            pairs.append(("observed until", f"{self.end}"))
        if self.holdout_end is not None:
            pairs.append(("hold-out until", f"{self.holdout_end}"))
        if self.collapse is not None:
            pairs.append(("one occasion", self.collapse.value))
        revenue = self._revenue()
        if revenue is not None:
            word = MARGIN if self.losses else REVENUE
            pairs.append((word, f"{revenue:,.2f} {self.currency or ''}".strip()))
        return pairs

    def _revenue(self) -> float | None:
        if self.reconciliation is None:
            return None
        from cxmodels.data.reconciliation import IN_BASE

        inside = self.reconciliation["item"].isin(IN_BASE)
        return float(sum(self.reconciliation.loc[inside, "amount"]))

    def __repr__(self) -> str:
        facts = dict(self.facts())
        noun = "customer" if self.customers == 1 else "customers"
        text = (
            f"CustomerBase: {facts['customers']} {noun}, {facts['with repeat purchases']} "
            f"of them with repeat purchases; unit {self.unit.value}"
        )
        for word in ("observed", "observed until", "hold-out until", REVENUE, MARGIN):
            if word in facts:
                text += f"; {word} {facts[word]}"
        return "\n".join([text, *(f"note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(word)}</th>"
            f"<td style='text-align:right'>{escape(value)}</td></tr>"
            for word, value in self.facts()
        )
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        listed = f"<ul>{notes}</ul>" if notes else ""
        return f"<table><caption>Customer base</caption>{rows}</table>{listed}"


def ask_for_base(given: object) -> None:
    """Raises OptionError unless `given` is a customer base; says how to make one."""
    if not isinstance(given, CustomerBase):
        raise OptionError(
            f"a CustomerBase is wanted, got {type(given).__name__}: make one of a log with "
            "customer_base(...), or of one row a customer with CustomerBase.from_summary(...)"
        )
