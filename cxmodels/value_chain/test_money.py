"""What a test brought in money: margin in it, and what its customers are worth more at its end.

The fitted purchase and spend models stand in for the future that has not been seen (a structural
surrogate): the same parameters turn each customer's history into residual value, so what the lever
changes of the future must show in the history. Parameters that both arms share move both; their
error is added to that of the sample. As months pass, the model's months are replaced by facts.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.transactions import day
from cxmodels.data.units import Span
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.experiments.analysis import TestResult, analyse
from cxmodels.experiments.answer_tables import label_of
from cxmodels.experiments.decision import Decision, decide
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.plan import Registered, Rule, TestPlan
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.spend.fitted import FittedSpend
from cxmodels.value.residual import Residual, residual
from cxmodels.value.terms import as_number

if TYPE_CHECKING:
    import pandas as pd

YEAR = 365.25  # days
BEFORE, MARGIN, SINCE, REST, VALUE = (
    "margin before the test", "margin in the test", "margin since the test",
    "residual value", "value",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class TestMoney(Faced):
    """A test in money.

    table: arm, what (margin in the test, margin since it, residual value, value), n, n_control,
    mean_control, unadjusted (difference of means as they are), estimate (a unit), std_error, of
    which parameter_error, lower, upper, unit, estimand. facts: what the model said of the months
    since beside what came, empty without them; units: one row each (customer_id, arm, and the
    amounts).
    """

    __test__ = False  # no test of the test runner's

    table: "pd.DataFrame"
    facts: "pd.DataFrame"
    units: "pd.DataFrame"
    level: float
    currency: str
    plan: TestPlan | None
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Margin, residual value and value, of each arm."""
        shown = ["arm", "what", "n", "mean_control", "unadjusted", "estimate", "lower", "upper",
                 "unit"]  # fmt: skip
        head = f"The test in money, a unit; interval {self.level:.0%}"
        return Face(head, self.table[shown], self.notes)

    def effect(self, arm: str | None = None) -> tuple[float, float]:
        """Of the lever on value a unit, with its standard error. arm: of several."""
        own = self.table[self.table["what"] == VALUE]
        listed = ", ".join(map(repr, own["arm"]))
        if arm is None and len(own) > 1:
            raise OptionError(f"name arm=, one of {listed}")
        own = own if arm is None else own[own["arm"] == arm]
        if not len(own):
            raise OptionError(f"arm {arm!r} is not one of {listed}")
        return float(own["estimate"].iloc[0]), float(own["std_error"].iloc[0])

    def decide(
        self,
        *,
        units: float,
        cost: float | None = None,
        rule: Rule | None = None,
        arm: str | None = None,
        result: TestResult | None = None,
        **more: Any,
    ) -> Decision:
        """Keep the lever, or drop it? cost (of the lever a unit) and rule are the plan's where not
        given; result: of `analyse`, whose guardrails of this arm must hold and whose arms must be
        as drawn; more: as in `decide`.
        """
        estimate, error = self.effect(arm)
        if cost is None:
            if self.plan is None:
                raise OptionError("name cost=, of the lever a unit: there is no plan to say it")
            cost = self.plan.cost
        if rule is None and self.plan is not None:
            rule = self.plan.rule
        if result is not None:
            held = result.guardrails
            held = held[held["arm"] == arm] if arm is not None else held
            more["guardrails"] = dict(zip(held["metric"], held["holds"], strict=True))
            more["sample_ratio"] = result.sample_ratio
        return decide(estimate, error, cost=cost, units=units, rule=rule, **more)


def money_of_test(  # noqa: PLR0913 - every term of a valuation by name
    assigned: Any,
    base: CustomerBase,
    fit: FittedPurchases,
    spend_fit: FittedSpend,
    *,
    start: str | date | None = None,
    arm: str = "arm",
    control: str | None = None,
    plan: TestPlan | Registered | None = None,
    customer: str = "customer_id",
    horizon: str | Span,
    discount_rate: float,
    margin: float = 1.0,
    costs: Any = None,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 1,
) -> TestMoney:
    """What each arm brought more than the control: margin in the test and residual value after it.

    assigned: one row a unit: columns `customer` and `arm`, and the strata and cluster of the plan;
    base: made of a log, ending as the test ends, on which fit and spend_fit were made; if it has a
    hold-out, its facts stand in place of the model's months. start: first day of the test, the
    plan's if None; control: of the arms, the plan's first if None; horizon: of the residual value,
    counted from the end of the test; discount_rate: annual, effective; margin: share of revenue;
    costs: Series by customer of money spent on each in the test; level, draws, seed: of intervals.
    Errors: OptionError where dates do not meet; DataError with every problem of `assigned`.
    """
    inside, share = check_level(level), as_number(margin, "margin")
    before = _before(base, start, plan)
    units, notes = _units(assigned, (customer, arm), before)
    notes += _ends(base, plan)
    terms = (horizon, discount_rate, share)
    rest = _residual((fit, spend_fit, base), terms, (draws, seed))
    units[BEFORE] = share * _past(before, units)
    units[MARGIN] = share * _of(before, units, "holdout_amount") - _costs(costs, units)
    known, place = [MARGIN], _places(base, units)
    if base.has_holdout:
        since = share * _of(base, units, "holdout_amount")
        units[SINCE] = since * (1.0 + discount_rate) ** (-_days(base) / YEAR / 2.0)
        known.append(SINCE)
    units[REST] = rest.beyond.expected[place]
    units[VALUE] = units[[*known, REST]].sum(axis=1)
    asked = (*known, REST, VALUE)
    found, raw = (
        _analysed(
            units, arm, control, plan, ([Metric(name, before=past) for name in asked], inside)
        )
        for past in (BEFORE, None)
    )
    found = _beside(found, raw)
    currency = base.currency or spend_fit.currency or ""
    table = _table(found, rest, (units, place, arm), (currency, str(horizon), inside))
    facts = table.iloc[:0]
    if rest.since is not None:
        facts = _facts(rest.since, (units, place, arm), found.control, (currency, inside))
    told = (
        "Effects and means of the control are adjusted for the margin before the test (CUPED); "
        "unadjusted stands beside them.",
        f"{REST.capitalize()} is the model's: right of the difference if what the lever changes of "
        "the future shows in the purchases so far. Test it on past dates (backcast), and give the "
        "base a hold-out as months pass.", *notes, *found.notes,
    )  # fmt: skip
    return TestMoney(table, facts, units, inside, currency, found.plan, tuple(dict.fromkeys(told)))


def _ends(base: CustomerBase, plan: TestPlan | Registered | None) -> list[str]:
    """That the base ends on another day than the test of the plan."""
    own = plan.plan if isinstance(plan, Registered) else plan
    if own is None or base.end is None or base.end == own.end:
        return []
    said = f"The base ends on {base.end}, the test of the plan on {own.end}: "
    return [said + "margin in the test is counted until the base ends."]


@dataclass(frozen=True)
class _Rest:
    """What the model says: beyond what is known, and of the months that are known since, if any."""

    beyond: Residual
    since: Residual | None


def _before(
    base: CustomerBase, start: str | date | None, plan: TestPlan | Registered | None
) -> CustomerBase:
    """The base on the eve of the test, with what came in the test as its hold-out."""
    own = plan.plan if isinstance(plan, Registered) else plan
    first = day("start", start)
    if first is None and isinstance(own, TestPlan):
        first = own.start
    if first is None:
        raise OptionError("name start=, the first day of the test, or give the plan=")
    if base.again is None or base.end is None:
        raise OptionError(
            "money of a test needs the base of a log: make it by cxmodels.customer_base(log, ...)"
        )
    if first >= base.end:
        raise OptionError(f"the base ends on {base.end}, before the test that starts on {first}")
    return base.at(first - timedelta(days=1), holdout_end=base.end)


def _units(
    assigned: Any, names: tuple[str, str], before: CustomerBase
) -> tuple["pd.DataFrame", list[str]]:
    """Assigned units that had bought before the test, in a frame of their own; and remarks."""
    customer = names[0]
    given = as_pandas(assigned).reset_index(drop=True)
    lost = [name for name in names if list(given.columns).count(name) != 1]
    if lost:
        listed = f"Columns: {', '.join(map(str, given.columns))}"
        raise DataError("test", [Problem(f"there is no one column {name!r}", remedy=listed)
                                 for name in lost])  # fmt: skip
    problems = []
    for name in names:
        empty = given[name].isna()
        if empty.any():
            problems.append(Problem(f"column {name!r} is missing", int(empty.sum()),
                                    f"row {int(np.argmax(empty)) + 1}"))  # fmt: skip
    twice = given[customer].duplicated(keep=False) & given[customer].notna()
    if twice.any():
        first = given.loc[twice, customer].iloc[0]
        problems.append(Problem("a unit is there twice", int(twice.sum()), f"{customer} {first}"))
    there = given[customer].isin(before.table["customer_id"])
    if not problems and not there.any():
        problems.append(Problem("no unit has a purchase before the test", len(given),
                                remedy="Are the ids those of the base?"))  # fmt: skip
    if problems:
        raise DataError("test", problems)
    notes = []
    if not there.all():
        notes.append(f"{int((~there).sum()):,} units had not bought before the test: left out, of "
                     "either arm.")  # fmt: skip
    kept = given[there].reset_index(drop=True)
    return kept.rename(columns={customer: "customer_id"}), notes


def _places(base: CustomerBase, units: "pd.DataFrame") -> Ints:
    """Row (u,) of the base's table of each unit."""
    import pandas as pd

    return np.asarray(pd.Index(base.table["customer_id"]).get_indexer(units["customer_id"]))


def _of(base: CustomerBase, units: "pd.DataFrame", column: str) -> Floats:
    return base.table[column].to_numpy(dtype=np.float64)[_places(base, units)]


def _past(before: CustomerBase, units: "pd.DataFrame") -> Floats:
    """Paid by each in repeat purchases before the test."""
    orders, mean = (_of(before, units, name) for name in ("paid_frequency", "monetary_value"))
    return np.where(orders > 0, orders * np.nan_to_num(mean), 0.0)


def _costs(costs: Any, units: "pd.DataFrame") -> Floats | float:
    import pandas as pd

    if costs is None:
        return 0.0
    if not isinstance(costs, pd.Series) or costs.index.has_duplicates:
        raise OptionError("costs is a Series of money by customer, each once")
    own = pd.to_numeric(costs, errors="coerce").reindex(units["customer_id"]).fillna(0.0)
    if not np.isfinite(own).all():
        raise OptionError("costs are finite amounts of money")
    return own.to_numpy(dtype=np.float64)


def _days(base: CustomerBase) -> int:
    """Length of the hold-out, 0 without one."""
    if base.end is None or base.holdout_end is None:
        return 0
    return (base.holdout_end - base.end).days


def _residual(
    fits: tuple[FittedPurchases, FittedSpend, CustomerBase], terms: tuple[Any, float, float],
    chance: tuple[int, int],
) -> _Rest:  # fmt: skip
    """Of the base's end on; with a hold-out, what is beyond it and what is within."""
    (fit, spend_fit, base), (horizon, rate, share), (draws, seed) = fits, terms, chance

    def ahead(span: Any) -> Residual:
        return residual(fit, spend_fit, base, horizon=span, discount_rate=rate, margin=share,
                        draws=draws, seed=seed)  # fmt: skip

    whole = ahead(horizon)
    if base.end is None or base.holdout_end is None:
        return _Rest(whole, None)
    if Span.parse(horizon).after(base.end) <= base.holdout_end:
        raise OptionError(f"horizon {horizon!r} ends before the hold-out does: take a longer one")
    since = ahead(f"{_days(base)}D")
    return _Rest(replace(whole, by_draw=whole.by_draw - since.by_draw), since)


def _analysed(
    units: "pd.DataFrame", arm: str, control: str | None, plan: TestPlan | Registered | None,
    asked: tuple[list[Metric], float],
) -> TestResult:  # fmt: skip
    """Amounts by arm, by what the plan says of arms, strata and clusters."""
    metrics, inside = asked
    if plan is None:
        return analyse(units, arm=arm, control=control, metrics=metrics, level=inside,
                       multiplicity="none")  # fmt: skip
    own = plan.plan if isinstance(plan, Registered) else plan
    money = own.changed(metrics=tuple(replace(m, role="spend") for m in metrics), level=inside,
                        unit="customer_id")  # fmt: skip
    found = analyse(units, arm=arm, control=control, plan=money, multiplicity="none")
    return replace(found, plan=own)


def _beside(found: TestResult, plain: TestResult) -> TestResult:
    """Effects as they are, from before any adjustment, beside those adjusted."""
    key = ["metric", "arm"]
    raw = plain.table[[*key, "estimate"]].rename(columns={"estimate": "unadjusted"})
    return replace(found, table=found.table.merge(raw, on=key, how="left", sort=False))


def _by_arm(rest: Residual, rows: tuple["pd.DataFrame", Ints, str], arm: str) -> Floats:
    """Mean (d,) of an arm's residual value under each draw."""
    units, place, column = rows
    own = (units[column].map(label_of) == arm).to_numpy()
    weight = np.zeros(rest.row.size)
    np.add.at(weight, place[own], 1.0 / own.sum())
    return rest.mean_by_draw(weight)


def _table(
    found: TestResult, rest: _Rest, rows: tuple["pd.DataFrame", Ints, str],
    said: tuple[str, str, float],
) -> "pd.DataFrame":  # fmt: skip
    """Effects with the error of shared parameters added to that of the sample."""
    (currency, horizon, _), table = said, found.table
    base = _by_arm(rest.beyond, rows, found.control)
    moves = {arm: float(np.std(_by_arm(rest.beyond, rows, arm) - base, ddof=1))
             for arm in table["arm"].unique()}  # fmt: skip
    own = np.where(table["metric"].isin([REST, VALUE]), table["arm"].map(moves), 0.0)
    error = np.hypot(table["std_error"], own)
    reach = (table["upper"] - table["lower"]) / 2.0 / table["std_error"]
    meant = {
        MARGIN: "money brought in the test", SINCE: "money brought since, discounted",
        REST: f"expected discounted margin up to {horizon} after the test, less what is known",
        VALUE: "all of these",
    }  # fmt: skip
    held = ["arm", "metric", "n", "n_control", "mean_control", "unadjusted", "estimate"]
    made = table[held].assign(
        std_error=error, parameter_error=own, lower=table["estimate"] - reach * error,
        upper=table["estimate"] + reach * error, unit=f"{currency} a unit".strip(),
        estimand=[f"{meant[name]}: {arm} less {found.control}"
                  for name, arm in zip(table["metric"], table["arm"], strict=True)],
    )  # fmt: skip
    made = made.rename(columns={"metric": "what"})
    return made.sort_values("arm", kind="stable", ignore_index=True)


def _facts(
    since: Residual, rows: tuple["pd.DataFrame", Ints, str], control: str,
    said: tuple[str, float],
) -> "pd.DataFrame":  # fmt: skip
    """What the model said of the months since beside what came: the effect, foretold and found."""
    units, place, column = rows
    (currency, inside), told = said, "foretold"
    held = units[[column, BEFORE, SINCE]].assign(**{told: since.expected[place]})
    held["found less foretold"] = held[SINCE] - held[told]
    metrics = [Metric(name, before=BEFORE) for name in (told, SINCE, "found less foretold")]
    found = analyse(held, arm=column, control=control, metrics=metrics, level=inside,
                    multiplicity="none").table  # fmt: skip
    found["metric"] = found["metric"].replace({SINCE: "found"})
    names = ["arm", "metric", "n", "mean_control", "estimate", "std_error", "lower", "upper"]
    made = found[names].rename(columns={"metric": "what"}).assign(unit=f"{currency} a unit".strip())
    return made.sort_values("arm", kind="stable", ignore_index=True)
