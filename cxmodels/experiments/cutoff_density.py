"""Did units choose their side? The density of the score on both sides of the cutoff.

Who can move a score a little moves it over the cutoff, and is then not like those who could not.
The density at each side's end is a local quadratic estimate by a boundary kernel: it is what a
quadratic through a histogram tends to as its bars get thinner (McCrary 2008, Journal of
Econometrics 142; Cheng, Fan and Marron 1997, Annals of Statistics 25), an average over units, with
the standard error of an average.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import FitError
from cxmodels.experiments.cutoff_bandwidth import HEAPED, pilot_width
from cxmodels.experiments.local_polynomials import Side
from cxmodels.numerics.arrays import Floats
from cxmodels.results.shown_tables import Face, Faced

ORDER = 2
COARSE = 5  # steps of a score in whole steps that the width must hold


@dataclass(frozen=True, eq=False, repr=False)
class DensityTest(Faced):
    """table: side (below, from the cutoff on), units, near (within the width), density, std_error;
    ratio: of the densities, from the cutoff on to below (infinite where none is below); p_value:
    that they are the same."""

    table: pd.DataFrame
    ratio: float
    p_value: float
    bandwidth: float
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Both densities."""
        head = (f"Density of the score at the cutoff, within {self.bandwidth:.4g}: "
                f"p = {self.p_value:.3f}")  # fmt: skip
        return Face(head, self.table, self.notes)


def density_test(left: Side, right: Side) -> DensityTest:
    """Whether the score has as many units just below its cutoff as just above.

    Errors: FitError where the score has too few different values.
    """
    total = len(left.x) + len(right.x)
    width = min(pilot_width(left, right), left.reach, right.reach)
    shift, notes = _half_step(left, right, width)
    found = [_density(np.abs(side.x + shift), width, total) for side in (left, right)]
    (below, below_error), (above, above_error) = found
    error = float(np.hypot(below_error, above_error))
    if not error > 0.0:
        raise FitError(f"no unit lies within {width:.4g} of the cutoff")
    p = 2.0 * float(scipy.special.ndtr(-abs(above - below) / error))
    table = pd.DataFrame([
        {"side": name, "units": len(side.x), "near": int(side.within(width).sum()),
         "density": density, "std_error": own}
        for name, side, (density, own) in zip(("below", "from the cutoff on"), (left, right),
                                              found, strict=True)
    ])  # fmt: skip
    ratio = max(above, 0.0) / below if below > 0.0 else np.inf
    said = ("as many on both sides as chance allows" if p > 0.05 else
            "units seem to have chosen their side: the jump in outcomes may be theirs")  # fmt: skip
    return DensityTest(table, float(ratio), p, width, (f"{said.capitalize()}.", *notes))


def boundary_weights(u: Floats) -> Floats:
    """(n,) what a unit at u (0: the end, 1: the width) adds to the density at the end, by width.

    The triangular kernel has moments `int u**s (1 - u) du = 1 / ((s + 1) (s + 2))`.

    >>> u = (np.arange(10_000) + 0.5) / 10_000
    >>> [round(float((boundary_weights(u) * u**power).mean()), 4) for power in range(3)]
    [1.0, 0.0, 0.0]
    """
    powers = np.arange(ORDER + 1)
    both = powers[:, None] + powers
    own = np.linalg.solve(1.0 / ((both + 1.0) * (both + 2.0)), np.eye(ORDER + 1)[0])
    return np.asarray((u[:, None] ** powers @ own) * np.clip(1.0 - u, 0.0, None))


def _density(distance: Floats, width: float, total: int) -> tuple[float, float]:
    """Density at the end of one side, and its error; total: units on both sides."""
    added = boundary_weights(distance / width) / width
    density = float(added.sum()) / total
    square = float((added**2).sum()) / total - density**2
    return density, float(np.sqrt(max(square, 0.0) / total))


def _half_step(left: Side, right: Side, width: float) -> tuple[float, tuple[str, ...]]:
    """For a score in whole steps, what puts the cutoff in the middle between its nearest values,
    half a step for a cutoff that is one of them; 0 for others."""
    places = np.unique(np.concatenate([left.x, right.x]))
    if len(places) > (1.0 - HEAPED) * (len(left.x) + len(right.x)):
        return 0.0, ()
    step = float(np.median(np.diff(places)))
    if width < COARSE * step:
        raise FitError(
            f"the score goes in steps of about {step:.4g}, of which only {width / step:.1f} lie "
            f"within {width:.4g} of the cutoff: {COARSE} are the least for its density"
        )
    middle = float(left.x[-1] + right.x[0]) / 2.0
    return float(np.clip(-middle, -step / 2.0, step / 2.0)), (
        f"The score goes in steps of about {step:.4g}.",
    )
