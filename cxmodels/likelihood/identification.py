"""Tells which parameters the data determine, and what it means where they do not.

Where the likelihood hardly bends, the line is walked in both directions with the other
parameters refitted. Level one way and falling the other: the parameter ran to its edge. Level
both ways: the data do not tell the parameters on that line apart.
"""

from dataclasses import dataclass

import numpy as np

from cxmodels.likelihood.objective import RealScale
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.numerics.optimise import LIMIT, Climb, climb
from cxmodels.numerics.transforms import Space
from cxmodels.results.estimate import FLAT, Outcome, Status

REACH = np.array([2.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 32.0])  # how far to walk, in logs
FALL = 0.1  # a loss of log likelihood that tells two values apart at all
SHARE = 0.01  # share of a parameter in level directions from which it is not determined
CONVERGED = Status(Outcome.CONVERGED, f"converged: {Outcome.CONVERGED.value}")


@dataclass(frozen=True)
class Finding:
    """Which parameters are determined (k,), the status that says so, and single edges.

    edges: place of a parameter that ran to an edge by itself, and which: -1 low, +1 high.
    """

    status: Status
    free: Bools
    edges: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class _Walk:
    """A level direction (k,) of real coordinates and where the likelihood falls along it."""

    direction: Floats
    falls_back: bool
    falls_on: bool

    @property
    def is_edge(self) -> bool:
        return self.falls_back != self.falls_on

    @property
    def is_single(self) -> bool:
        return bool(np.count_nonzero(self.direction) == 1)

    @property
    def outward(self) -> Floats:
        """The direction turned so that the likelihood does not fall along it."""
        return self.direction if self.falls_back else -self.direction


def examine(view: RealScale, found: Climb) -> Finding:
    """What the data determine at the point where a search ended.

    Args: view: the objective in real coordinates; found: the end of the climb.
    Returns: status and, for each parameter (k,), whether it is determined inside its range.
    """
    bends, axes = np.linalg.eigh(-found.surface.hessian)
    level = axes[:, bends <= FLAT]
    if not level.shape[1]:
        return Finding(CONVERGED, np.ones(len(found.point), dtype=np.bool_))
    walks = _joined(view, found, [_walk(view, found, way) for way in _directions(level)])
    open_ended = [walk for walk in walks if not (walk.falls_back and walk.falls_on)]
    if not open_ended:  # a wide but closed top
        return Finding(CONVERGED, np.ones(len(found.point), dtype=np.bool_))
    free = np.ones(len(found.point), dtype=np.bool_)
    for walk in open_ended:
        free &= walk.direction**2 < SHARE
    alone = [walk.outward for walk in open_ended if walk.is_edge and walk.is_single]
    edges = tuple((int(np.abs(way).argmax()), float(way.sum())) for way in alone)
    return Finding(_status(view.objective.space, open_ended), free, edges)


def _directions(level: Floats) -> list[Floats]:
    """Unit directions (k,) that span the level ones: single parameters first, then the rest."""
    share = (level**2).sum(axis=1)
    alone = share > 1.0 - SHARE
    rest = np.where(alone[:, None], 0.0, level)
    spans, sizes, _ = np.linalg.svd(rest, full_matrices=False)
    mixed = [spans[:, place] for place in np.flatnonzero(sizes > 0.5)]
    return [np.eye(len(level))[place] for place in np.flatnonzero(alone)] + mixed


def _walk(view: RealScale, found: Climb, direction: Floats, held: Bools | None = None) -> _Walk:
    """Walks a level direction both ways, with further parameters held where `held` says so."""
    largest = np.arange(len(direction)) == np.abs(direction).argmax()
    fixed = largest if held is None else largest | held
    on, back = (_falls(view, found, sign * direction, fixed) for sign in (1.0, -1.0))
    return _Walk(direction, falls_back=back, falls_on=on)


def _joined(view: RealScale, found: Climb, walks: list[_Walk]) -> list[_Walk]:
    """Joins parameters of which only a ratio or product ran to an edge.

    Each of them is level when the others may follow it, but not when they are held.
    """
    level = [walk for walk in walks if walk.is_single and not (walk.falls_back or walk.falls_on)]
    if len(level) < 2:
        return walks
    held = np.sum([walk.direction != 0.0 for walk in level], axis=0) > 0
    alone = [_walk(view, found, walk.direction, held) for walk in level]
    edges = [(walk, lone) for walk, lone in zip(level, alone, strict=True) if lone.is_edge]
    if len(edges) < 2:
        return walks
    outward = np.sum([lone.outward for _, lone in edges], axis=0) / np.sqrt(len(edges))
    rest = [walk for walk in walks if not any(walk is member for member, _ in edges)]
    return [_Walk(outward, falls_back=True, falls_on=False), *rest]


def _falls(view: RealScale, found: Climb, direction: Floats, fixed: Bools) -> bool:
    """Whether the likelihood falls along a direction, the parameters not fixed refitted.

    The straight line is tried first: where it does not fall, neither does the refitted one. A
    refit that itself runs to the limit of the search shows nothing.
    """
    room = np.min((LIMIT - 1.0 - np.sign(direction) * found.point)[direction != 0.0])
    reach = np.unique(np.minimum(REACH, room / np.abs(direction).max()))
    points = found.point + reach[reach > 0.0, None] * direction
    fallen = found.value - view.log_likelihood(points) > FALL
    for point in points[fallen]:
        refitted = climb(view.derivatives, point, moving=~fixed, most_steps=50)
        if found.value - refitted.value > FALL and not at_limit(refitted, fixed):
            return True
    return False


def at_limit(found: Climb, fixed: Bools) -> bool:
    """Whether a refit ran into the limit of the search in a parameter that could move."""
    return bool((np.abs(found.point[~fixed]) >= LIMIT - 1e-6).any())


def _status(space: Space, walks: list[_Walk]) -> Status:
    edges = [walk for walk in walks if walk.is_edge]
    lines = [walk for walk in walks if not walk.is_edge]
    clauses = [_edge_clause(space, walk.outward) for walk in edges]
    clauses += [_line_clause(space, walk.direction, bool(edges)) for walk in lines]
    outcome = Outcome.BOUNDARY if edges else Outcome.FLAT
    label = "boundary" if edges else "flat"
    return Status(outcome, f"{label}: {'; '.join(clauses)}")


def _involved(direction: Floats) -> list[int]:
    return [int(place) for place in np.flatnonzero(direction**2 >= SHARE)]


def _edge_clause(space: Space, outward: Floats) -> str:
    """As in "a ran to 0: almost nobody leaves"."""
    places = _involved(outward)
    if len(places) == 2 and outward[places].prod() < 0.0:
        return _ratio_clause(space, outward, places)
    parts = []
    for place in places:
        parameter = space.parameters[place]
        end = parameter.ends[1] if outward[place] > 0.0 else parameter.ends[0]
        parts.append(f"{parameter.name} ran to {end}")
    together = len(places) > 1 and bool((outward[places] > 0.0).all())
    place = places[0] if together else int(np.abs(outward).argmax())
    leading = space.parameters[place]  # weights that grow together: the first one's words
    meaning = leading.high if outward[place] > 0.0 else leading.low
    kept = f" together, only {_kept(space, outward)} is determined" if len(places) > 1 else ""
    return " and ".join(parts) + kept + (f": {meaning}" if meaning else "")


def _ratio_clause(space: Space, outward: Floats, places: list[int]) -> str:
    """As in "a/b ran to 0: almost nobody leaves; a and b are not determined apart"."""
    falling, rising = sorted(places, key=lambda place: outward[place])
    small, large = space.parameters[falling], space.parameters[rising]
    meaning = f": {small.low or large.high}" if small.low or large.high else ""
    both = " and ".join(space.names[place] for place in places)
    return f"{small.name}/{large.name} ran to 0{meaning}; {both} are not determined apart"


def _line_clause(space: Space, direction: Floats, at_edge: bool) -> str:
    """As in "only a/b is determined, not a and b apart"."""
    names = [space.names[place] for place in _involved(direction)]
    if len(names) == 1:
        where = "there" if at_edge else "by these data"
        return f"{names[0]} is not determined {where}: any value fits equally well"
    return f"only {_kept(space, direction)} is determined, not {' and '.join(names)} apart"


def _kept(space: Space, direction: Floats) -> str:
    """What stays the same along a direction, as a formula in the parameters on it."""
    places = _involved(direction)
    names = [space.names[place] for place in places]
    logs = all(space.parameters[place].support.name == "POSITIVE" for place in places)
    if len(places) > 2 or not logs:
        terms = [f"{direction[p]:+.2f} {n}" for p, n in zip(places, names, strict=True)]
        return f"what does not change along ({', '.join(terms)}, in logs)"
    first, second = direction[places[0]], direction[places[1]]
    if abs(abs(first) - abs(second)) < 0.05:
        return f"{names[0]}/{names[1]}" if first * second > 0 else f"{names[0]}*{names[1]}"
    return f"{names[0]}/{names[1]}^{first / second:.2f}"
