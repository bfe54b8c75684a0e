"""Which model of purchases to trust: by likelihood, and by forecasts from days gone by.

Every family is fitted to the base, ranked by what the data say for it (AIC, and a likelihood ratio
where one family is another one's limit), and made to forecast hold-outs it has not seen, beside
simple rules. What comes out is a table and a verdict in words, not a winner by decree.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from types import MappingProxyType
from typing import Any, Protocol, cast

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.summaries import CustomerBase, ask_for_base
from cxmodels.errors import CxError, FitError, OptionError
from cxmodels.purchases.backtest import Accuracy, Holdout
from cxmodels.purchases.families import COMPARED, FAMILIES, REGULAR
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.origins import Origin, origins_of
from cxmodels.purchases.prediction import at_the_estimate
from cxmodels.purchases.rules import rules
from cxmodels.results.draws import FIGURES
from cxmodels.results.estimate import check_level

INTERVALS = "log_interval_sum"  # column of a base that keeps the logs of intervals
NEAR = 4.0  # AIC from the best up to which a model is a near-tie: support within a factor of e^2

Told = Callable[[str], None]


class Fittable(Protocol):
    """A family that fits itself to a base."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def fit(self, base: CustomerBase) -> FittedPurchases:
        """The fit to a base."""


@dataclass(frozen=True, repr=False)
class Selection:
    """Families compared on one base.

    table: one row a family, the best AIC first: family, parameters (how many), log_likelihood,
    aic, bic, aic_weight, and over the origins the mean of bias (per cent), error and rms_error (per
    customer), gini, top_decile and active (share told right whether they buy), the p-value of
    calibration (smallest over origins), status.
    backtest: one row an origin and a family or rule, with the interval of the bias.
    calibration: one row an origin, a family and a tenth of its predictive distribution: origin,
    model, tenth, customers, share of customers whose purchases fell into it, and lower and upper,
    within which the share of an honest model lies.
    nested: likelihood ratios of families that are limits of others.
    fits: by family name. verdict: in words. refused: families that could not be fitted, and why.
    """

    table: pd.DataFrame
    backtest: pd.DataFrame
    calibration: pd.DataFrame
    nested: pd.DataFrame
    verdict: tuple[str, ...]
    fits: Mapping[str, FittedPurchases]
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def best(self) -> FittedPurchases:
        """The fit with the smallest AIC."""
        return self.fits[self.table["family"].iloc[0]]

    @property
    def near(self) -> tuple[str, ...]:
        """Families whose AIC lies within 4 of the best: the data hardly tell them apart."""
        gap = self.table["aic"] - self.table["aic"].iloc[0]
        return tuple(self.table.loc[gap <= NEAR, "family"])

    def __repr__(self) -> str:
        shown = self.table.drop(columns="status").to_string(index=False, float_format=FIGURES)
        return "\n".join([*self.verdict, shown])

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.verdict)
        return said + self.table.to_html(index=False, float_format=FIGURES, na_rep="")


def select(
    base: CustomerBase,
    families: Sequence[Fittable] | None = None,
    *,
    origins: int = 3,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 1,
    progress: Told | None = None,
) -> Selection:
    """Fits and compares families on a base.

    Args: base: customers, made from a log where rolling origins are wanted; families: to compare,
    every one that fits the base if None (those of regular buyers where it has the logs of
    intervals); origins: days to forecast from, each a sixth of the window before the next, 0 for
    none; level: width of the interval of the bias; draws: behind it; seed: of chance; progress:
    told each step.

    Errors: OptionError for no family, FitError where none can be fitted to the base.

    >>> import cxmodels as cx
    >>> base = cx.customer_base(cx.samples.cdnow(), customer="customer_id", time="date",
    ...                         amount="amount", unit="week", end="1997-09-30")
    >>> found = select(base, [cx.BGNBD()], origins=1)
    >>> found.best.family.name, found.table["log_likelihood"].round(2).tolist()
    ('BG/NBD', [-9582.43])
    """
    ask_for_base(base)
    check_level(level)
    families = _all(base) if families is None else families
    if not families or origins < 0:
        raise OptionError("select compares one family or more, from no origin or more")
    tell = progress or (lambda sentence: None)
    fits, refused = _fitted(families, base, tell)
    if not fits:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise FitError(f"none of {len(families)} families can be fitted: {reasons}")
    cuts, words = origins_of(base, origins) if origins else ([], "no back-test: origins=0")
    kinds: list[Fittable] = [cast(Any, fit.family) for fit in fits.values()]
    rows = [row for cut in cuts for row in _forecasts(cut, kinds, (level, draws, seed), tell)]
    backtest = pd.DataFrame(rows, columns=COLUMNS).astype(TYPES)
    table = _table(fits, backtest)
    nested = nested_table(fits)
    return Selection(
        table=table,
        backtest=backtest,
        calibration=_calibration(rows, level),
        nested=nested,
        verdict=tuple(_verdict(table, backtest, fits, words)),
        fits=MappingProxyType(fits),
        refused=MappingProxyType(refused),
    )


def _all(base: CustomerBase) -> list[Fittable]:
    """The families that the base can say something about."""
    regular = REGULAR if INTERVALS in base.table else ()
    return [cast(Any, FAMILIES[name]()) for name in (*COMPARED, *regular)]


def _fitted(
    families: Sequence[Fittable], base: CustomerBase, tell: Told
) -> tuple[dict[str, FittedPurchases], dict[str, str]]:
    fits: dict[str, FittedPurchases] = {}
    refused: dict[str, str] = {}
    for family in families:
        tell(f"fits {family.name}")
        try:
            fit = family.fit(base)
        except CxError as error:
            refused[family.name] = str(error)
            continue
        if getattr(fit.family, "k", None) == 1:
            refused[family.name] = "k = 1 is most likely: the same as the model without regularity"
        else:
            fits[fit.family.name] = fit
    return fits, refused


COLUMNS = (
    "origin", "model", "kind", "customers", "actual_total", "bias", "bias_lower", "bias_upper",
    "error", "rms_error", "gini", "top_decile", "active", "calibration",
)  # fmt: skip
TENTHS, TENTH_EDGES = "tenths", np.linspace(0.0, 1.0, 11)
MEASURES = ["bias", "error", "rms_error", "gini", "top_decile", "active"]
TYPES = dict.fromkeys(COLUMNS[5:], float) | {"customers": int, "actual_total": int}


def _forecasts(
    cut: Origin, families: Sequence[Fittable], how: tuple[float, int, int], tell: Told
) -> Iterator[dict[str, object]]:
    """One row for each family and rule at one origin."""
    base, t = cut.base, float(cut.base.holdout_T or 0.0)
    actual = base.table["holdout_frequency"].to_numpy(dtype=np.float64)
    head = {"origin": str(base.end), "customers": actual.size, "actual_total": int(actual.sum())}
    for family in families:
        tell(f"forecasts from {base.end} by {family.name}")
        try:
            fit = family.fit(base)
        except CxError:  # too little had been seen by then
            continue
        yield head | _of_model(fit, base, how)
    for rule in rules(base, cut.earlier, t):
        accuracy = Accuracy.of(rule.expected, actual, rule.buys)
        yield head | {"model": rule.name, "kind": "rule"} | vars(accuracy)


def _of_model(
    fit: FittedPurchases, base: CustomerBase, how: tuple[float, int, int]
) -> dict[str, object]:
    level, draws, seed = how
    held = Holdout.of(fit, base, draws, seed)
    actual = held.actual.astype(np.float64)
    bound, seen = fit.on(base)
    silent = at_the_estimate(bound.family, bound.theta, seen, float(base.holdout_T or 0.0))
    buys = silent["p_no_purchase"][seen.row] < 0.5
    accuracy = Accuracy.of(held.expected, actual, buys)
    lower, upper = held.interval(np.ones(actual.size), level, seed)
    total = max(float(actual.sum()), 1.0)
    score = held.percentile(seed)
    return {
        "model": fit.family.name,
        "kind": "model",
        **vars(accuracy),
        "bias_lower": 100.0 * (lower / total - 1.0),
        "bias_upper": 100.0 * (upper / total - 1.0),
        "calibration": _uniformity(score),
        TENTHS: np.histogram(score, TENTH_EDGES)[0],
    }


def _calibration(rows: list[dict[str, object]], level: float) -> pd.DataFrame:
    """How the purchases of customers fall into the tenths of what was predicted for each."""
    found = []
    tails = (1.0 - level) / 2.0, (1.0 + level) / 2.0
    for row in rows:
        if TENTHS not in row:
            continue
        counts = np.asarray(row[TENTHS], dtype=np.float64)
        low, high = scipy.stats.binom.ppf(tails, counts.sum(), 0.1) / counts.sum()
        found += [
            (row["origin"], row["model"], place, int(counts.sum()), share, low, high)
            for place, share in enumerate(counts / counts.sum(), start=1)
        ]
    columns = ["origin", "model", "tenth", "customers", "share", "lower", "upper"]
    return pd.DataFrame(found, columns=columns)


def _uniformity(score: np.ndarray) -> float:
    from scipy.stats import kstest  # heavy, and needed here alone

    return float(kstest(score, "uniform").pvalue)


def _table(fits: Mapping[str, FittedPurchases], backtest: pd.DataFrame) -> pd.DataFrame:
    """One row a family, the best AIC first."""
    rows = []
    best = min(fit.aic for fit in fits.values())
    for name, fit in fits.items():
        held = backtest[backtest["model"] == name]
        rows.append(
            {
                "family": name,
                "parameters": fit.theta.size,
                "log_likelihood": fit.log_likelihood,
                "aic": fit.aic,
                "bic": fit.bic,
                "aic_weight": float(np.exp(-0.5 * (fit.aic - best))),
                **held[MEASURES].mean().to_dict(),
                "calibration": held["calibration"].min(),
                "status": str(fit.status),
            }
        )
    table = pd.DataFrame(rows).sort_values("aic", kind="stable", ignore_index=True)
    table["aic_weight"] /= table["aic_weight"].sum()
    return table


@dataclass(frozen=True)
class Limit:
    """`small` is what `large` becomes where some parameters run to an edge, `free` of them."""

    small: str
    large: str
    free: int
    how: str
    inside: bool = False  # whether `small` lies within `large`, not on its edge


LIMITS = (
    Limit("NBD", "BG/NBD", 2, "nobody leaves, a / b = 0"),
    Limit("NBD", "MBG/NBD", 2, "nobody leaves, a / b = 0"),
    Limit("NBD", "Pareto/NBD", 2, "nobody leaves, s / beta = 0"),
    Limit("Pareto/NBD", "Dependent Pareto/NBD", 1, "rates do not depend, rho = 0", inside=True),
    Limit("Pareto/NBD", "Gamma-Gompertz/NBD", 1, "hazards do not grow with age, b = 0"),
)


def nested_table(fits: Mapping[str, FittedPurchases]) -> pd.DataFrame:
    """Likelihood ratios of families that are limits of others.

    Where the smaller family lies within the larger one, the ratio is chi-square. Most lie on its
    edge, where the ratio has not its usual distribution. With one parameter at its edge it is zero
    half the time (Self and Liang 1987, Journal of the American Statistical Association 82, case 5);
    with two, of which the second has no meaning there, the chi-square with 2 degrees is used: it
    errs on the side of the smaller one.
    Returns: smaller, larger, how, ratio, p_value.
    """
    rows = []
    for limit in LIMITS:
        if limit.small in fits and limit.large in fits:
            gain = fits[limit.large].log_likelihood - fits[limit.small].log_likelihood
            ratio = max(0.0, 2.0 * gain)
            tail = float(scipy.special.chdtrc(limit.free, ratio))
            at_edge = limit.free == 1 and not limit.inside and ratio > 0
            p = 0.5 * tail if at_edge else tail
            rows.append((limit.small, limit.large, limit.how, ratio, p))
    return pd.DataFrame(rows, columns=["smaller", "larger", "how", "ratio", "p_value"])


def _verdict(
    table: pd.DataFrame, backtest: pd.DataFrame, fits: Mapping[str, FittedPurchases], words: str
) -> Iterator[str]:
    first = table.iloc[0]
    gap = table["aic"] - first["aic"]
    ties = table.loc[gap <= NEAR, "family"].tolist()
    if len(table) == 1:
        yield f"{first['family']} alone was fitted (AIC {first['aic']:,.1f}): nothing to compare."
    elif len(ties) > 1:
        yield (
            f"By likelihood the data hardly tell {', '.join(ties[:-1])} and {ties[-1]} apart (AIC "
            f"within {NEAR:g}): average over them, or choose by what each says of who leaves."
        )
    else:
        yield (
            f"By likelihood {first['family']} explains the data best (AIC {first['aic']:,.1f}; the "
            f"next is {gap.iloc[1]:.1f} behind)."
        )
    yield f"Back-test: {words}."
    yield from _of_forecasts(backtest)
    notes = [note for name in ties for note in fits[name].notes]
    yield from dict.fromkeys(notes)


def _of_forecasts(backtest: pd.DataFrame) -> Iterator[str]:
    best, rival = (
        min(_means(backtest[backtest["kind"] == kind]), key=lambda mean: mean[1], default=None)
        for kind in ("model", "rule")
    )
    if best is None or rival is None:
        return
    than = "less" if best[1] < rival[1] else "no less"
    yield (
        f"Forecasts: {best[0]} misses a customer's purchases by {best[1]:.3f} (root mean square) "
        f"and the total by {best[2]:+.1f} per cent on average, {than} than the best simple rule "
        f"({rival[0]}: {rival[1]:.3f} and {rival[2]:+.1f} per cent)."
    )


def _means(rows: pd.DataFrame) -> list[tuple[str, float, float]]:
    """Name, root mean square error and bias of each model or rule, averaged over origins."""
    mean = rows.groupby("model", sort=False)[["rms_error", "bias"]].mean()
    return list(zip(mean.index, mean["rms_error"], mean["bias"], strict=True))
