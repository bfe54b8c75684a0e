"""Simulation-based calibration: draws of a posterior are as wide as they should be.

Parameters are drawn from a prior, customers simulated from them, the posterior drawn under the very
same prior: the truth's rank among the draws is then even on 0 to 1, whatever the model (Talts,
Betancourt, Simpson, Vehtari and Gelman 2018). A posterior too narrow piles ranks up at both ends.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest
from scipy import stats

from cxmodels.likelihood.posterior import NormalPrior
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.spend.gamma_gamma import GammaGamma
from tests.laws.populations import CDNOW, SPEND, world

DRAWS = 400
PURCHASES = NormalPrior(mean=np.log([0.5, 6.0, 0.8, 2.5]), sd=0.5, unit_free=False)
ORDERS = NormalPrior(mean=np.log([5.0, 4.0, 16.0]), sd=0.35, unit_free=False)


def rank(seed: int, *, model: str, customers: int) -> np.ndarray:
    """The truth's place (k,), between 0 and 1, among posterior draws of each parameter."""
    rng = np.random.default_rng([seed, 5])
    prior = PURCHASES if model == "purchases" else ORDERS
    mean = np.asarray(prior.mean)
    truth = np.exp(mean + prior.sd * rng.standard_normal(mean.size))
    theta, spend = (truth, SPEND) if model == "purchases" else (CDNOW, truth)
    base = world(theta, spend, customers=customers, ages=(26, 52), horizon=0, rng=rng).base
    fit = BGNBD().fit(base) if model == "purchases" else GammaGamma().fit(base)
    draws = fit.posterior(DRAWS, seed=seed, prior=prior)
    below = (draws.values < truth).sum(axis=0)
    return (below + rng.random(mean.size)) / (DRAWS + 1)


def ranks(runs: int, *, processes: int = 1, **case) -> np.ndarray:
    """(runs, k) places of the truth."""
    one = partial(rank, **case)
    if processes == 1:
        return np.array([one(seed) for seed in range(runs)])
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return np.array(list(pool.map(one, range(runs), chunksize=10)))


def evenness(places: np.ndarray, bins: int) -> np.ndarray:
    """p-value of the chi-square test that places (runs, k) are even, for each parameter."""
    edges = np.linspace(0, 1, bins + 1)
    counts = np.array([np.histogram(column, edges)[0] for column in places.T])
    return stats.chisquare(counts, axis=1).pvalue


def test_the_posterior_of_purchases_is_calibrated():
    found = evenness(ranks(100, model="purchases", customers=300), bins=5)
    assert (found > 0.001).all(), found  # four tests of one in 1,000


@pytest.fixture(scope="module")
def places_of_spend():
    return ranks(100, model="spend", customers=300)


def test_the_posterior_of_spend_is_calibrated(places_of_spend):
    found = evenness(places_of_spend, bins=5)
    assert (found > 0.001).all(), found


def test_a_posterior_too_narrow_is_seen(places_of_spend):
    """Draws pulled half way to their middle are found out by the same test."""
    z = stats.norm.ppf(places_of_spend)
    assert (evenness(stats.norm.cdf(2 * z), bins=5) < 0.001).any()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["purchases", "spend"])
def test_a_thousand_posteriors_are_calibrated(model):
    found = evenness(ranks(1000, processes=2, model=model, customers=400), bins=20)
    print(model, found)
    assert (found > 0.01 / found.size).all(), found  # one in 100 for all parameters together
