"""Do heavy buyers leave sooner, or later, than others? What the data say of it."""

import numpy as np
import pandas as pd
import scipy

from cxmodels.data.summaries import CustomerBase, ask_for_base
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.dependent_pareto_nbd import DependentParetoNBD, correlation
from cxmodels.purchases.pareto_nbd import ParetoNBD
from cxmodels.results.estimate import check_level


def rate_dependence(
    base: CustomerBase, *, level: float = 0.9, draws: int = 1000, seed: int = 1
) -> pd.DataFrame:
    """Correlation of purchase and drop-out rates over customers, by the dependent Pareto/NBD.

    Args: base: customers; level: width of the interval; draws, seed: of the posterior.
    Returns: one row: correlation, lower, upper (posterior; where rho ran to an edge, one-sided from
    the correlation there), rho, likelihood_ratio against Pareto/NBD with its p_value (chi-square,
    one degree), customers, sentence.
    Errors: DataError where the base cannot be fitted.

    >>> import cxmodels as cx
    >>> log = cx.samples.cdnow().query("customer_id < 4_000")
    >>> base = cx.customer_base(log, customer="customer_id", time="date", amount="amount",
    ...                         unit="week", end="1997-09-30")
    >>> rate_dependence(base, draws=200)[["correlation", "customers"]].round(2).to_numpy().tolist()
    [[0.19, 400.0]]
    """
    ask_for_base(base)
    check_level(level)
    fit, plain = DependentParetoNBD().fit(base), ParetoNBD().fit(base)
    drawn = correlation(fit.posterior(draws, seed=seed).values)
    found = float(correlation(fit.theta))
    lower, upper = _interval(drawn, found, level, edge=not fit.estimate.free[4])
    ratio = max(0.0, 2.0 * (fit.log_likelihood - plain.log_likelihood))
    p = float(scipy.special.chdtrc(1, ratio))
    row = {
        "correlation": found,
        "lower": lower,
        "upper": upper,
        "rho": float(fit.theta[4]),
        "likelihood_ratio": ratio,
        "p_value": p,
        "customers": base.customers,
        "sentence": _sentence(found, p, str(fit.status)),
    }
    return pd.DataFrame([row])


def _interval(drawn: Floats, found: float, level: float, *, edge: bool) -> tuple[float, float]:
    """Quantiles of the draws; where the estimate ran to an edge, one-sided from there."""
    if not edge:
        lower, upper = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        return float(lower), float(upper)
    if found > 0:
        return float(np.quantile(drawn, 1 - level)), max(found, float(drawn.max()))
    return min(found, float(drawn.min())), float(np.quantile(drawn, level))


def _sentence(found: float, p: float, status: str) -> str:
    if p > 0.05:
        return (
            f"the data do not tell a dependence from none (p = {p:.2g}): Pareto/NBD will do as well"
        )
    how = "sooner" if found > 0 else "later"
    said = f"heavy buyers leave {how} than others (p = {p:.2g}): Pareto/NBD takes them for alike"
    return f"{said}; {status}" if "boundary" in status else said
