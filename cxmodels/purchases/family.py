"""What every purchase model can be asked: is the customer still there, and what will they buy?

A family is a set of formulas without data. `theta` carries its parameters on the last axis; the
axes before it broadcast against the data, so n customers take theta (k,) or (n, k), and d draws
of n customers take theta (d, 1, k) and give (d, n).

A customer known to be alive at T is a *new* customer whose parameters have been updated
(`alive`), so each conditional quantity is P(alive) times the same quantity of a new customer.

What is estimated (`space`, K parameters) and what one customer has (`theta` in every formula, k
parameters) are the same where customers are alike; with covariates a `Link` tells them apart.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cxmodels.data.summaries import CustomerBase, Profiles
from cxmodels.errors import OptionError
from cxmodels.likelihood.objective import Objective
from cxmodels.numerics.arrays import Bools, Floats, Ints, Number
from cxmodels.numerics.transforms import Space
from cxmodels.purchases.moving import Moved


@dataclass(frozen=True)
class RowDerivatives:
    """Log likelihoods (m,) of m histories, gradients (k, m) and Hessians (k, k, m)."""

    value: Floats
    gradient: Floats
    hessian: Floats


@dataclass(frozen=True)
class Purchases:
    """Simulated purchases of m customers after time 0.

    count: (m,) purchases of each; customer: (sum of count,) whose purchase it is, ascending;
    time: (sum of count,) when, ascending within a customer; alive: (m,) still there at the end.
    """

    count: Ints
    customer: Ints
    time: Floats
    alive: Bools


class Link(Protocol):
    """Gives each customer of a base their own parameters."""

    def rows(self, theta: Floats, kind: Ints) -> Floats:
        """(..., m or 1, k): own parameters of customers of m kinds, from theta (..., K)."""

    def own(self, space: Space) -> Space:
        """The parameters that one customer has, where `space` is what is estimated."""

    def acquired(self, theta: Floats, kind: Ints) -> Floats:
        """The same of customers of these kinds who are acquired at the end of the base."""

    def jumps(self, alive: Floats) -> Floats:
        """Times ahead at which the purchase rates of customers alive (..., k) may jump."""

    def on(self, base: CustomerBase) -> tuple["Link", Profiles]:
        """The link for the customers of a base, and the base's distinct histories with kinds."""


@dataclass(frozen=True)
class Alike:
    """Every customer has the parameters of the population: no covariates."""

    def rows(self, theta: Floats, kind: Ints) -> Floats:
        return theta[..., None, :]

    def acquired(self, theta: Floats, kind: Ints) -> Floats:
        return theta[..., None, :]

    def jumps(self, alive: Floats) -> Floats:
        return np.empty(0)

    def own(self, space: Space) -> Space:
        return space

    def on(self, base: CustomerBase) -> tuple[Link, Profiles]:
        return self, base.profiles


class Survivors(Protocol):
    """In which ways a customer may have bought who is alive at some time."""

    def at(self, family: "PurchaseFamily", theta: Floats, t: float) -> tuple[Floats, Floats]:
        """Probabilities (m,) of the ways of a new customer (k,), and their parameters (m, ...)."""


@dataclass(frozen=True)
class ByCount:
    """By the number of purchases: all that matters where recency is not remembered.

    Stops where 1e-15 of the survivors is left.
    """

    def at(self, family: "PurchaseFamily", theta: Floats, t: float) -> tuple[Floats, Floats]:
        survivors = float(family.survival(theta, np.float64(t)))
        most, held = 16, 0.0
        while held < survivors * (1.0 - 1e-13) and most < 100_000:
            most *= 4
            before = np.arange(most)
            weight = np.exp(family.log_pmf_survivors(theta, before, np.float64(t)))
            held = float(weight.sum())
        last = int(np.searchsorted(np.cumsum(weight), held * (1.0 - 1e-15))) + 1
        x = before[:last].astype(np.float64)
        return weight[:last], family.alive(theta, x, np.float64(0.0), np.float64(t))


class PurchaseFamily(ABC):
    """A model of purchases without contract, where customers leave unseen."""

    name: str
    source: str
    space: Space  # what is estimated
    link: Link = Alike()
    one_time_buyers_alive: bool = False  # whether P(alive) of a one-time buyer is 1 by construction
    nobody_leaves: bool = False  # whether P(alive) is 1 for everyone by construction
    discrete: bool = False  # whether purchases fall on whole opportunities 1, 2, ... alone
    remembers_recency: bool = False  # whether t_x matters to the future of a customer alive at T
    clocked: bool = False  # whether it takes covariates that change over time
    stages: int = 1  # a purchase is every so many-th event of a customer's Poisson process
    survivors: Survivors = ByCount()
    purchase_moved: Moved | None = None  # how covariates move buying; None where they cannot
    dropout_moved: Moved | None = None  # how they move leaving; None where nobody leaves

    @abstractmethod
    def objective(self, profiles: Profiles) -> Objective:
        """The log likelihood of a customer base."""

    @abstractmethod
    def log_likelihood(self, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
        """Log likelihood of each history; arguments broadcast."""

    @abstractmethod
    def rows(self, theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
        """Log likelihood of each of m histories with its derivatives; theta (k,) or (m, k)."""

    @abstractmethod
    def p_alive(self, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
        """P(alive at T | x purchases, the last at t_x)."""

    @abstractmethod
    def alive(self, theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
        """Parameters of a customer known to be alive at T after x purchases, the last at t_x.

        (..., k), or more where the state of such a customer has more coordinates than a new one's.
        """

    @abstractmethod
    def survival(self, theta: Floats, t: Number) -> Floats:
        """P(alive at t | alive at 0)."""

    @abstractmethod
    def expected_purchases(self, theta: Floats, t: Number) -> Floats:
        """E[purchases in (0, t] | alive at 0]."""

    @abstractmethod
    def purchase_rate(self, theta: Floats, t: Number) -> Floats:
        """Expected purchases per unit of time at t of a customer alive at 0, dead ones counted.

        In discrete time P(purchase at opportunity t), continued smoothly between opportunities.
        """

    @abstractmethod
    def log_pmf(self, theta: Floats, n: Ints, t: Number) -> Floats:
        """log P(n purchases in (0, t] | alive at 0)."""

    @abstractmethod
    def log_pmf_survivors(self, theta: Floats, n: Ints, t: Number) -> Floats:
        """log P(n purchases in (0, t] and alive at t | alive at 0)."""

    @abstractmethod
    def simulate_counts(self, theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
        """How many purchases in (0, t] each of m customers makes; theta (m, k)."""

    @abstractmethod
    def simulate(self, theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
        """Purchases in (0, t] of customers alive at 0; theta (m, k), t a number or (m,)."""


def whole_counts(n: object) -> Ints:
    """Counts (j,) of purchases as whole numbers of 0 or more; OptionError for anything else.

    >>> whole_counts([0, 2]).tolist()
    [0, 2]
    """
    try:
        given = np.atleast_1d(np.asarray(n, dtype=np.float64))
    except (TypeError, ValueError):
        raise OptionError(f"n counts purchases, as in 3 or [0, 1, 2]; got {n!r}") from None
    with np.errstate(invalid="ignore"):  # NaN and infinity are told just below
        sound = (given >= 0) & (given == np.floor(given)) & np.isfinite(given)
    if not sound.all():
        wrong = given[~sound][0]
        raise OptionError(f"n counts purchases: whole numbers of 0 or more, got {wrong:g}")
    return given.astype(np.int64)


def p_no_purchase(family: PurchaseFamily, theta: Floats, t: Number) -> Floats:
    """P(no purchase in (0, t] | alive at 0)."""
    return np.exp(family.log_pmf(theta, np.zeros((), dtype=np.int64), t))


def window_pmf(
    family: PurchaseFamily, theta: Floats, n: Ints, window: tuple[float, float]
) -> Floats:
    """P(n purchases in (t1, t2]) of a customer new at 0; theta (k,), n (j,) -> (j,).

    Sums over what they did before t1: those who left by t1 buy nothing, the others go on with
    updated parameters.
    """
    t1, t2 = window
    weight, updated = family.survivors.at(family, theta, t1)
    counts = np.atleast_1d(n)
    after = np.exp(family.log_pmf(updated[:, None, :], counts, np.float64(t2 - t1)))
    gone = 1.0 - float(family.survival(theta, np.float64(t1)))
    return np.asarray(np.where(counts == 0, gone, 0.0) + weight @ after)
