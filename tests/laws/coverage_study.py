"""One replication of the coverage study: simulate, fit, predict, and see what the truth did.

Customers with known parameters are simulated, seen for a while, and followed on; the models are
fitted to what was seen alone. Run many times, 90 per cent intervals must hold the truth in 90 per
cent of the runs. The naive interval beside each stands at the fitted parameters as if they were
the truth (plug-in), and must fail.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import numpy as np
import pandas as pd

import cxmodels as cx
from cxmodels.purchases import bg_nbd
from cxmodels.results.draws import Draws
from tests.laws.populations import CDNOW, HEAVY, SPEND, World, p_alive, world

RATE, MARGIN, LEVEL = 0.10, 0.30, 0.90


@dataclass(frozen=True)
class Plan:
    """What is simulated: parameters, customers, weeks ahead; draws of each posterior.

    ages: of the customers when they are valued, weeks; asked: customers whose counts are checked,
    among those who bought in the last `recent` weeks: the others may have left, and then 0 alone
    has more than 5 per cent.
    """

    theta: tuple[float, ...] = tuple(CDNOW)
    customers: int = 1500
    ages: tuple[float, float] = (39.0, 52.0)
    weeks: int = 52
    draws: int = 500
    asked: int = 150
    recent: float = np.inf
    money: bool = True


BASE = Plan()
HEAVY_BUYERS = Plan(
    theta=tuple(HEAVY), customers=400, ages=(13.0, 20.0), weeks=20, draws=300, asked=100,
    recent=1.5, money=False,
)  # fmt: skip
LONG = Plan(customers=800, weeks=260, ages=(26.0, 39.0), draws=300, asked=10)


def replication(plan: Plan, seed: int) -> dict[str, float]:
    """Share of truths held by each kind of interval, in one simulated world."""
    rng = np.random.default_rng([seed, 77])
    made = world(
        np.array(plan.theta), SPEND, customers=plan.customers, ages=plan.ages,
        horizon=plan.weeks, rng=rng,
    )  # fmt: skip
    fit = _with_draws(cx.BGNBD().fit(made.base), plan.draws, seed)
    held = _purchases(plan, made, fit, seed, rng)
    if plan.money:
        held |= _equity(plan, made, fit, seed)
    return held


def _purchases(
    plan: Plan, made: World, fit: cx.FittedPurchases, seed: int, rng: np.random.Generator
) -> dict[str, float]:
    horizon = f"{plan.weeks}W"
    found = fit.predict(made.base, horizon=horizon, level=LEVEL, draws=plan.draws, seed=seed)
    truth = _expected(np.array(plan.theta)[None], made, plan.weeks)[0]
    draws = fit.posterior(plan.draws, seed=seed).values
    totals = _expected(draws, made, plan.weeks).sum(axis=1)
    quiet = (made.base.table["T"] - made.base.table["recency"]).to_numpy()
    some = rng.permutation(np.flatnonzero(quiet <= plan.recent))[: plan.asked]
    actual = made.purchases[some]
    low, high = (found[name].to_numpy()[some] for name in ("purchases_lower", "purchases_upper"))
    ends = np.stack([actual - 1, actual, low - 1, high]).astype(np.int64)
    below, upto, under, within = _predictive_cdf(draws[:200], made, some, ends, plan.weeks)
    place = below + rng.random(actual.size) * (upto - below)  # randomised: even if calibrated
    return {
        "expected purchases of a customer": _share(found["lower"], truth, found["upper"]),
        "expected purchases of the base": _held(totals, truth.sum()),
        "purchases of a customer, randomised": float(np.mean(np.abs(place - 0.5) <= LEVEL / 2)),
        "purchases of a customer": _share(low, actual, high),
        "content of that interval": float((within - under).mean()),
        "place of a customer": float(place.mean()),
    }


def _equity(plan: Plan, made: World, fit: cx.FittedPurchases, seed: int) -> dict[str, float]:
    spend = _with_draws(cx.GammaGamma().fit(made.base), plan.draws, seed)
    truth = made.money(RATE, MARGIN)
    terms = {
        "horizon": f"{plan.weeks}W", "discount_rate": RATE, "margin": MARGIN, "level": LEVEL,
        "draws": plan.draws, "seed": seed,
    }  # fmt: skip
    total = cx.lifetime_value(fit, spend, made.base, **terms).equity.iloc[0]
    certain = cx.lifetime_value(_certain(fit), _certain(spend), made.base, **terms).equity.iloc[0]
    return {
        "equity": _share(total["lower"], truth, total["upper"]),
        "equity, plug-in": _share(certain["lower"], truth, certain["upper"]),
        "equity, product of means": _share(*_product_of_means(plan, made, total)),
    }


def _product_of_means(plan: Plan, made: World, total: pd.Series) -> tuple[float, float, float]:
    """Mean order x mean rate x retention constant per week, with the honest interval's width.

    Each week is discounted; retention is the share of repeat buyers of the first half of the
    window who come back in the second: the textbook's m r / (1 + d - r) with a horizon.
    """
    table = made.base.table
    bought = table["frequency"] > 0
    weekly = (table["frequency"] / table["T"]).mean()
    early = bought & (table["recency"] <= table["T"] / 2)
    retention = 1 - early.sum() / max(bought.sum(), 1)
    keep = retention ** (1 / table["T"].mean() * 2)
    week = keep * (1 + RATE) ** (-7 / 365.2425)
    order = (table["monetary_value"] * table["paid_frequency"]).sum()
    order = order / table["paid_frequency"].sum()
    worth = MARGIN * weekly * order * week * (1 - week**plan.weeks) / (1 - week)
    half = (total["upper"] - total["lower"]) / 2
    middle = worth * plan.customers
    return middle - half, made.money(RATE, MARGIN), middle + half


def _expected(draws: np.ndarray, made: World, weeks: float) -> np.ndarray:
    """(d, n): expected purchases of each customer under each draw."""
    table = made.base.table
    x, t_x, T = (table[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T"))
    groups, place = np.unique(np.stack([x, T]), axis=1, return_inverse=True)
    updated = bg_nbd.alive(draws[:, None, :], groups[0], 0.0, groups[1])
    ahead = bg_nbd.expected_purchases(updated, np.float64(weeks))
    alive = p_alive(draws.T[:, :, None], x, t_x, T)
    return np.asarray(alive * ahead[:, place.ravel()])


def _predictive_cdf(
    draws: np.ndarray, made: World, some: np.ndarray, ends: np.ndarray, weeks: float
) -> np.ndarray:
    """P(count <= end) of each of `some`, for each row of `ends` (j, some), over the draws."""
    table = made.base.table.iloc[some]
    x, t_x, T = (table[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T"))
    most = np.maximum(ends.max(axis=0), 0)
    whose = np.repeat(np.arange(some.size), most + 1)
    first = np.append(0, np.cumsum(most + 1))[:-1]
    count = np.arange(whose.size) - first[whose]
    updated = bg_nbd.alive(draws[:, None, :], x[whose], 0.0, T[whose])
    alive = p_alive(draws.T[:, :, None], x, t_x, T)[:, whose]
    pmf = alive * np.exp(bg_nbd.log_pmf(updated, count, np.float64(weeks)))
    pmf = (pmf + (1 - alive) * (count == 0)).mean(axis=0)
    sums = np.append(0.0, np.cumsum(pmf))
    return sums[first + np.maximum(ends, -1) + 1] - sums[first]


def _with_draws(fit, draws: int, seed: int):
    """The fit with its posterior drawn once, as when it is saved and loaded."""
    return replace(fit, objective=None, stored=fit.posterior(draws, seed=seed))


def _certain(fit):
    """The fit as if its estimate were the truth."""
    values = np.tile(fit.theta, (10, 1))
    draws = Draws(fit.estimate.space.names, values, 0.0, 10.0, "plug-in")
    return replace(fit, objective=None, stored=draws)


def _held(sample: np.ndarray, truth: float) -> float:
    lower, upper = np.quantile(sample, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(lower <= truth <= upper)


def _share(lower, truth, upper) -> float:
    return float(np.mean((np.asarray(lower) <= truth) & (truth <= np.asarray(upper))))


def study(plan: Plan, replications: int, *, processes: int = 1, first: int = 0) -> pd.DataFrame:
    """One row per replication, one column per kind of interval."""
    seeds = range(first, first + replications)
    one = partial(replication, plan)
    if processes == 1:
        return pd.DataFrame([one(seed) for seed in seeds])
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return pd.DataFrame(list(pool.map(one, seeds, chunksize=5)))
