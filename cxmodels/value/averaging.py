"""Equity under several models that the data hardly tell apart: one answer that owns the choice.

Each near-tied model values the base; their outcomes are mixed by weight. The spread of their
expectations is a source of uncertainty of its own, which no single model shows.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxmodels.chance import generator
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.units import Span
from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.selection import Selection
from cxmodels.results.draws import FIGURES
from cxmodels.results.estimate import check_level
from cxmodels.spend.fitted import FittedSpend
from cxmodels.value.lifetime_value import Value, lifetime_value
from cxmodels.value.terms import Margin

MIXED = 100_000  # outcomes in the mixture


@dataclass(frozen=True, repr=False)
class AveragedValue:
    """Customer equity under near-tied models.

    table: one row a model: family, weight (they sum to 1), equity, lower, upper, p_alive (mean over
    customers), p_alive_once (mean over those who bought once).
    equity: item, estimate, lower, upper, std_dev, variance_share: the average, then "choice of
    model" and "within models" as the parts of its variance.
    values: the full value under each family. verdict: in words.
    """

    table: pd.DataFrame
    equity: pd.DataFrame
    values: dict[str, Value]
    verdict: str

    def __repr__(self) -> str:
        shown = self.table.to_string(index=False, float_format=FIGURES)
        return f"{self.verdict}\n{shown}"

    def _repr_html_(self) -> str:
        from html import escape

        table = self.table.to_html(index=False, float_format=FIGURES)
        return f"<p>{escape(self.verdict)}</p>{table}"


def average_value(  # noqa: PLR0913 - the terms of a valuation by name
    selection: Selection,
    spend_fit: FittedSpend,
    base: CustomerBase,
    *,
    horizon: str | Span | None,
    discount_rate: float,
    margin: Margin = 1.0,
    level: float = 0.9,
    draws: int | None = None,
    seed: int = 1,
) -> AveragedValue:
    """Customer equity averaged over the near-ties of a selection, by Akaike weight.

    Args: selection: as `select` gives it; the other arguments as in `lifetime_value`.
    Errors: as `lifetime_value`; OptionError where an equity is infinite.
    Source: Buckland, Burnham and Augustin (1997), "Model Selection: An Integral Part of Inference",
    Biometrics 53, for the weights and the variance with its part between models.

    >>> import cxmodels as cx
    >>> base = cx.customer_base(cx.samples.cdnow(), customer="customer_id", time="date",
    ...                         amount="amount", unit="week", end="1997-09-30", currency="USD")
    >>> found = average_value(cx.select(base, [cx.BGNBD()], origins=0), cx.GammaGamma().fit(base),
    ...                       base, horizon="12M", discount_rate=0.10, margin=0.30, draws=200)
    >>> found.table["family"].tolist(), found.table["weight"].tolist()
    (['BG/NBD'], [1.0])
    """
    check_level(level)
    if not isinstance(selection, Selection):
        raise OptionError(
            f"average_value takes what cx.select gives, got {type(selection).__name__}: "
            "average_value(cx.select(base, families), spend_fit, base, ...)"
        )
    near = selection.table[selection.table["family"].isin(selection.near)]
    weight = near["aic_weight"].to_numpy() / near["aic_weight"].sum()
    values = {
        name: lifetime_value(
            selection.fits[name],
            spend_fit,
            base,
            horizon=horizon,
            discount_rate=discount_rate,
            margin=margin,
            level=level,
            draws=draws,
            seed=seed,
        )
        for name in near["family"]
    }
    table = _by_model(values, weight, base)
    if not np.isfinite(table["equity"]).all():
        raise OptionError("an equity is infinite (Gamma-Gamma q of 1 or below): nothing to average")
    equity = _averaged(values, weight, level, generator(seed, 11))
    return AveragedValue(table, equity, values, _verdict(table, equity))


def _by_model(values: dict[str, Value], weight: Floats, base: CustomerBase) -> pd.DataFrame:
    once = base.table["frequency"].to_numpy() == 0
    rows = []
    for (name, value), share in zip(values.items(), weight, strict=True):
        total, alive = value.equity.iloc[0], value.customers["p_alive"].to_numpy()
        rows.append(
            {
                "family": name,
                "weight": float(share),
                "equity": total["estimate"],
                "lower": total["lower"],
                "upper": total["upper"],
                "p_alive": float(alive.mean()),
                "p_alive_once": float(alive[once].mean()) if once.any() else np.nan,
            }
        )
    return pd.DataFrame(rows)


def _averaged(
    values: dict[str, Value], weight: Floats, level: float, rng: np.random.Generator
) -> pd.DataFrame:
    totals = [value.equity.iloc[0] for value in values.values()]
    means = np.array([total["estimate"] for total in totals])
    within = float(weight @ np.array([total["std_dev"] ** 2 for total in totals]))
    mean = float(weight @ means)
    between = float(weight @ (means - mean) ** 2)
    counts = rng.multinomial(MIXED, weight)
    parts_of = zip(values.values(), counts, strict=True)
    mixed = np.concatenate([rng.choice(value.outcomes, many) for value, many in parts_of])
    lower, upper = np.quantile(mixed, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    total = within + between
    parts = [("choice of model", between), ("within models", within)]
    rows = [("customer equity", mean, lower, upper, np.sqrt(total), 1.0)]
    rows += [
        (item, np.nan, np.nan, np.nan, np.sqrt(part), part / total if total > 0 else 0.0)
        for item, part in parts
    ]
    columns = ["item", "estimate", "lower", "upper", "std_dev", "variance_share"]
    first = totals[0]
    return pd.DataFrame(rows, columns=columns).assign(
        unit=first["unit"], customers=first["customers"], estimand=first["estimand"]
    )


def _verdict(table: pd.DataFrame, equity: pd.DataFrame) -> str:
    total, unit = equity.iloc[0], equity["unit"].iloc[0]
    said = (
        f"Customer equity {total['estimate']:,.0f} {unit} ({total['lower']:,.0f} to "
        f"{total['upper']:,.0f}), {total['customers']:,} customers, averaged over "
        f"{len(table)} model{'' if len(table) == 1 else 's'}"
    )
    if len(table) == 1:
        return f"{said}: the data tell {table['family'].iloc[0]} from the others."
    ranked = table.sort_values("equity")
    low, high = ranked.iloc[0], ranked.iloc[-1]
    share = equity["variance_share"].iloc[1]
    return (
        f"{said}: from {low['equity']:,.0f} ({low['family']}) to {high['equity']:,.0f} "
        f"({high['family']}); the choice of model is {share:.0%} of the variance."
    )
