"""Moves parameters such as rates and shares to a scale where every number is allowed, and back.

A positive parameter theta becomes u = log(theta / scale), a share becomes its log odds, a real
parameter is divided by its scale. The scale is the data's own (mean observation time, mean
spend), so u does not change when weeks become hours or euros become cents. This is the one
place where a parameter meets exp or log.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np
import scipy

from cxmodels.errors import OptionError
from cxmodels.numerics.arrays import Floats


class Support(Enum):
    """Where a parameter may lie."""

    POSITIVE = "above 0"
    REAL = "any number"
    UNIT = "between 0 and 1"
    SIGNED = "between -1 and 1"


class Dimension(Enum):
    """What a parameter scales with when the unit of the data changes."""

    NONE = "a pure number"
    TIME = "scales like a time"
    RATE = "scales like one over a time"
    MONEY = "scales like an amount of money"


@dataclass(frozen=True)
class Parameter:
    """A parameter with its constraint and what its two ends mean in words.

    low, high: what it means when the estimate runs to the low end (0, or minus infinity) or to
    the high end (infinity, or 1), as in "almost nobody leaves".
    """

    name: str
    meaning: str
    support: Support = Support.POSITIVE
    dimension: Dimension = Dimension.NONE
    low: str = ""
    high: str = ""

    @property
    def ends(self) -> tuple[str, str]:
        """The two ends of the support as text."""
        return {
            Support.POSITIVE: ("0", "infinity"),
            Support.REAL: ("minus infinity", "infinity"),
            Support.UNIT: ("0", "1"),
            Support.SIGNED: ("-1", "1"),
        }[self.support]


@dataclass(frozen=True)
class Space:
    """The parameters of a family in their order; arrays carry them on the last axis.

    `natural` is the paper's scale; `real` is the unbounded, unit-free one; `scales` (k,) is what
    each parameter is measured against.

    >>> space = Space((Parameter("r", "shape"), Parameter("p", "share", Support.UNIT)))
    >>> real = space.to_real(np.array([2.0, 0.5]), np.ones(2))
    >>> real.round(4)
    array([0.6931, 0.    ])
    >>> space.to_natural(real, np.ones(2))
    array([2. , 0.5])
    """

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        names = self.names
        if not names or len(set(names)) < len(names):
            raise OptionError(f"parameter names must be present and distinct, got {names}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the last axis."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def size(self) -> int:
        """Number of parameters k."""
        return len(self.parameters)

    def index(self, name: str) -> int:
        """Place of the parameter called `name`; OptionError if there is none."""
        if name not in self.names:
            raise OptionError(f"parameter {name!r} is not one of {', '.join(self.names)}")
        return self.names.index(name)

    def scales(self, time: float, money: float) -> Floats:
        """What each parameter (k,) is measured against: a time, its inverse, money, or 1."""
        by_dimension = {
            Dimension.NONE: 1.0,
            Dimension.TIME: time,
            Dimension.RATE: 1.0 / time,
            Dimension.MONEY: money,
        }
        return np.array([by_dimension[parameter.dimension] for parameter in self.parameters])

    def to_real(self, natural: Floats, scales: Floats) -> Floats:
        """Real coordinates of natural values (..., k); the ends of a support become infinite."""
        with np.errstate(divide="ignore"):  # log 0 is meant: a parameter at its lower end
            return self._by_support(natural, scales, _REAL)

    def to_natural(self, real: Floats, scales: Floats) -> Floats:
        """Natural values of real coordinates (..., k); infinity where exp is beyond a double."""
        with np.errstate(over="ignore", under="ignore"):  # meant: the limit of the support
            return self._by_support(real, scales, _NATURAL)

    def slope(self, real: Floats, scales: Floats) -> Floats:
        """d natural / d real at real coordinates (..., k): the diagonal of the Jacobian."""
        return self._by_support(real, scales, _SLOPE)

    def curvature(self, real: Floats, scales: Floats) -> Floats:
        """Second derivative of natural in real, (..., k): enters the Hessian's chain rule."""
        return self._by_support(real, scales, _CURVATURE)

    def _by_support(self, values: Floats, scales: Floats, maps: "dict[Support, _Map]") -> Floats:
        result = np.empty(np.broadcast_shapes(np.shape(values), np.shape(scales)))
        supports = [parameter.support for parameter in self.parameters]
        for support in set(supports):
            columns = [place for place, held in enumerate(supports) if held is support]
            result[..., columns] = maps[support](values[..., columns], scales[columns])
        return result


_Map = Callable[[Floats, Floats], Floats]


def _share_slope(real: Floats, scales: Floats) -> Floats:
    share: Floats = scipy.special.expit(real)
    return scales * share * (1.0 - share)


def _share_curvature(real: Floats, scales: Floats) -> Floats:
    return _share_slope(real, scales) * (1.0 - 2.0 * scipy.special.expit(real))


_REAL: dict[Support, _Map] = {
    Support.POSITIVE: lambda natural, scales: np.log(natural / scales),
    Support.REAL: lambda natural, scales: natural / scales,
    Support.UNIT: lambda natural, scales: scipy.special.logit(natural / scales),
    Support.SIGNED: lambda natural, scales: 2.0 * np.arctanh(natural / scales),
}
_NATURAL: dict[Support, _Map] = {
    Support.POSITIVE: lambda real, scales: scales * np.exp(real),
    Support.REAL: lambda real, scales: scales * real,
    Support.UNIT: lambda real, scales: scales * scipy.special.expit(real),
    Support.SIGNED: lambda real, scales: scales * np.tanh(real / 2.0),
}
_SLOPE: dict[Support, _Map] = {
    Support.POSITIVE: _NATURAL[Support.POSITIVE],
    Support.REAL: lambda real, scales: scales + 0.0 * real,
    Support.UNIT: _share_slope,
    Support.SIGNED: lambda real, scales: 2.0 * _share_slope(real, scales),
}
_CURVATURE: dict[Support, _Map] = {
    Support.POSITIVE: _NATURAL[Support.POSITIVE],
    Support.REAL: lambda real, scales: 0.0 * real * scales,
    Support.UNIT: _share_curvature,
    Support.SIGNED: lambda real, scales: 2.0 * _share_curvature(real, scales),
}
