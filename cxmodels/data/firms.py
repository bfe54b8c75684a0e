"""Firms by fiscal year: a satisfaction score with its release date, and what the firm was worth.

A score explains nothing that was known before it was out: the value of a row is that of its
`valued` day, and no score may be released after it. Firms that end before the panel does are told,
because those that are left are the ones that did well.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.days import as_days, missing_days
from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.profiles import Floats
from cxmodels.errors import DataError, OptionError, Problem

if TYPE_CHECKING:
    import pandas as pd

MONEY = (
    "market_value", "book_equity", "total_assets", "debt", "preferred", "current_assets",
    "current_liabilities", "long_term_debt", "earnings", "cash_flow", "revenue",
)  # fmt: skip
POSITIVE = ("market_value", "total_assets")
MOST_PERIODS, WIDE = 2_000, 50.0
YES_NO = dict.fromkeys(("yes", "true", "1", "1.0", "y", "t"), 1.0) | dict.fromkeys(
    ("no", "false", "0", "0.0", "n", "f", ""), 0.0
)
NOT_NEGATIVE = ("debt", "preferred", "current_assets", "current_liabilities", "long_term_debt")
DATES = ("released", "valued")
Q_DEFINITIONS = ("assets", "debt", "chung-pruitt")
NEEDED = {
    "assets": ("market_value", "total_assets", "book_equity"),
    "debt": ("market_value", "total_assets", "debt"),
    "chung-pruitt": ("market_value", "total_assets", "preferred", "long_term_debt",
                     "current_liabilities", "current_assets"),
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class FirmPanel:
    """Firms by period; made by `firm_panel`.

    table: firm, period, score, then what was given of MONEY, `industry`, DATES, `delisted` and
    controls; in order of firm and period. scale: lowest and highest possible score. survivors: one
    row a firm that ends before the panel does. reconciliation: every row of the source once.
    """

    table: "pd.DataFrame"
    scale: tuple[float, float]
    currency: str
    survivors: "pd.DataFrame"
    reconciliation: "pd.DataFrame"
    simulated: bool = False
    notes: tuple[str, ...] = ()

    @property
    def firms(self) -> int:
        """How many there are."""
        return int(self.table["firm"].nunique())

    def __repr__(self) -> str:
        t, low, high = self.table, *self.scale
        head = "FirmPanel, SIMULATED" if self.simulated else "FirmPanel"
        lines = [
            f"{head}: {len(t):,} rows of {self.firms:,} firms, {t['period'].min()} to "
            f"{t['period'].max()}, scores on a scale of {low:g} to {high:g}, {self.currency}",
            *self.notes,
        ]
        return "\n".join(lines)

    def with_columns(self, **columns: Any) -> "FirmPanel":
        """The panel with further columns (n,), in the order of `table`."""
        return replace(self, table=self.table.assign(**columns))

    def with_notes(self, *notes: str) -> "FirmPanel":
        """The panel with further remarks."""
        return replace(self, notes=(*self.notes, *notes))


def check_panel(panel: Any) -> FirmPanel:
    """What `firm_panel` made, or OptionError."""
    if not isinstance(panel, FirmPanel):
        raise OptionError(f"this takes a panel from firm_panel, got {type(panel).__name__}")
    return panel


def firm_panel(
    table: Any,
    *,
    columns: Mapping[str, str] | None = None,
    controls: Iterable[str] = (),
    scale: tuple[float, float] = (0.0, 100.0),
    currency: str = "USD",
) -> FirmPanel:
    """A checked panel of firms.

    table: anything tabular, one row a firm and fiscal period. columns: our names -> those of the
    table where they differ: firm, period (whole numbers), score; `released` (day on which the score
    was public), `valued` (day of market value); industry; delisted (true in a firm's last row);
    market_value (of equity), book_equity, total_assets, debt, preferred, current_assets,
    current_liabilities, long_term_debt, earnings, cash_flow, revenue, all in one unit of money.
    controls: further columns to keep. scale: of the score. Missing values are kept, and counted.
    Raises: DataError with every problem: two rows of a firm in one period, scores off the scale,
    values that cannot be, and scores that were released
    after the day of the value they are to explain.
    """
    low, high = _scale(scale)
    if isinstance(controls, str) or not isinstance(controls, Iterable):
        raise OptionError(f"controls are names of columns, as in ['size'], got {controls!r}")
    if not isinstance(columns or {}, Mapping):
        raise OptionError("columns is our names -> those of the table, as in {'firm': 'ticker'}")
    given = as_pandas(table).reset_index(drop=True)
    controls = list(dict.fromkeys(controls))
    held = _renamed(given, dict(columns or {}), controls)
    problems = list(_problems(held, (low, high)))
    if problems:
        raise DataError("firm panel", problems)
    made = _typed(held, list(controls))
    account = _account(made)
    lost = _lost(made)
    return FirmPanel(
        table=made,
        scale=(low, high),
        currency=currency,
        survivors=lost,
        reconciliation=account,
        simulated=bool("simulated" in given and given["simulated"].all()),
        notes=tuple(_notes(made, lost)),
    )


def _scale(scale: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in scale)
    except (TypeError, ValueError):
        raise OptionError(f"scale is a lowest and a highest score, got {scale!r}") from None
    if not low < high:
        raise OptionError(f"scale {scale} does not run from a lowest to a highest score")
    return low, high


def _renamed(given: "pd.DataFrame", columns: dict[str, str], controls: list[str]) -> "pd.DataFrame":
    """The columns that have a part, under our names."""
    known = ("firm", "period", "score", *DATES, "industry", "delisted", *MONEY)
    wrong = [name for name in columns if name not in known]
    if wrong:
        raise OptionError(f"columns names {wrong[0]!r}, which is none of {', '.join(known)}")
    parts = {name: columns.get(name, name) for name in known}
    asked = [*columns.values(), *(parts[name] for name in ("firm", "period", "score")), *controls]
    missing = [name for name in dict.fromkeys(asked) if list(given.columns).count(name) != 1]
    if missing:
        listed = ", ".join(map(str, given.columns))
        problems = [Problem(f"there is no one column {name!r}") for name in missing]
        problems[-1] = replace(problems[-1], remedy=f"Columns: {listed}")
        raise DataError("firm panel", problems)
    own = {name: given[column] for name, column in parts.items() if column in given}
    taken = [name for name in controls if name in own]
    if taken:
        raise OptionError(f"control {taken[0]!r} has a part already: it is kept anyway")
    import pandas as pd

    return pd.DataFrame(own | {name: given[name] for name in controls})


def _problems(held: "pd.DataFrame", scale: tuple[float, float]) -> Iterable[Problem]:
    """Every way in which the rows break the contract."""
    if held.empty:
        yield Problem("the table has no row")
        return
    yield from _wrong_periods(held)
    numbers = {}
    for name in ("score", *(name for name in MONEY if name in held)):
        numbers[name] = _numbers(held[name])
        wrong = (numbers[name].isna() & held[name].notna()) | np.isinf(numbers[name])
        yield from _told(held, f"{name} is no finite number", wrong)
    yield from _wrong_scores(held, numbers["score"], scale)
    for name in POSITIVE:
        if name in numbers:
            yield from _told(held, f"{name} is not above 0", numbers[name] <= 0)
    for name in NOT_NEGATIVE:
        if name in numbers:
            yield from _told(held, f"{name} is below 0", numbers[name] < 0)
    if "delisted" in held:
        odd = _yes(held["delisted"]).isna()
        yield from _told(held, "delisted is neither yes nor no", odd)
    yield from _wrong_days(held)


def _numbers(column: "pd.Series[Any]") -> "pd.Series[Any]":
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").astype(np.float64)


def _wrong_periods(held: "pd.DataFrame") -> Iterable[Problem]:
    import pandas as pd

    kind = held["period"].dtype
    yield from _told(held, "firm is missing", held["firm"].isna())
    if isinstance(kind, pd.PeriodDtype) or pd.api.types.is_datetime64_any_dtype(kind):
        yield Problem("period holds dates", len(held), remedy="Give fiscal years, as in .dt.year")
        return
    period = _numbers(held["period"])
    odd = period.isna() | (period % 1 != 0)
    remedy = "Count fiscal years, or quarters as 4 * year + quarter"
    yield from _told(held, "period is no whole number", odd, remedy)
    if period.max() - period.min() > MOST_PERIODS:
        told = f"periods run from {period.min():.0f} to {period.max():.0f}"
        yield Problem(told, remedy=remedy)
    twice = held.duplicated(["firm", "period"]) & ~odd & held["firm"].notna()
    yield from _told(held, "a firm has two rows in one period", twice)


def _wrong_scores(
    held: "pd.DataFrame", score: "pd.Series[Any]", scale: tuple[float, float]
) -> Iterable[Problem]:
    low, high = scale
    off = (score < low) | (score > high)
    told = f"score lies off its scale, {low:g} to {high:g}"
    yield from _told(held, told, off, "Give the scale it is measured on")
    if high - low >= WIDE and low <= score.max() <= low + (high - low) / 10.0:
        told = f"all scores lie in the lowest tenth of their scale, {low:g} to {high:g}"
        remedy = "Give the scale they are measured on, as in scale=(0, 10)"
        yield Problem(told, int(score.notna().sum()), remedy=remedy)


def _wrong_days(held: "pd.DataFrame") -> Iterable[Problem]:
    import pandas as pd

    days = {name: as_days(held[name]) for name in DATES if name in held}
    for name, own in days.items():
        wrong = pd.Series(missing_days(held[name], own))
        yield from _told(held, f"{name} is no day", wrong, "Dates are written as 2026-06-30")
    if len(days) == 2:
        early = days["released"] > days["valued"]
        what = "a score was released after the value that it is to explain"
        remedy = "Take the value of a later day, or the score of a year before"
        yield from _told(held, what, early, remedy)


def _yes(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """1 for yes, 0 for no and for nothing, missing for what is neither."""
    words = column.astype("string").str.strip().str.lower().fillna("no")
    return words.map(YES_NO).astype("float64")


def _told(
    held: "pd.DataFrame", what: str, broken: "pd.Series[Any]", remedy: str = ""
) -> Iterable[Problem]:
    if broken.any():
        place = int(np.flatnonzero(broken.to_numpy())[0])
        row = held.iloc[place]
        first = f"row {place + 1:,}: firm={row['firm']}, period={row['period']}"
        yield Problem(what, int(broken.sum()), first, remedy)


def _typed(held: "pd.DataFrame", controls: list[str]) -> "pd.DataFrame":
    import pandas as pd

    made = held.copy()
    made["period"] = pd.to_numeric(made["period"]).astype(np.int64)
    for name in ("score", *MONEY):
        if name in made:
            made[name] = pd.to_numeric(made[name]).astype(np.float64)
    for name in DATES:
        if name in made:
            made[name] = as_days(made[name]).to_numpy().astype("datetime64[s]")
    if "delisted" in made:
        made["delisted"] = _yes(made["delisted"]).to_numpy() > 0
    first = ["firm", "period", "score"]
    rest = [name for name in made.columns if name not in first]
    ordered: pd.DataFrame = made[[*first, *rest]].sort_values(["firm", "period"], ignore_index=True)
    return ordered


def _account(made: "pd.DataFrame") -> "pd.DataFrame":
    """Rows with and without what is asked most."""
    import pandas as pd

    rows = [("rows", len(made), made["firm"].nunique())]
    for name in made.columns[2:]:
        there = made[name].notna()
        rows.append((f"rows with {name}", int(there.sum()), made.loc[there, "firm"].nunique()))
    return pd.DataFrame(rows, columns=["item", "rows", "firms"])


def _lost(made: "pd.DataFrame") -> "pd.DataFrame":
    """Firms whose last row lies before the panel's last period: last period, score, why."""
    last = made.groupby("firm", sort=True).tail(1)
    gone = last[last["period"] < made["period"].max()]
    why = np.where(gone["delisted"], "delisted", "not said") if "delisted" in gone else "not said"
    told: pd.DataFrame = gone[["firm", "period", "score"]].assign(why=why).reset_index(drop=True)
    return told


def _notes(made: "pd.DataFrame", lost: "pd.DataFrame") -> Iterable[str]:
    firms = made["firm"].nunique()
    if not {*DATES} <= {*made.columns}:
        missing = " and ".join(name for name in DATES if name not in made)
        yield f"No {missing}: nothing says that scores were public before the values they explain."
    if len(lost):
        kept = made.loc[~made["firm"].isin(lost["firm"]), "score"].mean()
        yield (
            f"{len(lost):,} of {firms:,} firms end before {made['period'].max()}; their last score "
            f"is {lost['score'].mean():.1f} on average, that of the others {kept:.1f}."
        )
    else:
        yield (
            f"No firm of {firms:,} ends before the panel does: if those that failed were left out, "
            "effects are those of survivors."
        )


def tobins_q(panel: FirmPanel, definition: str = "assets") -> Floats:
    """(n,) Tobin's q of each row, NaN where a part is missing.

    definition: "assets", (total assets + market value - book equity) / total assets; "debt",
    (market value + debt) / total assets; "chung-pruitt", (market value + preferred + long-term debt
    + current liabilities - current assets) / total assets (Chung and Pruitt 1994, Financial
    Management 23).
    """
    if definition not in Q_DEFINITIONS:
        raise OptionError(f"definition {definition!r} is not one of {', '.join(Q_DEFINITIONS)}")
    missing = [name for name in NEEDED[definition] if name not in panel.table]
    if missing:
        raise OptionError(f"q by {definition!r} needs {', '.join(missing)} in the panel")
    own = {name: panel.table[name].to_numpy() for name in NEEDED[definition]}
    value = own["market_value"]
    if definition == "assets":
        value = value + own["total_assets"] - own["book_equity"]
    elif definition == "debt":
        value = value + own["debt"]
    else:
        value = value + own["preferred"] + own["long_term_debt"]
        value = value + own["current_liabilities"] - own["current_assets"]
    return np.asarray(value / own["total_assets"], dtype=np.float64)
