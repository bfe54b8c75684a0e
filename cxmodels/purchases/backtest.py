"""Did the forecast come true? Purchases of a hold-out against the model and simple rules."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.summaries import CustomerBase
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Bools, Floats, Ints
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.prediction import default_draws
from cxmodels.purchases.simulation import AliveGroups, future_counts, p_alive
from cxmodels.purchases.tracking import frequency_labels, interval_of_total
from cxmodels.results.estimate import check_level

TOP = 0.1  # share of customers that decile capture looks at


@dataclass(frozen=True)
class Accuracy:
    """How well n predictions of purchases did; None where nothing was bought or nothing drawn.

    bias: of the total, per cent; error: mean absolute, per customer; rms_error: root mean square,
    which the expectation makes smallest (a mean absolute error rewards a forecast of 0 where most
    customers buy nothing); gini: of actual purchases ranked by predicted; top_decile: share of
    them made by the tenth predicted to buy most; active: share of customers rightly said to buy,
    or not to buy, in the hold-out.
    """

    bias: float | None
    error: float
    rms_error: float
    gini: float | None
    top_decile: float | None
    active: float

    @classmethod
    def of(cls, expected: Floats, actual: Floats, buys: Bools) -> "Accuracy":
        """expected, actual: purchases (n,); buys: (n,) whether any purchase was predicted."""
        return cls(
            bias=_percent(expected.sum(), float(actual.sum())),
            error=_mae(expected, actual),
            rms_error=float(np.sqrt(np.mean((expected - actual) ** 2))),
            gini=_gini(expected, actual),
            top_decile=_capture(expected, actual),
            active=float(np.mean(buys == (actual > 0))),
        )


@dataclass(frozen=True)
class Holdout:
    """Actual and predicted purchases of n customers in the hold-out, from the calibration alone.

    actual: (n,); expected: (n,) at the estimate; totals: (d, m) expected under each draw and
    counts: (d, m) simulated, for m distinct histories; row: (n,) which history is whose.
    """

    actual: Ints
    expected: Floats
    by_draw: Floats
    counts: Ints
    row: Ints

    @classmethod
    def of(
        cls, fit: FittedPurchases, base: CustomerBase, draws: int | None, seed: int
    ) -> "Holdout":
        """Predictions for the hold-out window of `base`."""
        fit.check_base(base)
        if base.holdout_T is None:
            raise OptionError("the base has no hold-out: make it with holdout_end=")
        fit, seen = fit.on(base)
        family, t = fit.family, np.float64(base.holdout_T)
        groups = AliveGroups.of(family, seen)
        count = default_draws(4 * seen.T.size, groups.x.size) if draws is None else draws
        sample = fit.posterior(count, seed=seed).values
        theta = np.concatenate([fit.theta[None], sample])
        expected = p_alive(family, theta, seen)
        expected *= family.expected_purchases(groups.alive(family, theta), t)[:, groups.group]
        rng = generator(seed)
        parts = [counts for _, _, counts in future_counts(family, sample, seen, float(t), rng)]
        actual = base.table["holdout_frequency"].to_numpy(dtype=np.int64)
        counts = np.concatenate(parts, axis=1)
        return cls(actual, expected[0][seen.row], expected[1:], counts, seen.row)

    def interval(self, chosen: Floats, level: float, seed: int) -> Floats:
        """Interval (2,) for the purchases of the customers marked 1 in `chosen` (n,)."""
        weight = np.bincount(self.row, weights=chosen, minlength=self.counts.shape[1])
        variance = np.array([weight @ self.counts.var(axis=0)])
        mean = (self.by_draw @ weight)[:, None]
        return interval_of_total(mean, variance, level, generator(seed))[:, 0]

    def percentile(self, seed: int) -> Floats:
        """Randomised probability integral transform (n,): uniform where predictions are honest."""
        below, equal = np.empty(self.actual.size), np.empty(self.actual.size)
        order = np.argsort(self.row, kind="stable")
        ends = np.searchsorted(self.row[order], np.arange(self.counts.shape[1] + 1))
        for history in range(self.counts.shape[1]):
            customers = order[ends[history] : ends[history + 1]]
            simulated = np.sort(self.counts[:, history])
            seen = self.actual[customers]
            below[customers] = np.searchsorted(simulated, seen, side="left")
            equal[customers] = np.searchsorted(simulated, seen, side="right")
        chance = generator(seed).random(self.actual.size)
        draws = len(self.counts)
        return (below + chance * (equal - below + 1.0)) / (draws + 1.0)


def holdout_summary(
    fit: FittedPurchases,
    base: CustomerBase,
    *,
    level: float = 0.9,
    draws: int | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """The hold-out in ten figures, beside two simple rules.

    "own rate": every customer keeps their past purchases per unit of time; "mean": every
    customer buys what the average one will. Returns: metric, value, lower, upper, unit, note.
    """
    from scipy.stats import kstest  # heavy, and needed here alone

    check_level(level)
    held = Holdout.of(fit, base, draws, seed)
    seen, row = base.profiles, base.profiles.row
    rate = seen.frequency / np.where(seen.T > 0, seen.T, np.inf)
    own_rate = (rate * float(base.holdout_T or 0.0))[row]
    actual, expected = held.actual.astype(np.float64), held.expected
    lower, upper = held.interval(np.ones(actual.size), level, seed)
    total, predicted = float(actual.sum()), float(expected.sum())
    score = held.percentile(seed)
    tail = (1.0 - level) / 2.0
    inside = float(np.mean((score > tail) & (score < 1.0 - tail)))
    mean = np.full(actual.size, predicted / actual.size)
    lines = [
        ("actual purchases", total, None, None, "purchases", f"{actual.size:,} customers"),
        ("expected purchases", predicted, lower, upper, "purchases", f"interval {level:.0%}"),
        ("bias of the total", _percent(predicted, total), _percent(lower, total),
         _percent(upper, total), "per cent", "expected against actual"),
        ("bias of own rate", _percent(own_rate.sum(), total), None, None, "per cent",
         "simple rule"),
        ("error per customer", _mae(expected, actual), None, None, "per customer", "mean absolute"),
        ("error of own rate", _mae(own_rate, actual), None, None, "per customer", "simple rule"),
        ("error of mean", _mae(mean, actual), None, None, "per customer", "simple rule"),
        ("inside the interval", inside, None, None, "share", f"of customers; {level:.0%} is right"),
        ("calibration", float(kstest(score, "uniform").pvalue), None, None, "p-value",
         "PIT against uniform; small: intervals too narrow or shifted"),
        ("Gini", _gini(expected, actual), None, None, "share", "of actual, ranked by expected"),
        ("top decile", _capture(expected, actual), None, None, "share",
         "of actual purchases by the tenth expected to buy most"),
        ("top decile of own rate", _capture(own_rate, actual), None, None, "share", "simple rule"),
    ]  # fmt: skip
    table = pd.DataFrame(lines, columns=["metric", "value", "lower", "upper", "unit", "note"])
    return table.astype({"value": float, "lower": float, "upper": float})


def conditional_expectation(
    fit: FittedPurchases,
    base: CustomerBase,
    *,
    most: int = 7,
    level: float = 0.9,
    draws: int | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """Hold-out purchases per customer by calibration frequency, actual and expected.

    Returns: frequency ("0" to "7+"), customers, actual, expected, lower, upper (interval for the
    actual mean of the group).
    """
    check_level(level)
    held = Holdout.of(fit, base, draws, seed)
    frequency = np.minimum(base.table["frequency"].to_numpy(dtype=np.int64), most)
    rows = []
    for value, label in enumerate(frequency_labels(most)):
        chosen = (frequency == value).astype(np.float64)
        size = int(chosen.sum())
        if not size:
            continue
        lower, upper = held.interval(chosen, level, seed) / size
        rows.append(
            {
                "frequency": label,
                "customers": size,
                "actual": float(chosen @ held.actual) / size,
                "expected": float(chosen @ held.expected) / size,
                "lower": lower,
                "upper": upper,
            }
        )
    return pd.DataFrame(rows)


def _percent(value: float, total: float) -> float | None:
    return 100.0 * (float(value) / total - 1.0) if total > 0 else None


def _mae(expected: Floats, actual: Floats) -> float:
    return float(np.abs(expected - actual).mean())


def _capture(score: Floats, actual: Floats) -> float | None:
    """Share of the actual purchases made by the customers with the highest scores."""
    if actual.sum() == 0:
        return None
    most = max(1, round(TOP * actual.size))
    best = np.argsort(-score, kind="stable")[:most]
    return float(actual[best].sum() / actual.sum())


def _gini(score: Floats, actual: Floats) -> float | None:
    """Gini coefficient of the actual purchases when customers are ranked by score."""
    if actual.sum() == 0:
        return None
    ranked = actual[np.argsort(score, kind="stable")]
    share = np.cumsum(ranked) / ranked.sum()
    return float(1.0 - 2.0 * (share.mean() - 0.5 / actual.size))
