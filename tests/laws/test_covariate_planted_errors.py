"""Formulas of covariates broken on purpose: each wrong variant is caught by some law."""

from dataclasses import replace

import numpy as np
import pytest
import scipy

from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.covariates import ByCovariates
from cxmodels.purchases.design import Design
from cxmodels.purchases.moving import Rate, Share
from tests.laws.covariate_laws import LAWS

RIGHT = {
    (kind, name): getattr(kind, name)
    for kind, name in [
        (Rate, "own"), (Rate, "derivatives"), (Share, "own"), (Share, "derivatives"),
        (ByCovariates, "rows"), (ByCovariates, "chained"), (Design, "matrices"),
    ]
}  # fmt: skip


def share_of_a_alone(self, common, eta):
    """a times exp(eta), b left alone: moves the mean by the same odds, but the weight with it."""
    a, b = common[..., 0], common[..., 1]
    return np.stack(np.broadcast_arrays(a * np.exp(eta), b + 0.0 * eta), axis=-1)


def share_by_one_factor(self, common, eta):
    """Both by one factor, as in Fader and Hardie (2007): the mean stays where it is."""
    return common * np.exp(eta)[..., None]


def share_on_probits(self, common, eta):
    a, b = common[..., 0], common[..., 1]
    mean = scipy.special.ndtr(scipy.special.ndtri(a / (a + b)) + eta)
    return np.stack([(a + b) * mean, (a + b) * (1 - mean)], axis=-1)


def changed(kind, part, place, factor=1.0, plus=0.0):
    """`derivatives` with one entry of a part changed."""

    def wrong(self, common, eta):
        found = RIGHT[kind, "derivatives"](self, common, eta)
        values = getattr(found, part).copy()
        values[place] = values[place] * factor + plus
        return replace(found, **{part: values})

    return wrong


def chain_variant(place):
    def wrong(self, theta, kind, found, weight):
        if place == 0:  # curvature of the map forgotten
            J, _ = RIGHT_JACOBIAN(self, theta, kind)
            own = replace(self)
            object.__setattr__(own, "_jacobian", lambda *args: (J, []))
            return RIGHT[ByCovariates, "chained"](own, theta, kind, found, weight)
        if place == 1:  # every customer counted once
            return RIGHT[ByCovariates, "chained"](self, theta, kind, found, np.ones_like(weight))
        right = RIGHT[ByCovariates, "chained"](self, theta, kind, found, weight)
        hessian = right.hessian.copy()
        k = self.family.space.size
        hessian[:k, k:] = 0.0  # parameters and coefficients taken for unrelated
        return replace(right, hessian=hessian)

    return wrong


RIGHT_JACOBIAN = ByCovariates._jacobian


def rows_variant(place):
    def wrong(self, theta, kind):
        if place == 0:  # the first kind for everybody
            return RIGHT[ByCovariates, "rows"](self, theta, np.zeros_like(kind))
        if place == 1:  # effects doubled
            k = self.family.space.size
            theta = np.concatenate([theta[..., :k], 2.0 * theta[..., k:]], axis=-1)
            return RIGHT[ByCovariates, "rows"](self, theta, kind)
        right = RIGHT[ByCovariates, "rows"](self, theta, kind)
        return right[..., [0, 1, 3, 2]]  # a and b exchanged

    return wrong


def matrices_variant(place):
    def wrong(self, table):
        right = RIGHT[Design, "matrices"](self, table)
        if place == 0:  # not centred
            means = [np.zeros(len(self.coefficients)) for _ in self.sides]
            for mean, side in zip(means, self.sides, strict=True):
                np.add.at(mean, list(side.places), side.mean)
            return tuple(X + mean for X, mean in zip(right, means, strict=True))
        if place == 1:  # per standard deviation in place of per unit
            return tuple(X * self.scales for X in right)
        return tuple(X[:, ::-1] for X in right)  # columns in the wrong order

    return wrong


PLANTED = [
    (Rate, "own", lambda self, common, eta: common * np.exp(eta)[..., None]),
    (Rate, "own", lambda self, common, eta: common / (1.0 + eta)[..., None]),
    (Rate, "own", lambda self, common, eta: common * np.exp(-2 * eta)[..., None]),
    (Rate, "derivatives", changed(Rate, "slope", (0, 1), -1.0)),
    (Rate, "derivatives", changed(Rate, "bend", (0, 0, 1), 0.0)),
    (Rate, "derivatives", changed(Rate, "bend", (0, 1, 1), 1.01)),
    (Share, "own", share_of_a_alone),
    (Share, "own", share_by_one_factor),
    (Share, "own", share_on_probits),
    (Share, "derivatives", changed(Share, "slope", (0, 0), 1.01)),
    (Share, "derivatives", changed(Share, "slope", (1, 2), -1.0)),
    (Share, "derivatives", changed(Share, "bend", (0, 0, 0), 0.0)),
    (Share, "derivatives", changed(Share, "bend", (1, 1, 2), 1.01)),
    (Share, "derivatives", changed(Share, "bend", (0, 2, 2), 0.0)),
    *((ByCovariates, "rows", rows_variant(place)) for place in range(3)),
    *((ByCovariates, "chained", chain_variant(place)) for place in range(3)),
    *((Design, "matrices", matrices_variant(place)) for place in range(3)),
]


@pytest.mark.parametrize("place", range(len(PLANTED)))
def test_a_wrong_formula_is_caught(monkeypatch, place):
    kind, name, wrong = PLANTED[place]
    monkeypatch.setattr(kind, name, wrong)
    with np.errstate(all="ignore"):
        caught = []
        for law in LAWS:
            try:
                law(BGNBD())
            except AssertionError:
                caught.append(law.__name__)
                break
    assert caught, f"{kind.__name__}.{name}, variant {place} slipped through"
