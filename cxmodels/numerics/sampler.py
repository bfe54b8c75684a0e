"""The slow road to the posterior, for shapes that no simple approximation covers.

A thin layer over emcee: the affine-invariant ensemble of Goodman and Weare 2010, whose walkers
move along lines through each other, all evaluated in one call.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cxmodels.numerics.arrays import Floats

BLOCK = 500  # steps between two looks at the autocorrelation
MOST_STEPS = 12_000
ENOUGH = 100.0  # steps per autocorrelation time after which the walk is long enough


@dataclass(frozen=True)
class Walk:
    """Draws (n, k) of an ensemble, their worth in independent draws, and whether they settled."""

    draws: Floats
    effective: float
    settled: bool


def ensemble(
    log_density: Callable[[Floats], Floats],
    initial: Floats,
    *,
    draws: int,
    rng: np.random.Generator,
) -> Walk:
    """Draws from a density by an ensemble of walkers.

    Args:
        log_density: log density (n,) up to a constant at points (n, k); -inf where impossible.
        initial: (w, k) distinct starting points of finite density; w even, at least 2 k + 2.
        draws: how many to return, thinned evenly from the second half of the walk.
        rng: chance.
    """
    import emcee  # the last resort: loaded when it is needed, to keep the import short

    walkers, k = initial.shape
    moves = [(emcee.moves.DEMove(), 0.7), (emcee.moves.DESnookerMove(), 0.1)]
    moves += [(emcee.moves.StretchMove(), 0.2)]
    sampler = emcee.EnsembleSampler(walkers, k, log_density, moves=moves, vectorize=True)
    state = emcee.State(initial, random_state=_legacy_state(rng))
    times = np.full(k, np.inf)
    while sampler.iteration < MOST_STEPS:
        state = sampler.run_mcmc(state, BLOCK, skip_initial_state_check=True)
        with np.errstate(invalid="ignore", divide="ignore"):  # walkers that do not move: no time
            times = sampler.get_autocorr_time(discard=sampler.iteration // 2, tol=0)
        steps = sampler.iteration - sampler.iteration // 2
        if np.isfinite(times).all() and steps > ENOUGH * times.max() and steps * walkers >= draws:
            break
    chain = sampler.get_chain(discard=sampler.iteration // 2, flat=True)
    time = max(float(np.max(times)), 1.0) if np.isfinite(times).all() else float(len(chain))
    kept = np.linspace(0, len(chain) - 1, draws).round().astype(np.int64)
    settled = bool(len(chain) / walkers > ENOUGH * time)
    return Walk(chain[rng.permutation(kept)], min(float(draws), len(chain) / time), settled)


def _legacy_state(rng: np.random.Generator) -> object:
    """emcee keeps the older kind of generator; its state is seeded from ours."""
    return np.random.RandomState(int(rng.integers(2**32 - 1))).get_state()
