"""How likely a test that is looked at several times crosses its boundaries, look by look.

The recursion of Armitage, McPherson and Rowe (1969, Journal of the Royal Statistical Society A
132). With t the share of information, the score S(t) = Z sqrt(t) moves by independent steps that
are normal with mean drift * dt and variance dt; drift is the mean of Z at t = 1. After each look
the density of S among tests that go on is kept at Gauss-Legendre nodes, panels of which are two
standard deviations of a step wide: integrals are exact to 1e-10 or better.
"""

from dataclasses import dataclass

import numpy as np
import scipy

from cxmodels.numerics.arrays import Floats

ORDER, PANEL, REACH = 16, 2.0, 9.0  # nodes a panel; its width and how far to go, in steps' sd


@dataclass(frozen=True, eq=False)
class Walk:
    """Scores of tests that go on after a look: nodes (m,), mass (m,) at each, and the time."""

    time: float
    nodes: Floats
    mass: Floats

    def upper_tail(self, time: float, edge: float, drift: float) -> float:
        """Chance to go on until now, and to lie above `edge` (of S) at the look at `time`."""
        step = time - self.time
        z = (self.nodes + drift * step - edge) / np.sqrt(step)
        return float(self.mass @ scipy.special.ndtr(z))

    def lower_tail(self, time: float, edge: float, drift: float) -> float:
        """Chance to go on until now, and to lie below `edge` at the look at `time`."""
        step = time - self.time
        z = (edge - self.nodes - drift * step) / np.sqrt(step)
        return float(self.mass @ scipy.special.ndtr(z))

    def step(self, time: float, edges: tuple[float, float], drift: float, ahead: float) -> "Walk":
        """Those between the edges at the look at `time`; `ahead` is the time of the next look."""
        step = time - self.time
        sd = np.sqrt(step)
        low = max(edges[0], float(self.nodes.min()) + drift * step - REACH * sd)
        high = min(edges[1], float(self.nodes.max()) + drift * step + REACH * sd)
        if not low < high:
            return Walk(time, np.zeros(1), np.zeros(1))  # nobody goes on
        nodes, weights = _panels(low, high, PANEL * float(np.sqrt(min(step, ahead - time))))
        z = (nodes[:, None] - self.nodes[None, :] - drift * step) / sd
        density = np.exp(-0.5 * z * z) @ self.mass / (sd * np.sqrt(2.0 * np.pi))
        return Walk(time, nodes, weights * density)


START = Walk(0.0, np.zeros(1), np.ones(1))


@dataclass(frozen=True, eq=False)
class Crossed:
    """Chances (K,) to cross the upper, and the lower, boundary at each look and not before."""

    upper: Floats
    lower: Floats


def crossing(times: Floats, lower: Floats, upper: Floats, drift: float = 0.0) -> Crossed:
    """Of boundaries (K,) on Z at shares of information (K,) that grow.

    >>> found = crossing(np.array([0.5, 1.0]), np.array([-1.96, -1.96]), np.array([1.96, 1.96]))
    >>> round(float(found.upper.sum() + found.lower.sum()), 4)
    0.0831
    """
    walk, up, down = START, [], []
    for k, time in enumerate(times.tolist()):
        low, high = (float(edge[k]) * np.sqrt(time) for edge in (lower, upper))
        up.append(walk.upper_tail(time, high, drift))
        down.append(walk.lower_tail(time, low, drift))
        if k + 1 < len(times):
            walk = walk.step(time, (low, high), drift, float(times[k + 1]))
    return Crossed(np.array(up), np.array(down))


def _panels(low: float, high: float, width: float) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights in panels of at most `width`."""
    count = max(int(np.ceil((high - low) / width)), 1)
    edges = np.linspace(low, high, count + 1)
    x, w = np.polynomial.legendre.leggauss(ORDER)
    half = 0.5 * (edges[1:] - edges[:-1])
    middle = 0.5 * (edges[1:] + edges[:-1])
    nodes = middle[:, None] + half[:, None] * x[None, :]
    return nodes.ravel(), (half[:, None] * w[None, :]).ravel()
