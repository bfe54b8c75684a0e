"""What each customer and the whole base are worth: discounted margin, with honest intervals.

Residual value is what a *present* customer still brings; lifetime value is that of a *new* one, its
first purchase included. They never share a column. Point estimates stand at the fitted parameters;
intervals come from joint draws of parameters, lifetime, purchases and spend.
"""

from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.units import Span, TimeUnit
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.kinds import Mix
from cxmodels.results.estimate import check_level
from cxmodels.spend.fitted import FittedSpend
from cxmodels.value import expectation
from cxmodels.value.concentration import concentration
from cxmodels.value.discount import Payment
from cxmodels.value.equity import Totals, equity_table, expected_totals, shares
from cxmodels.value.histories import Histories
from cxmodels.value.intervals import Simulated, by_group, by_history, one_by_one
from cxmodels.value.new_customer import new_customer_table
from cxmodels.value.outcomes import Families, Parameters, purchases_ahead
from cxmodels.value.terms import Margin, Terms, as_number, curve_of, joint_draws, margins

ONE_BY_ONE = 5_000_000  # customers times draws up to which every customer is simulated alone
MOST_CELLS = 50_000_000  # draws times histories by default
MOST_PURCHASES = 200_000_000  # simulated purchases by default
DRAWS = (200, 1000)
EXACT_DRAWS = 400  # draws under which expected totals are worked out
RANKED_CELLS = 8_000_000
UNBOUNDED = np.finfo(np.float64).max / 1e9  # stands for an infinite value where values are ranked


@dataclass(frozen=True)
class Value:
    """The value of a customer base.

    customers: one row a customer: customer_id, p_alive, expected_purchases (within the horizon, if
    it is finite), discounted_purchases, expected_spend (per purchase), residual_value with the
    interval of the outcome (residual_value_lower, residual_value_upper), and p_below =
    P(residual value <= `below`).
    equity: the total with its interval, then its sources of uncertainty (they sum to 1).
    concentration, lorenz: of expected residual value. new_customer: lifetime_value of a new one.
    assumptions: item, value. notes: what a reader has to know, in sentences.
    outcomes: (d,) totals that may come true, under as many joint draws.
    """

    customers: pd.DataFrame
    equity: pd.DataFrame
    concentration: pd.DataFrame
    lorenz: pd.DataFrame
    new_customer: pd.DataFrame
    assumptions: pd.DataFrame
    notes: tuple[str, ...]
    outcomes: Floats = field(repr=False, compare=False)

    def __repr__(self) -> str:
        total, share = self.equity.iloc[0], self.concentration
        new, unit = self.new_customer.iloc[0], total["unit"]
        top = [
            f"{row.group}: {row.share:.0%} ({row.lower:.0%} to {row.upper:.0%})"
            for row in share.iloc[2:3].itertuples()
        ]
        terms = self.assumptions.set_index("item")["value"]
        return "\n".join(
            [
                f"Customer equity {total['estimate']:,.0f} {unit} "
                f"({total['lower']:,.0f} to {total['upper']:,.0f}), "
                f"{total['customers']:,} customers",
                f"over {terms['horizon']} at {terms['discount rate']}; margin {terms['margin']}; "
                f"interval {terms['interval']}",
                *top,
                f"lifetime value of a new customer {new['lifetime_value']:,.2f} {unit} "
                f"({new['lower']:,.2f} to {new['upper']:,.2f})",
            ]
        )

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{escape(line)}</p>" for line in repr(self).splitlines())
        shown = self.equity.drop(columns=["estimand"]).to_html(index=False, na_rep="")
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return f"<div><b>Value of the customer base</b>{lines}{shown}<ul>{notes}</ul></div>"


def lifetime_value(  # noqa: PLR0913 - the door of the room: every term of a valuation by name
    fit: FittedPurchases,
    spend_fit: FittedSpend,
    base: CustomerBase,
    *,
    horizon: str | Span | None,
    discount_rate: float,
    margin: Margin = 1.0,
    payment: str | Payment = Payment.CONTINUOUS,
    level: float = 0.9,
    below: float = 0.0,
    draws: int | None = None,
    seed: int = 1,
    discount_rate_sd: float = 0.0,
    currency: str | None = None,
) -> Value:
    """Values every present customer, the base as a whole, and a new customer.

    Args:
        fit, spend_fit: fitted purchase and spend models; base: customers, in the unit of `fit`.
        horizon: such as "36M", counted from the base's end; None for all future.
        discount_rate: annual and effective, 0.10 for 10 per cent; discount_rate_sd: its standard
            deviation where it is uncertain.
        margin: share of revenue kept, one for all or one per customer (a Series by customer_id).
        payment: when purchases are paid: "continuous" (on their own date), or at the "start",
            "middle" or "end" of their month.
        level: width of intervals; below: amount of `p_below`, 0 for "brings nothing more".
        draws: joint draws, 1,000 if None (down to 200 on very large bases); seed: of all chance.
        currency: of the amounts; the base's own if None.

    Errors: OptionError for a term that makes no sense, DataError for margins that are none.

    >>> import cxmodels as cx
    >>> base = cx.customer_base(cx.samples.cdnow(), customer="customer_id", time="date",
    ...                         amount="amount", unit="week", end="1997-09-30", currency="USD")
    >>> value = cx.lifetime_value(cx.BGNBD().fit(base), cx.GammaGamma().fit(base), base,
    ...                           horizon="12M", discount_rate=0.10, margin=0.30, draws=200)
    >>> value
    Customer equity 21,797 USD (... to ...), 2,357 customers
    over the next 12 months at 10.00% a year, effective; margin 30.0% of revenue; interval 90%...
    top 20 per cent of customers: 71% (...)
    lifetime value of a new customer 25.23 USD (...)
    """
    _check_fits(fit, spend_fit, base)
    if not 0.0 <= as_number(discount_rate_sd, "discount_rate_sd") <= 1.0:
        raise OptionError(
            f"discount_rate_sd is the standard deviation of an annual rate, 0 to 1, got "
            f"{discount_rate_sd}"
        )
    curve = curve_of(fit, horizon=horizon, rate=discount_rate, payment=payment, start=base.end)
    terms = Terms(
        curve=curve,
        horizon=None if horizon is None else Span.parse(horizon),
        margin=margins(margin, base),
        below=as_number(below, "below"),
        level=check_level(level),
        rate_sd=float(discount_rate_sd),
        seed=seed,
        currency=currency or base.currency or spend_fit.currency or "",
    )
    return _valued(fit, spend_fit, base, terms, draws)


def _check_fits(fit: object, spend_fit: object, base: CustomerBase) -> None:
    """Raises OptionError where the three do not go together."""
    if not (isinstance(fit, FittedPurchases) and isinstance(spend_fit, FittedSpend)):
        raise OptionError(
            "lifetime_value takes a fitted purchase model, a fitted spend model and a base, in "
            f"this order; got {type(fit).__name__} and {type(spend_fit).__name__}"
        )
    fit.check_base(base)
    spend_fit.check_base(base)
    if spend_fit.currency and base.currency and spend_fit.currency != base.currency:
        raise OptionError(
            f"spend was fitted in {spend_fit.currency}, the base is in {base.currency}: convert one"
        )


def _valued(
    fit: FittedPurchases,
    spend_fit: FittedSpend,
    base: CustomerBase,
    terms: Terms,
    draws: int | None,
) -> Value:
    fit, profiles = fit.on(base)
    seen = Histories.of(fit.family, base, profiles, terms.margin)
    count = _default_draws(fit, seen, terms) if draws is None else draws
    if not (isinstance(count, int) and count >= 2):
        raise OptionError(f"draws must be 2 or more, got {draws}")
    drawn = joint_draws(fit, spend_fit, terms, count)
    theta, paid = (fit.theta, spend_fit.theta), spend_fit.paid_share
    families = Families(fit.family, spend_fit.family)
    few = drawn.rows(slice(0, EXACT_DRAWS))
    flat = np.full(len(few), terms.curve.rate)
    ahead = expectation.discounted_by_draw(fit.family, few.purchases, seen, terms.curve, flat)
    totals = expected_totals(families, theta, few, ahead, seen.pooled(), terms.curve).times(paid)
    expected = _expected_customers(fit, spend_fit, seen, terms)
    alone = seen.row.size * count <= ONE_BY_ONE
    together = by_history if families.spend.losses else by_group
    found = (one_by_one if alone else together)(fit, spend_fit, seen, terms, drawn)
    ranked = _residual_by_draw(families, few, ahead, seen, paid)
    found = found.given_parameters(_own_variance(ranked, seen.weight))
    customers = _customers(base, {name: of[seen.row] for name, of in expected.items()}, found)
    variance = shares(totals, found.behaviour, found.orders)
    outcomes = _total_outcomes(found, totals, terms, lowest=-np.inf if base.losses else 0.0)
    low, high = (float(end) for end in np.quantile(outcomes, terms.tails))
    estimate = float(customers["residual_value"].sum())
    spread = concentration(expected["residual_value"], ranked, seen.weight, terms.level)
    return Value(
        customers=customers,
        equity=equity_table(estimate, (low, high), variance, base.customers, terms),
        concentration=spread.table,
        lorenz=spread.lorenz,
        new_customer=new_customer_table(
            families, theta, drawn, terms, paid, Mix.of(profiles, ages=False)
        ),
        assumptions=_assumptions(families, fit.unit, base, terms, count),
        notes=(
            *_infinite(estimate, totals),
            *_below_nothing(estimate, totals),
            *_notes(fit, spend_fit, seen, alone),
        ),
        outcomes=outcomes,
    )


def _customers(base: CustomerBase, columns: dict[str, Floats], found: Simulated) -> pd.DataFrame:
    """One row a customer: what is expected, and the interval of what may come true."""
    ends = {
        "residual_value_lower": found.lower,
        "residual_value_upper": found.upper,
        "p_below": found.p_below,
    }
    ids = base.table["customer_id"].to_numpy()
    return pd.DataFrame({"customer_id": ids, **columns, **ends})


def _residual_by_draw(
    families: Families, few: Parameters, ahead: Floats, seen: Histories, paid: float
) -> Floats:
    """(m, d) expected residual value of each history, under as many draws as are quickly ranked."""
    count = int(np.clip(RANKED_CELLS // seen.size, 20, len(few)))
    some, every = few.rows(slice(0, count)), slice(0, seen.size)
    value = np.ascontiguousarray(ahead[:, :count])[seen.group]
    value *= expectation.p_alive(families.purchases, some.purchases, seen, every)
    value *= expectation.spend(families.spend, some.spend, seen, every)
    value *= (seen.margin * paid)[:, None]
    return np.where(np.isfinite(value), value, UNBOUNDED)


def _own_variance(by_draw: Floats, weight: Floats) -> float:
    """Sum over customers of the variance of their expected value over draws, finite draws only."""
    finite = by_draw[:, (by_draw < UNBOUNDED).all(axis=0)]
    return float(weight @ finite.var(axis=1)) if finite.shape[1] > 1 else 0.0


def _expected_customers(
    fit: FittedPurchases, spend_fit: FittedSpend, seen: Histories, terms: Terms
) -> dict[str, Floats]:
    """Columns (m,) at the fitted parameters, one row for each history."""
    every = slice(0, seen.size)
    alive = expectation.p_alive(fit.family, fit.theta[None], seen, every)[:, 0]
    order = expectation.spend(spend_fit.family, spend_fit.theta[None], seen, every)[:, 0]
    spend = order * spend_fit.paid_share
    ahead = expectation.discounted_if_alive(fit.family, fit.theta, seen, terms.curve)[seen.group]
    columns = {"p_alive": alive}
    if np.isfinite(terms.curve.length):
        updated = seen.ahead.alive(fit.family, fit.theta)
        count = fit.family.expected_purchases(updated, terms.curve.length)[seen.group]
        columns["expected_purchases"] = alive * count
    return columns | {
        "discounted_purchases": alive * ahead,
        "expected_spend": spend,
        "residual_value": seen.margin * alive * ahead * spend,
    }


def _total_outcomes(found: Simulated, totals: Totals, terms: Terms, *, lowest: float) -> Floats:
    """Totals that may come true: simulated, or expected totals plus a normal sum of outcomes."""
    if found.totals is not None:
        return found.totals
    every = totals.every
    rng = generator(terms.seed, 5)
    noise = np.sqrt(found.behaviour + found.orders) * rng.standard_normal((500, every.size))
    return np.asarray(np.maximum(every + noise, lowest).ravel())


def _assumptions(
    families: Families, unit: TimeUnit, base: CustomerBase, terms: Terms, draws: int
) -> pd.DataFrame:
    margin = terms.margin
    same = float(np.ptp(margin)) == 0.0
    shown = f"{margin[0]:.1%}" if same else f"{margin.min():.1%} to {margin.max():.1%}"
    rate = f"{terms.curve.rate:.2%} a year, effective"
    if terms.rate_sd:
        rate += f", standard deviation {terms.rate_sd:.2%}"
    items = [
        (
            "valued as of",
            base.end.isoformat() if base.end else "end of the base, months of mean length",
        ),
        ("horizon", terms.span),
        ("discount rate", rate),
        ("margin", f"{shown} of {'the margins on record' if base.losses else 'revenue'}"),
        ("payment", terms.curve.payment.value),
        ("customers", f"{base.customers:,}"),
        ("interval", f"{terms.level:.0%}, from {draws:,} joint draws"),
        (
            "p_below of a customer",
            f"P(residual value <= {terms.below:g} {terms.currency}".rstrip() + ")",
        ),
        ("purchases", f"{families.purchases.name}, time in {unit.value}s"),
        ("spend", f"{families.spend.name}, independent of how often a customer buys"),
        ("left out", "new customers, costs beyond the margin, referrals"),
    ]
    return pd.DataFrame(items, columns=["item", "value"])


def _default_draws(fit: FittedPurchases, seen: Histories, terms: Terms) -> int:
    """As many as keep the work bounded: histories of a large base, purchases of busy customers."""
    each = purchases_ahead(fit.family, fit.theta, seen, terms.curve) + 1.0
    affordable = min(MOST_CELLS / seen.size, MOST_PURCHASES / (seen.row.size * each))
    return int(np.clip(affordable, *DRAWS))


def _infinite(estimate: float, totals: Totals) -> tuple[str, ...]:
    """What to say where the mean order is infinite, at the estimate or under some draws."""
    share = float(np.mean(~np.isfinite(totals.every)))
    if not np.isfinite(estimate):
        return (
            "The expected equity is infinite: the spend model's q is 1 or below, so customers "
            "without a paid repeat order have no finite mean order. The interval is of simulated "
            "outcomes and finite; use it, and look at the few very large orders behind it.",
        )
    if share:
        return (
            f"Under {share:.0%} of the draws the mean order is infinite (q of 1 or below): too few "
            "orders to know spend by. Those draws are left out of the split by source.",
        )
    return ()


def _below_nothing(estimate: float, totals: Totals) -> tuple[str, ...]:
    """What to say where margins make the whole base worth less than nothing, or may do so."""
    share = float(np.mean(totals.every <= 0.0))
    if estimate <= 0.0:
        return (
            "The customers are worth nothing or less together: shares of the top and a Lorenz "
            "curve have no meaning, and their tables are empty.",
        )
    if share:
        return (
            f"Under {share:.0%} of the draws the customers are worth nothing or less together; the "
            "intervals of concentration leave these draws out.",
        )
    return ()


def _notes(
    fit: FittedPurchases, spend_fit: FittedSpend, seen: Histories, one_by_one: bool
) -> tuple[str, ...]:
    said = [*fit.notes, *spend_fit.notes]
    if not (seen.orders > 0).any():
        said.append(
            "No customer of this base has a paid repeat order on record: all are valued at the "
            "mean order of the population behind the spend fit."
        )
    if not one_by_one:
        said.append(
            "The interval of the total adds a normal sum of independent customers to the draws of "
            "the parameters, because the base is too large to simulate every customer alone."
        )
    return tuple(said)
