"""Finds the parameters that explain the data best, and says in a sentence how that went."""

from dataclasses import replace

import numpy as np

from cxmodels.errors import FitError
from cxmodels.likelihood.identification import Finding, examine
from cxmodels.likelihood.objective import Objective, RealScale
from cxmodels.likelihood.profile import edge_limit
from cxmodels.numerics.arrays import Floats
from cxmodels.numerics.optimise import LIMIT, Climb, Ending, climb
from cxmodels.results.estimate import FLAT, Estimate, Outcome, Status

THIN_ROWS = 20_000  # rows on which starts compete; the winner is polished on all rows
MOST_STARTS = 3  # climbs from different starts; the others are dropped by their height
GAIN = 1e-6  # a log likelihood gain that makes one optimum better than another
FAR = 5.0  # |u| from which a flat optimum is tried again from the middle


def maximise(objective: Objective, *, model: str) -> Estimate:
    """The maximum likelihood estimate, from several starts, with a status in words.

    Args:
        objective: log likelihood of one data set with analytic derivatives.
        model: name of the model, for tables.

    Returns: the estimate; an edge, a flat direction or an early stop is told by its `status`.
    Errors: FitError if the likelihood is not finite at any starting value.

    >>> from cxmodels.likelihood.objective import Derivatives
    >>> from cxmodels.numerics.transforms import Parameter, Space
    >>> class Waiting:  # 10 exponential waiting times that sum to 40 weeks
    ...     space, rows = Space((Parameter("rate", "arrivals a week"),)), 10
    ...     scales = np.ones(1)
    ...     def log_likelihood(self, theta):
    ...         return 10 * np.log(theta[..., 0]) - 40 * theta[..., 0]
    ...     def derivatives(self, theta):
    ...         hessian = np.array([[-10 / theta[0] ** 2]])
    ...         return Derivatives(float(self.log_likelihood(theta)), 10 / theta - 40, hessian)
    ...     def starts(self):
    ...         return np.ones((1, 1))
    ...     def thinned(self, rows):
    ...         return self
    >>> estimate = maximise(Waiting(), model="exponential")
    >>> print(estimate.status)
    converged: the maximum was found inside the allowed range
    >>> float(estimate.theta[0].round(6))
    0.25
    """
    view, thin = RealScale(objective), RealScale(objective.thinned(THIN_ROWS))
    first = _starts(thin)
    found = _best_climb(view, thin, first)
    found = _second_look(view, found, first[0])
    finding = examine(view, found)
    if not finding.free.all():
        found, finding = _brought_back(view, found, finding, first[0])
    if not found.arrived and finding.status.outcome is Outcome.CONVERGED:
        finding = replace(finding, status=_stopped(found))
    return Estimate(
        model=model,
        space=objective.space,
        theta=view.natural(found.point),
        information=-found.surface.hessian,
        scales=view.scales,
        log_likelihood=float(found.value),
        rows=objective.rows,
        status=finding.status,
        free=finding.free,
        limits=tuple(edge_limit(view, found, place, side) for place, side in finding.edges),
    )


def _starts(view: RealScale) -> Floats:
    """Real starting values (s, k), finite ones only, the highest first."""
    natural = np.atleast_2d(view.objective.starts())
    middle = np.zeros((1, view.objective.space.size))  # every parameter at the data's own scale
    with np.errstate(invalid="ignore"):  # a start outside the support is dropped just below
        starts = np.concatenate([view.real(natural), middle])
    starts = np.clip(starts[np.isfinite(starts).all(axis=1)], -0.5 * LIMIT, 0.5 * LIMIT)
    heights = view.log_likelihood(starts)
    order = np.argsort(-heights, kind="stable")
    finite: Floats = starts[order][np.isfinite(heights[order])]
    if not len(finite):
        raise FitError("the likelihood is not finite at any starting value: check the data")
    return finite


def _best_climb(view: RealScale, thin: RealScale, starts: Floats) -> Climb:
    """The highest of several climbs, made on fewer rows where there are many."""
    climbs = [climb(thin.derivatives, start) for start in starts[:MOST_STARTS]]
    best = max(climbs, key=lambda found: (_counted(found.value), found.arrived))
    if thin.objective is not view.objective:
        best = climb(view.derivatives, best.point)
    if best.ending is Ending.NOWHERE:  # derivatives fail where the value does not: try elsewhere
        others = [climb(view.derivatives, start) for start in starts]
        best = max(others, key=lambda found: found.value)
    if best.ending is Ending.NOWHERE:
        raise FitError("the likelihood's derivatives are not finite at any starting value")
    return best


def _counted(value: float) -> float:
    """A log likelihood without the digits that do not count as a gain."""
    return float(np.round(value, int(-np.log10(GAIN))))


def _second_look(view: RealScale, found: Climb, middle: Floats) -> Climb:
    """Tries again from the middle where a climb ended far out on level ground.

    Far from the data's scale a likelihood is level, so a long step may strand a search there
    beside a true maximum.
    """
    bends = np.linalg.eigvalsh(-found.surface.hessian)
    if found.arrived and bends[0] > FLAT:
        return found
    again = np.where(np.abs(found.point) > FAR, middle, found.point)
    second = climb(view.derivatives, again)
    return second if second.value > found.value + GAIN else found


def _brought_back(
    view: RealScale, found: Climb, finding: Finding, middle: Floats
) -> tuple[Climb, Finding]:
    """An equally good optimum with a parameter that is not determined back in the middle.

    Where only a ratio ran to its edge, both of its parts may have run far; one is enough.
    """
    open_ended = np.flatnonzero(~finding.free & (np.abs(found.point) > FAR))
    if len(open_ended) < 2:
        return found, finding
    for place in open_ended[np.argsort(-np.abs(found.point[open_ended]))]:
        held = np.arange(len(middle)) == place
        start = np.where(held, middle, found.point)
        again = climb(view.derivatives, start, moving=~held)
        if again.arrived and again.value > found.value - 10.0 * GAIN:
            return again, examine(view, again)
    return found, finding


def _stopped(found: Climb) -> Status:
    steepest = float(np.abs(found.surface.gradient).max())
    return Status(
        Outcome.STOPPED,
        f"stopped: the search ended before a maximum ({found.ending.value}; "
        f"steepest slope left {steepest:.2g})",
    )
