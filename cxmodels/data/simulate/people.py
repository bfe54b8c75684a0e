"""Who the customers of a simulated company are, and how satisfied they are in a quarter."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cxmodels.data.profiles import Floats, Ints
from cxmodels.data.simulate.lever import Pushes
from cxmodels.data.simulate.truth import ATTRIBUTES, Truth

CHANNELS, CHANNEL_SHARES = ("search", "social", "store", "partner"), (0.35, 0.25, 0.25, 0.15)
CHANNEL_COST = (28.0, 22.0, 40.0, 55.0)  # of a new customer, at satisfaction MIDDLE
SEGMENTS, SEGMENT_SHARES = ("basic", "plus"), (0.7, 0.3)
SEGMENT_POINTS = (0.0, 0.3)  # of satisfaction
MIDDLE = 6.5  # points of satisfaction from which effects are counted
TYPICAL_TENURE = 1.5  # years
YEARS_BEFORE = 3.0  # over which those who were there from the start had joined
SHOCK = 0.35  # standard deviation, in points, of what a channel's customers share in a quarter


@dataclass(frozen=True, eq=False)
class People:
    """Facts of n customers that never change.

    joins: quarter in which each joined, -1 before the first; joined: years from the first day to
    joining, below 0 before; lasting: (n, 5) lasting part of each attribute; pace, price: factors of
    their orders and amounts.
    """

    channel: Ints
    segment: Ints
    joins: Ints
    joined: Floats
    lasting: Floats
    pace: Floats
    price: Floats


@dataclass(frozen=True, eq=False)
class Active:
    """Customers who are active on the first day of a quarter: their rows (m,), tenure in years,
    attributes (m, 5) and satisfaction (m,) in points, and what a lever adds to outcomes."""

    rows: Ints
    channel: Ints
    segment: Ints
    tenure: Floats
    attributes: Floats
    satisfaction: Floats
    pushes: Pushes

    @property
    def z(self) -> Floats:
        """Points of satisfaction above the middle."""
        return self.satisfaction - MIDDLE


def newcomers(n: int, quarters: int, truth: Truth, rng: np.random.Generator) -> People:
    """Two thirds are there from the start; the others join in quarters 1 to the last but one."""
    joins = np.full(n, -1)
    if quarters > 2:
        late = rng.random(n) < 1 / 3
        joins[late] = rng.integers(1, quarters - 1, int(late.sum()))
    share = rng.random(n)
    joined = np.where(joins < 0, -YEARS_BEFORE * share, (joins + share) / 4.0)
    return People(
        channel=rng.choice(len(CHANNELS), n, p=CHANNEL_SHARES),
        segment=rng.choice(len(SEGMENTS), n, p=SEGMENT_SHARES),
        joins=joins,
        joined=joined,
        lasting=truth.between * alike(n, truth.likeness, rng),
        pace=rng.gamma(2.0, 0.5, n),
        price=rng.lognormal(-0.045, 0.3, n),
    )


def alike(n: int, likeness: float, rng: np.random.Generator) -> Floats:
    """Standard normal values (n, 5), correlated with one another by `likeness`."""
    shared = rng.standard_normal((n, 1))
    own = rng.standard_normal((n, len(ATTRIBUTES)))
    return np.asarray(np.sqrt(likeness) * shared + np.sqrt(1.0 - likeness) * own)


def active(
    people: People, rows: Ints, place: int, moods: tuple[Floats, Floats], pushes: Pushes,
    truth: Truth,
) -> Active:  # fmt: skip
    """Those in `rows`, at the start of quarter `place`; moods: what passes (n, 5) of the
    attributes, and the shock of each channel."""
    passing, shock = moods
    tenure = place / 4.0 - people.joined[rows]
    own = people.lasting[rows] + passing[rows]
    told = MIDDLE + shock[people.channel[rows]] + np.take(SEGMENT_POINTS, people.segment[rows])
    told = told + truth.tenure_satisfaction * (tenure - TYPICAL_TENURE)
    return Active(
        rows=rows,
        channel=people.channel[rows],
        segment=people.segment[rows],
        tenure=tenure,
        attributes=MIDDLE + own,
        satisfaction=told + own @ np.asarray(truth.drivers) + pushes.points[rows],
        pushes=pushes.at(rows),
    )


def next_quarter(
    passing: Floats, shock: Floats, truth: Truth, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """What passes of the attributes (n, 5), and of the channels, a quarter later."""
    keep = truth.persistence
    fresh = np.sqrt(1.0 - keep**2)
    moved = keep * passing + fresh * truth.within * alike(len(passing), truth.likeness, rng)
    return moved, keep * shock + fresh * SHOCK * rng.standard_normal(shock.size)


def acquisition_costs(people: People, means: Floats, truth: Truth, rng: np.random.Generator) -> Any:
    """What each customer cost to acquire; means: (quarters, channels) of true satisfaction.

    Those who joined before the first day: not known, NaN.
    """
    late = people.joins > 0
    cost = np.full(people.joins.size, np.nan)
    felt = means[people.joins[late] - 1, people.channel[late]] - MIDDLE
    usual = np.take(CHANNEL_COST, people.channel[late])
    noise = rng.gamma(4.0, 0.25, int(late.sum()))
    cost[late] = usual * np.exp(truth.acquisition_cost * felt) * noise
    return cost
