"""MBG/NBD, BG/CNBD-k and MBG/CNBD-k end every fit in a sentence, on bases made to be hard.

Each log likelihood is at least that of the best of 50 random starts, less .01.
"""

import numpy as np
import pandas as pd
import pytest

from cxmodels.data.summaries import CustomerBase
from cxmodels.purchases.bg_cnbd import BGCNBD, MBGCNBD
from cxmodels.purchases.mbg_nbd import MBGNBD

FAMILIES = (MBGNBD(), BGCNBD(k=2), MBGCNBD(k=4))


def hard_bases():
    """Name and base: heavy buyers, hours and years, everybody or nobody leaving, few customers."""
    rng = np.random.default_rng(12)

    def base(x, share, T):
        t_x = np.where(x > 0, np.maximum(T * share, 1e-9), 0.0)
        frame = pd.DataFrame({"frequency": x, "recency": t_x, "T": T})
        return CustomerBase.from_summary(frame, unit="week")

    n = 120
    spread, share = rng.negative_binomial(1, 0.2, n), rng.random(n)
    T = rng.uniform(20.0, 40.0, n)
    yield "heavy", base(rng.integers(1, 5001, n), 0.9 + 0.1 * share, 50 * T)
    yield "hours", base(spread, share, 168 * T)
    yield "years", base(spread, share, T / 52.18)
    yield "constant", base(np.full(n, 3), np.full(n, 0.8), np.full(n, 30.0))
    yield "once", base(np.where(np.arange(n) == 0, 1, 0), share, T)
    yield "nobody leaves", base(rng.poisson(20, n) + 1, np.full(n, 0.999), T)
    yield "all leave", base(np.minimum(spread, 1), np.full(n, 1e-3), T)
    yield "two customers", base(np.array([0, 2]), np.array([0.0, 0.5]), np.array([9.0, 9.0]))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_hard_bases(family):
    for name, base in hard_bases():
        fit = family.fit(base)
        assert np.isfinite(fit.log_likelihood), name
        assert len(str(fit.status)) > 20, name
        scales = fit.objective.scales
        tried = scales * np.exp(np.random.default_rng(1).normal(0.0, 2.0, (50, 4)))
        with np.errstate(all="ignore"):  # far starts may overflow: they lose
            heights = fit.objective.log_likelihood(tried)
        assert fit.log_likelihood > np.nanmax(heights) - 0.01, name
        predicted = fit.predict(base, horizon="52W", draws=20)
        assert np.isfinite(predicted.drop(columns="customer_id").to_numpy()).all(), name
        assert predicted["p_alive"].between(0.0, 1.0).all(), name
