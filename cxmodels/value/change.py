"""What customers are worth more if their covariates change from now on: a point of satisfaction.

What a customer has done stays as it was, under the covariates of that time; what they do from the
day of valuation on follows the new ones. With Pareto/NBD a customer alive at T has purchase rate
lambda ~ Gamma(r + x, alpha_i + T); a change of eta by d multiplies it by exp(d), so that alpha_i +
T is divided by exp(d); so for the rate of leaving. (To join the new covariates to the base instead,
as if they had always held, takes most of the effect back: the same purchases of a more satisfied
customer would speak of a slower one.)
"""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pandas as pd

from cxmodels.data.covariates import distinct, read
from cxmodels.data.profiles import compress
from cxmodels.data.subscriptions import SubscriptionBase
from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.data.units import Span
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.covariates import ByCovariates, WithCovariates, moved_on
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.kinds import Mix
from cxmodels.purchases.simulation import AliveGroups
from cxmodels.regression.measurement_error import check_reliability
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.spend.fitted import FittedSpend
from cxmodels.subscriptions.fitted import FittedSubscriptions
from cxmodels.value.contract_change import Contract, contract_change
from cxmodels.value.discount import Payment
from cxmodels.value.equity import expected_totals
from cxmodels.value.expectation import discounted_by_draw
from cxmodels.value.histories import Histories
from cxmodels.value.new_customer import discounted_purchases
from cxmodels.value.outcomes import Families, Parameters
from cxmodels.value.terms import Terms, curve_of, joint_draws, margins

PER_CENT = 100.0
MOST_KINDS = 200  # of new customers, by draw


@dataclass(frozen=True, eq=False, repr=False)
class ValueChange(Faced):
    """What a change of covariates is worth.

    table: item (all present customers, one of them on average, a new customer), before, after,
    change with lower and upper (of the expectation: parameters alone), per_cent, unit, customers,
    estimand. notes: what a reader has to know.
    """

    table: pd.DataFrame
    level: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Before, after and the change."""
        names = ["item", "before", "after", "change", "lower", "upper", "per_cent", "unit"]
        return Face(f"Change in value; interval {self.level:.0%}", self.table[names], self.notes)


def value_change(  # noqa: PLR0913 - every term of a valuation by name
    fit: FittedPurchases | FittedSubscriptions,
    before: CustomerBase | SubscriptionBase,
    after: CustomerBase | SubscriptionBase,
    *,
    discount_rate: float,
    horizon: str | Span | None,
    spend_fit: FittedSpend | None = None,
    margin: float = 1.0,
    amount: float | None = None,
    reliability: float = 1.0,
    level: float = 0.9,
    draws: int = 400,
    seed: int = 1,
) -> ValueChange:
    """What the base is worth more if covariates change from the day of valuation on.

    Args: fit: with covariates, of purchases or of subscriptions; before, after: the same customers
    with covariates as they were and as they will be; discount_rate: annual and effective; horizon:
    such as "36M", None for all future; spend_fit, margin: of purchases, as in `lifetime_value`;
    amount: margin of one renewal, of subscriptions; reliability: share of the covariates' variance
    that is no error, given the others: effects are divided by it (all of them: let one covariate
    change); level, draws, seed: of the interval.
    Errors: OptionError where the two bases are not of the same customers, or a fit has no
    covariates.
    """
    inside = check_level(level)
    check_reliability(reliability)
    if horizon is not None and Span.parse(horizon).count <= 0:
        raise OptionError(f"horizon {horizon!r} is not a positive span of time")
    if not (isinstance(draws, int) and draws >= 50):
        raise OptionError(f"draws {draws!r} is below 50: an interval needs more")
    if isinstance(fit, FittedSubscriptions):
        if amount is None or spend_fit is not None:
            raise OptionError("a contract brings amount= a renewal: give that, and no spend_fit")
        terms = Contract(discount_rate, horizon, float(amount), 1.0 / reliability)
        rows, unit = contract_change(fit, before, after, terms, (draws, seed)), ""
    else:
        if spend_fit is None or amount is not None:
            raise OptionError("purchases need spend_fit=, a fitted spend model, and no amount")
        found = _terms(fit, spend_fit, before, horizon, discount_rate, margin)
        own = replace(found, level=inside, seed=seed)
        rows = _of_purchases((fit, spend_fit), (before, after), own, 1.0 / reliability, draws)
        unit = own.currency
    table = _table(rows, inside).assign(unit=unit, estimand=_estimand(horizon, reliability))
    return ValueChange(table, inside, tuple(_notes(fit, reliability)))


def _terms(
    fit: Any, spend_fit: FittedSpend, base: Any, horizon: Any, rate: float, margin: float
) -> Terms:
    if not (isinstance(fit, FittedPurchases) and isinstance(spend_fit, FittedSpend)):
        raise OptionError(
            "value_change takes a fit of purchases with spend_fit=, or a fit of subscriptions; got "
            f"{type(fit).__name__}"
        )
    fit.check_base(base)
    spend_fit.check_base(base)
    curve = curve_of(fit, horizon=horizon, rate=rate, payment=Payment.CONTINUOUS, start=base.end)
    return Terms(
        curve=curve,
        horizon=None if horizon is None else Span.parse(horizon),
        margin=margins(margin, base),
        below=0.0,
        level=0.9,
        rate_sd=0.0,
        seed=1,
        currency=base.currency or spend_fit.currency or "",
    )


@dataclass(frozen=True)
class _FromNowOn(AliveGroups):
    """Customers alive now whose covariates change: `change` holds the differences by kind."""

    change: ByCovariates

    def alive(self, family: Any, theta: Floats) -> Floats:
        return moved_on(self.change, super().alive(family, theta), theta, self.kind)


@dataclass(frozen=True)
class _Kinds:
    """Customers by covariates before and after: distinct histories, and the three links of a kind:
    as it was, what changes, as it will be."""

    seen: Profiles
    was: ByCovariates
    change: ByCovariates
    will: ByCovariates


def _kinds(fit: FittedPurchases, bases: tuple[Any, Any], factor: float) -> _Kinds:
    link = fit.family.link
    if not (isinstance(fit.family, WithCovariates) and isinstance(link, ByCovariates)):
        raise OptionError(
            "this fit has no covariates that stay as they are: fit with purchase= or dropout="
        )
    _same_customers(*bases)
    names = link.design.variables
    both = [read(base.table, names).reset_index(drop=True) for base in bases]
    kind, first = distinct(pd.concat([both[0], both[1].add_prefix("after ")], axis=1))
    was, new = (link.at(base.table.iloc[first].reset_index(drop=True)) for base in bases)
    step = [factor * (b - a) for a, b in zip(was.matrices, new.matrices, strict=True)]
    reached = [a + b for a, b in zip(was.matrices, step, strict=True)]
    x, t_x, T = (bases[0].table[name].to_numpy() for name in ("frequency", "recency", "T"))
    return _Kinds(
        compress(x, t_x, T, kind),
        was,
        replace(link, matrices=tuple(step)),
        replace(link, matrices=tuple(reached)),
    )


def _same_customers(before: Any, after: Any) -> None:
    if type(before) is not type(after):
        raise OptionError("before and after are bases of the same kind")
    columns = ["customer_id", "frequency", "recency", "T"]
    if not before.table[columns].equals(after.table[columns]):
        raise OptionError(
            "before and after are not the same customers with the same purchases: join other "
            "covariates to one base, as in base.with_covariates(...)"
        )


def _of_purchases(
    fits: tuple[FittedPurchases, FittedSpend],
    bases: tuple[Any, Any],
    terms: Terms,
    factor: float,
    draws: int,
) -> list[tuple[str, Floats, Floats, int]]:
    """Item, value before and after (1 + draws,) with the estimate first, and customers."""
    fit, spend_fit = fits
    kinds = _kinds(fit, bases, factor)
    family = replace(cast(Any, fit.family), link=kinds.was)
    families, theta = Families(family, spend_fit.family), (fit.theta, spend_fit.theta)
    seen = Histories.of(family, bases[0], kinds.seen, terms.margin)
    ahead = seen.ahead
    moved = _FromNowOn(ahead.x, ahead.t_x, ahead.T, ahead.kind, ahead.group, kinds.change)
    if ahead.alive(family, fit.theta).shape[-1] != kinds.was.family.space.size:
        raise OptionError(
            f"what {family.name} knows of a customer alive cannot be moved by a covariate: fit "
            "ParetoNBD, GGompertzNBD, BGNBD or NBD"
        )
    drawn = _with_estimate(joint_draws(fit, spend_fit, terms, draws), theta)
    totals = []
    for state in (ahead, moved):
        held = replace(seen, ahead=state)
        future = discounted_by_draw(family, drawn.purchases, held, terms.curve, drawn.rates)
        found = expected_totals(families, theta, drawn, future, held.pooled(), terms.curve)
        totals.append(spend_fit.paid_share * found.every)
    number = bases[0].customers
    links = (kinds.was, kinds.will)
    news = [_new(spend_fit, family, link, kinds.seen, drawn, terms) for link in links]
    return [
        ("all present customers", totals[0], totals[1], number),
        ("a present customer, on average", totals[0] / number, totals[1] / number, number),
        ("a new customer", news[0], news[1], number),
    ]


def _with_estimate(drawn: Parameters, theta: tuple[Floats, Floats]) -> Parameters:
    """Joint draws with the estimate before them."""
    return Parameters(
        np.vstack([theta[0], drawn.purchases]),
        np.vstack([theta[1], drawn.spend]),
        np.append(drawn.rates[:1], drawn.rates),
    )


def _new(
    spend_fit: FittedSpend,
    family: Any,
    link: ByCovariates,
    seen: Profiles,
    drawn: Parameters,
    terms: Terms,
) -> Floats:
    """(1 + d,) lifetime value of a new customer, of a kind taken at random from the base."""
    repeat = discounted_purchases(
        replace(family, link=link), drawn.purchases, terms.curve, drawn.rates,
        Mix.of(seen, ages=False).few(MOST_KINDS),
    )  # fmt: skip
    nobody = np.zeros(1)
    order = spend_fit.family.expected_order(drawn.spend, nobody, nobody)[0]
    scale = float(terms.margin.mean()) * spend_fit.paid_share
    return np.asarray(scale * order * (1.0 + repeat))


def _table(rows: list[tuple[str, Floats, Floats, int]], level: float) -> pd.DataFrame:
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    made = []
    for item, before, after, customers in rows:
        change = after - before
        lower, upper = np.quantile(change[1:], tails, method="nearest")
        made.append(
            {
                "item": item,
                "before": before[0],
                "after": after[0],
                "change": change[0],
                "lower": lower,
                "upper": upper,
                "per_cent": PER_CENT * change[0] / before[0] if before[0] else None,
                "customers": customers,
            }
        )
    return pd.DataFrame(made)


def _estimand(horizon: Any, reliability: float) -> str:
    cut = "" if reliability == 1.0 else f"; effects divided by a reliability of {reliability:.2f}"
    span = "all future" if horizon is None else f"the next {Span.parse(horizon)}"
    return (
        f"expected discounted margin over {span} if covariates change from now on, less that if "
        f"they stay; causal only if the covariates are causes{cut}"
    )


def _notes(fit: Any, reliability: float) -> "list[str]":
    said = ["What was bought so far stays explained by the covariates of that time."]
    if reliability == 1.0:
        said.append(
            "Covariates are taken for what they say: where they hold error, as answers do, the "
            "change is too small. Give reliability= to correct it."
        )
    else:
        said.append(
            f"Effects are divided by a given reliability of {reliability:g}, whose own error is "
            "not in the intervals."
        )
    return said
