"""Counts of arms looked at every day: a p-value that holds at all looks together.

Under the shares drawn, the odds of the counts under a Dirichlet mixture of shares to those under
the shares themselves are a martingale of mean 1, so that by Ville's inequality they pass 1 / alpha
with chance alpha at most, however often one looks (Lindon and Malek 2022, "Anytime-valid inference
for multinomial count data", NeurIPS 35, equation 4).
"""

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats

# of mixtures: at a share of 1/2 one standard deviation is 15, 5, 1.6 and 0.5 points, so that gross
# mismatch is found at once and a small one in the end; a mean of martingales is one
CONCENTRATIONS = (10.0, 100.0, 1_000.0, 10_000.0)


def log_odds(counts: Floats, shares: Floats, concentration: float) -> Floats:
    """(looks,) log odds of counts until each look against the shares drawn.

    counts: (looks, a) until then; shares: (a,), which sum to 1; concentration: how near to the
    shares drawn the mixture lies, as if of so many units.

    >>> counts = np.array([[6000.0, 6000.0], [6300.0, 5700.0]])
    >>> np.exp(log_odds(counts, np.array([0.5, 0.5]), 10_000.0)).round(2).tolist()
    [0.67, 2413.81]
    """
    start = concentration * shares
    n = counts.sum(axis=-1)
    mixed = scipy.special.gammaln(concentration) - scipy.special.gammaln(concentration + n)
    each = scipy.special.gammaln(start + counts) - scipy.special.gammaln(start)
    return np.asarray(mixed + (each - counts * np.log(shares)).sum(axis=-1))


def always_valid(counts: Floats, shares: Floats) -> Floats:
    """(looks,) p-values: one over the largest odds until each look, 1 at most; the odds are the
    mean over mixtures of several concentrations.

    >>> counts = np.array([[40.0, 60.0], [110.0, 190.0]])
    >>> always_valid(counts, np.array([0.5, 0.5])).round(4).tolist()
    [0.6715, 0.0005]
    """
    each = np.stack([log_odds(counts, shares, one) for one in CONCENTRATIONS])
    odds = scipy.special.logsumexp(each, axis=0) - np.log(len(CONCENTRATIONS))
    return np.exp(-np.maximum.accumulate(np.maximum(odds, 0.0)))
