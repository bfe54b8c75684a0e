"""Bases on which effects have no finite estimate, or numbers of any size: a sentence, never NaN."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.likelihood.objective import RealScale
from cxmodels.numerics.optimise import climb
from tests.laws.populations import walk

CASES = {
    "a level that never buys again": lambda lam, p, kind: (np.where(kind == 1, 0.0, lam), p),
    "a level that always leaves at once": lambda lam, p, kind: (lam, np.where(kind == 1, 1.0, p)),
    "nobody leaves": lambda lam, p, kind: (lam, 0.0 * p),
    "levels decide who leaves": lambda lam, p, kind: (lam, 1.0 * (kind > 1)),
    "rates far apart": lambda lam, p, kind: (lam * np.exp(3.0 * (kind - 1.5)), p),
}
ASKED = {
    "levels": {"purchase": "~ kind", "dropout": "~ kind"},
    "one effect for both": {"purchase": "~ kind", "dropout": "~ kind", "equal": "kind"},
    "wild numbers": {"purchase": "~ kind + heavy", "dropout": "~ heavy"},
    "penalised": {"purchase": "~ kind + heavy", "dropout": "~ kind", "penalty": 1.0},
}


def base_of(case: str, seed: int) -> cx.CustomerBase:
    rng = np.random.default_rng([seed, 9])
    size = 60
    kind = rng.integers(0, 4, size)
    lam, p = CASES[case](rng.gamma(0.8, 1 / 4.0, size), rng.beta(0.8, 2.4, size), kind)
    T = rng.uniform(20.0, 40.0, size)
    found = walk(np.maximum(lam, 1e-12), p, T, rng)
    x = np.bincount(found.customer, minlength=size)
    t_x = np.zeros(size)
    np.maximum.at(t_x, found.customer, found.time)
    frame = pd.DataFrame({"frequency": x, "recency": t_x, "T": T})
    frame["kind"] = np.array(list("abcd"))[kind]
    frame["heavy"] = rng.standard_cauchy(size) ** 3 * 1e9
    return cx.CustomerBase.from_summary(frame, covariates=["kind", "heavy"])


LONG = ("nobody leaves", "levels")  # drawn by the sampler, the last resort, along four ridges


@pytest.mark.parametrize(("case", "asked"), [
    pytest.param(case, asked, marks=[pytest.mark.slow] if (case, asked) == LONG else [])
    for case in CASES for asked in ASKED
])  # fmt: skip
def test_a_hard_base_ends_in_a_sentence(case, asked):
    base = base_of(case, len(case))
    fit = cx.BGNBD().fit(base, **ASKED[asked])
    assert str(fit.status).split(":")[0] in ("converged", "boundary", "flat", "stopped")
    assert np.isfinite(fit.theta).all()
    if asked != "penalised":
        assert fit.log_likelihood >= fit.plain_log_likelihood - 1e-6
    view, rng = RealScale(fit.objective), np.random.default_rng(1)
    others = [
        climb(view.derivatives, start).value for start in rng.normal(0, 1, (3, len(fit.theta)))
    ]
    assert max(others) < fit.estimate.maximised + 0.01
    found = fit.predict(base, horizon="10W", draws=2)
    assert np.isfinite(found.drop(columns="customer_id").to_numpy()).all()
