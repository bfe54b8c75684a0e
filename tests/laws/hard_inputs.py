"""Customer bases that break fits elsewhere: tiny, huge, constant, one-sided, in any unit of time.

Each is generated from a kind and a seed; all of it is simulated data.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from cxmodels.data.summaries import CustomerBase

HOUR, WEEK, YEAR = 168.0, 1.0, 7.0 / 365.2425  # what a week is in other units of time
Frame = pd.DataFrame


def frame(x: np.ndarray, t_x: np.ndarray, T: np.ndarray) -> Frame:
    """A summary; recency is 0 where nobody came back, and inside (0, T] where somebody did."""
    x, T = np.broadcast_arrays(x, T)
    t_x = np.where(x > 0, np.clip(t_x, 1e-3 * T, T), 0.0)
    return pd.DataFrame({"frequency": x.astype(np.int64), "recency": t_x, "T": T})


def walked(
    n: int, rng: np.random.Generator, *, rate: float, spread: float, leaving: float, T: float
) -> Frame:
    """Poisson buyers with gamma rates who leave after each purchase with probability `leaving`."""
    lam = rng.gamma(spread, rate / spread, n)
    until = T * rng.uniform(0.4, 1.0, n)
    most = rng.geometric(np.clip(leaving, 1e-12, 1.0), n)
    whole = rng.poisson(lam * until)
    x = np.minimum(whole, most)
    last = until * rng.beta(np.maximum(x, 1), np.maximum(whole - x + 1, 1))
    return frame(x, last, until)


def tiny(rng: np.random.Generator) -> Frame:
    return walked(int(rng.integers(3, 12)), rng, rate=0.3, spread=1.0, leaving=0.2, T=30.0)


def large(rng: np.random.Generator) -> Frame:
    return walked(5_000, rng, rate=0.1, spread=0.5, leaving=0.3, T=60.0)


def constant(rng: np.random.Generator) -> Frame:
    n, x, T = int(rng.integers(2, 200)), rng.integers(1, 9), rng.uniform(1.0, 90.0)
    return frame(np.full(n, x), np.full(n, T * rng.uniform(0.1, 1.0)), np.full(n, T))


def one_repeater(rng: np.random.Generator) -> Frame:
    n = int(rng.integers(2, 500))
    T = rng.uniform(10.0, 50.0, n)
    return frame(np.arange(n) == 0, T / 2, T)


def all_repeat(rng: np.random.Generator) -> Frame:
    n = int(rng.integers(20, 400))
    T = rng.uniform(20.0, 60.0, n)
    return frame(rng.integers(1, 30, n), T * rng.uniform(0.2, 1.0, n), T)


def heavy(rng: np.random.Generator) -> Frame:
    n = int(rng.integers(30, 300))
    T = rng.uniform(50.0, 100.0, n)
    return frame(rng.integers(0, 5001, n), T * rng.beta(20, 1, n), T)


def mixed_counts(rng: np.random.Generator) -> Frame:
    n = int(rng.integers(50, 400))
    T = rng.uniform(1.0, 100.0, n)
    return frame(np.floor(np.exp(rng.uniform(-1.0, 8.5, n))), T * rng.uniform(0.01, 1.0, n), T)


def all_leave(rng: np.random.Generator) -> Frame:
    return walked(400, rng, rate=1.0, spread=1.0, leaving=1.0 - 1e-9, T=50.0)


def nobody_leaves(rng: np.random.Generator) -> Frame:
    return walked(400, rng, rate=0.4, spread=0.8, leaving=1e-9, T=50.0)


def alike(rng: np.random.Generator) -> Frame:
    return walked(500, rng, rate=0.5, spread=5000.0, leaving=0.15, T=40.0)


def unequal(rng: np.random.Generator) -> Frame:
    return walked(600, rng, rate=0.5, spread=0.02, leaving=0.15, T=40.0)


def bought_on_the_last_day(rng: np.random.Generator) -> Frame:
    n = int(rng.integers(10, 200))
    T = rng.uniform(5.0, 50.0, n)
    return frame(rng.integers(1, 6, n), T, T)


def never_again_after_the_first_week(rng: np.random.Generator) -> Frame:
    n = int(rng.integers(10, 300))
    T = rng.uniform(30.0, 50.0, n)
    return frame(rng.integers(0, 4, n), rng.uniform(0.01, 1.0, n), T)


def some_just_joined(rng: np.random.Generator) -> Frame:
    made = walked(200, rng, rate=0.3, spread=1.0, leaving=0.2, T=30.0)
    new = frame(np.zeros(50), np.zeros(50), np.zeros(50))
    return pd.concat([made, new], ignore_index=True)


def one_time_only(rng: np.random.Generator) -> Frame:
    n = int(rng.integers(2, 300))
    return frame(np.zeros(n), np.zeros(n), rng.uniform(1.0, 50.0, n))


KINDS: tuple[Callable[[np.random.Generator], Frame], ...] = (
    tiny, large, constant, one_repeater, all_repeat, heavy, mixed_counts, all_leave, nobody_leaves,
    alike, unequal, bought_on_the_last_day, never_again_after_the_first_week, some_just_joined,
    one_time_only,
)  # fmt: skip
UNITS = {"hour": HOUR, "week": WEEK, "year": YEAR}


def hard_bases(many: int) -> Iterator[tuple[str, CustomerBase]]:
    """`many` bases with a name each, over all kinds and units in turn."""
    units = list(UNITS)
    for place in range(many):
        kind, seed = KINDS[place % len(KINDS)], place // len(KINDS)
        unit = units[(place + seed) % len(units)]
        made = kind(np.random.default_rng([seed, place]))
        made[["recency", "T"]] *= UNITS[unit]
        yield f"{kind.__name__} {seed} in {unit}s", CustomerBase.from_summary(made, unit=unit)
