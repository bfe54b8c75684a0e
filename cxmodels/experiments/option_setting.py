"""What a design is tried in, and what it is once it is made."""

from collections.abc import Callable
from dataclasses import dataclass

from cxmodels.experiments.comparisons import Comparison
from cxmodels.experiments.option_history import History
from cxmodels.experiments.placebo_trials import Trial
from cxmodels.numerics.arrays import Ints

LEAST_CLUSTERS = 4


@dataclass(frozen=True, eq=False)
class Setting:
    """history; kept (n,): units of the control and the arm compared with it; share of them that is
    treated; holdout: share; uptake: None if it is not known; level of intervals; draws, seed."""

    history: History
    kept: Ints
    share: float
    holdout: float
    uptake: float | None
    level: float
    draws: int
    seed: int


@dataclass(frozen=True, eq=False)
class Made:
    """A design: its placebo tests; the comparison and n of its formula; units, treated, clusters
    (0: none) and threat, a sentence; scale: share of the effect that the comparison sees; paid:
    share of the treated that cost; past: whether it happened already."""

    trial: Trial
    comparison: Comparison
    n: float
    units: int
    treated: int
    threat: str
    clusters: int = 0
    scale: float = 1.0
    paid: float = 1.0
    past: bool = False


Design = Callable[[Setting, tuple[int, int]], Made | str]
