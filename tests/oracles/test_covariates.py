"""Fits with covariates against a likelihood written out plainly and climbed by scipy alone.

CLVTools' static-covariate estimates for its apparel data are not shipped here, so the oracle is
brute force: dummies made by hand, the BG/NBD likelihood of Fader, Hardie and Lee (2005, equation 6)
term by term, and a search without derivatives. Nothing of the package takes part.
"""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import betaln, gammaln

import cxmodels as cx


@pytest.fixture(scope="module")
def base():
    whole = cx.customer_base(
        cx.samples.cdnow(), customer="customer_id", time="date", amount="amount",
        unit="week", end="1997-09-30",
    )  # fmt: skip
    kinds = whole.table[["customer_id"]].assign(
        quarter=np.where(whole.table["T"] > 33, "early", "late"),
        first_spend=_first_amounts(whole.table["customer_id"]),
    )
    return whole.with_covariates(kinds)


def _first_amounts(ids):
    log = cx.samples.cdnow().sort_values(["customer_id", "date"], kind="stable")
    return np.log1p(log.groupby("customer_id")["amount"].first().reindex(ids).to_numpy(float))


def negative_log_likelihood(v, table, penalty=0.0, prior_sd=None):
    """v: logs of r, alpha, a, b at the mean covariates, then effects of late, spend, late."""
    r, alpha, a, b = np.exp(v[:4])
    late = (table["quarter"] == "late").to_numpy(float)
    spend = table["first_spend"].to_numpy(float)
    buying = v[4] * (late - late.mean()) + v[5] * (spend - spend.mean())
    leaving = v[6] * (late - late.mean())
    alpha_i = alpha / np.exp(buying)
    odds = a / b * np.exp(leaving)
    a_i, b_i = (a + b) * odds / (1 + odds), (a + b) / (1 + odds)
    x, t_x, T = (table[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    A1 = gammaln(r + x) - gammaln(r) + r * np.log(alpha_i)
    A2 = betaln(a_i, b_i + x) - betaln(a_i, b_i) - (r + x) * np.log(alpha_i + T)
    A3 = betaln(a_i + 1, b_i + np.maximum(x, 1) - 1) - betaln(a_i, b_i)
    A3 = A3 - (r + x) * np.log(alpha_i + t_x)
    value = (A1 + np.where(x > 0, np.logaddexp(A2, A3), A2)).sum()
    scaled = v[4:] * np.array([late.std(), spend.std(), late.std()])
    value -= penalty * (scaled**2).sum()
    if prior_sd is not None:
        mean_T = table["T"].mean()
        away = np.concatenate([v[:4] - np.log([1, mean_T, 1, 1]), scaled])
        value -= 0.5 * ((away / prior_sd) ** 2).sum()
    return -value


def climbed(table, **terms):
    start = [*np.log([0.25, 4.5, 0.8, 2.5]), 0.0, 0.0, 0.0]
    options = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-7, "fatol": 1e-9, "adaptive": True}
    found = minimize(
        lambda v: negative_log_likelihood(v, table, **terms), start, method="BFGS",
        options={"gtol": 1e-4},
    )  # fmt: skip
    return minimize(
        lambda v: negative_log_likelihood(v, table, **terms), found.x, method="Nelder-Mead",
        options=options,
    )  # fmt: skip


ASKED = {"purchase": "~ quarter + first_spend", "dropout": "~ quarter"}
CASES = {
    "maximum likelihood": ({}, {}),
    "penalty": ({"penalty": 40.0}, {"penalty": 40.0}),
    "prior": ({"prior": cx.NormalPrior(sd=0.3)}, {"prior_sd": 0.3}),
}


@pytest.mark.parametrize("case", CASES)
def test_fit_is_the_brute_force_maximum(base, case):
    mine, plain = CASES[case]
    fit, found = cx.BGNBD().fit(base, **ASKED, **mine), climbed(base.table, **plain)
    assert fit.estimate.maximised == pytest.approx(-found.fun, abs=2e-5)
    expected = np.concatenate([np.exp(found.x[:4]), found.x[4:]])
    # BFGS and Nelder-Mead stop where the value no longer changes in its tenth digit
    np.testing.assert_allclose(fit.theta, expected, rtol=1e-3, atol=1e-4)


def test_plain_map_is_the_brute_force_mode(base):
    fit = cx.BGNBD().fit(base, prior=cx.NormalPrior(mean=0.2, sd=0.1))
    table = base.table

    def density(v):
        whole = np.concatenate([v, np.zeros(3)])
        away = (v - np.log([1, table["T"].mean(), 1, 1]) - 0.2) / 0.1
        return negative_log_likelihood(whole, table) + 0.5 * (away**2).sum()

    found = minimize(density, np.log([0.3, 6.0, 0.8, 2.0]), method="BFGS", options={"gtol": 1e-5})
    np.testing.assert_allclose(fit.theta, np.exp(found.x), rtol=1e-4)
    assert fit.estimate.maximised == pytest.approx(-found.fun, abs=1e-5)


def test_standard_errors_are_the_brute_force_curvature(base):
    fit = cx.BGNBD().fit(base, **ASKED)
    v = np.concatenate([np.log(fit.theta[:4]), fit.theta[4:]])
    step, k = 1e-4, len(v)
    H = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            corners = [
                si * sj * negative_log_likelihood(
                    v + step * (si * np.eye(k)[i] + sj * np.eye(k)[j]), base.table
                )
                for si in (1, -1) for sj in (1, -1)
            ]  # fmt: skip
            H[i, j] = sum(corners) / (4 * step**2)
    slope = np.concatenate([fit.theta[:4], np.ones(3)])
    expected = np.sqrt(np.diag(np.linalg.inv(H))) * slope
    np.testing.assert_allclose(fit.parameters["std_error"], expected, rtol=2e-3)
