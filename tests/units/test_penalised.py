"""A penalised likelihood: its derivatives are those of its value, and wrong ones are caught."""

from dataclasses import replace

import numpy as np
import pytest

from cxmodels.likelihood.objective import Derivatives
from cxmodels.likelihood.penalised import Penalised
from cxmodels.likelihood.posterior import NormalPrior
from cxmodels.numerics.transforms import Parameter, Space, Support


class Flat:
    """A likelihood that says nothing, over one parameter of each support."""

    space = Space(
        (
            Parameter("rate", "positive"),
            Parameter("effect", "a number", Support.REAL),
            Parameter("share", "a share", Support.UNIT),
        )
    )
    rows = 5
    scales = np.array([3.0, 0.25, 1.0])

    def log_likelihood(self, theta):
        return 0.0 * theta[..., 0]

    def derivatives(self, theta):
        return Derivatives(0.0, np.zeros(3), np.zeros((3, 3)))

    def starts(self):
        return np.array([[1.0, 0.1, 0.4]])

    def thinned(self, rows):
        return self


PRIOR = NormalPrior(mean=np.array([0.3, -0.2, 0.4]), sd=np.array([0.7, 1.9, 1.3]))
AT = np.array([2.2, 0.37, 0.83])


def by_hand(theta):
    real = np.array([np.log(theta[0] / 3.0), theta[1] / 0.25, np.log(theta[2] / (1 - theta[2]))])
    return 0.5 * (((real - PRIOR.mean) / PRIOR.sd) ** 2).sum()


def check(held):
    found = held.derivatives(AT)
    assert found.value == pytest.approx(-by_hand(AT), rel=1e-12)
    assert held.log_likelihood(AT) == pytest.approx(-by_hand(AT), rel=1e-12)
    for k in range(3):
        step = 1e-5 * np.eye(3)[k]
        slope = -(by_hand(AT + step) - by_hand(AT - step)) / 2e-5
        assert found.gradient[k] == pytest.approx(slope, rel=1e-6)
        bend = (held.derivatives(AT + step).gradient - held.derivatives(AT - step).gradient) / 2e-5
        np.testing.assert_allclose(bend, found.hessian[k], rtol=1e-6, atol=1e-6)


def test_a_prior_is_its_density_on_the_real_scale():
    check(Penalised.by_prior(Flat(), PRIOR))


def test_a_penalty_leaves_the_first_parameters_alone():
    held = Penalised.by_penalty(Flat(), 4.0, 1)
    share = np.log(0.83 / 0.17)
    assert held.penalty(AT) == pytest.approx(4.0 * ((0.37 / 0.25) ** 2 + share**2))
    assert held.penalty(np.array([1e9, 0.0, 0.5])) == 0.0
    assert held.derivatives(AT).gradient[0] == 0.0
    assert held.thinned(3) is held
    assert held.rows == 5


def without_curvature(self, theta):
    found = RIGHT(self, theta)
    real = self.space.to_real(theta, self.scales)
    slope = self.space.slope(real, self.scales)
    return replace(found, hessian=-np.diag(1.0 / (self.sd * slope) ** 2))


RIGHT = Penalised.derivatives
PLANTED = {
    "derivatives": [
        without_curvature,
        lambda self, theta: replace(RIGHT(self, theta), gradient=-RIGHT(self, theta).gradient),
        lambda self, theta: replace(RIGHT(self, theta), value=2.0 * RIGHT(self, theta).value),
    ],
    "penalty": [
        lambda self, theta: 0.5 * (((theta - self.mean) / self.sd) ** 2).sum(axis=-1),
        lambda self, theta: (
            0.5 * ((self.space.to_real(theta, self.scales) / self.sd) ** 2).sum(axis=-1)
        ),
        lambda self, theta: (
            ((self.space.to_real(theta, self.scales) - self.mean) / self.sd) ** 2
        ).sum(axis=-1),
    ],
}


@pytest.mark.parametrize(("name", "place"), [(name, k) for name in PLANTED for k in range(3)])
def test_a_wrong_formula_is_caught(monkeypatch, name, place):
    monkeypatch.setattr(Penalised, name, PLANTED[name][place])
    with pytest.raises(AssertionError):
        check(Penalised.by_prior(Flat(), PRIOR))
