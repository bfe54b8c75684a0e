"""Pareto/NBD, Gamma-Gompertz/NBD and NBD broken on purpose: each wrong variant breaks some law."""

import numpy as np
import pytest

from cxmodels.purchases import (
    departures,
    dependent_pareto_nbd,
    ggompertz_nbd,
    nbd,
    pareto_nbd,
    until_departure,
)
from cxmodels.purchases.dependent_pareto_nbd import DependentParetoNBD
from cxmodels.purchases.ggompertz_nbd import GGompertzNBD
from cxmodels.purchases.lifetime_laws import GammaGompertz, Pareto, Slopes
from cxmodels.purchases.nbd import NBD
from cxmodels.purchases.pareto_nbd import ParetoNBD
from tests.laws.test_purchase_planted_errors import caught_by

FAMILIES = {
    ParetoNBD: pareto_nbd,
    GGompertzNBD: ggompertz_nbd,
    NBD: nbd,
    DependentParetoNBD: dependent_pareto_nbd,
}


def stacked(*values):
    return np.stack(np.broadcast_arrays(*values), axis=-1)


def with_first(change):
    """A formula called with changed r and alpha."""

    def of(formula):
        def wrong(theta, *args):
            rest = [theta[..., place] for place in range(2, theta.shape[-1])]
            return formula(stacked(*change(theta[..., 0], theta[..., 1]), *rest), *args)

        return wrong

    return of


MORE = with_first(lambda r, alpha: (r * 1.1, alpha))
SCALE = with_first(lambda r, alpha: (r, alpha * 1.1))
EVERYWHERE = {  # formula: wrong variants made of the right one
    "p_alive": [MORE, lambda f: lambda th, x, t_x, T: f(th, x, T - t_x, T),
                lambda f: lambda th, x, t_x, T: f(th, x + 1, t_x, T)],
    "alive": [lambda f: lambda th, x, t_x, T: f(th, x + 1, t_x, T),
              lambda f: lambda th, x, t_x, T: f(th, x, t_x, T / 2),
              lambda f: lambda th, x, t_x, T: f(th, 0 * x, t_x, T)],
    "expected_purchases": [MORE, SCALE, lambda f: lambda th, t: f(th, t) * 1.02],
    "purchase_rate": [MORE, SCALE, lambda f: lambda th, t: f(th, t * 1.1) * 1.01],
    "survival": [lambda f: lambda th, t: f(th, t) * 0.98,
                 lambda f: lambda th, t: f(th, t) ** 2 - 0.01,
                 lambda f: lambda th, t: np.maximum(f(th, t) - 0.01 * t, 0.01)],
    "log_pmf": [MORE, SCALE, lambda f: lambda th, n, t: f(th, np.asarray(n) + 1, t)],
    "log_pmf_survivors": [MORE, SCALE, lambda f: lambda th, n, t: f(th, n, t / 2)],
    "log_likelihood": [MORE, SCALE, lambda f: lambda th, x, t_x, T: f(th, x, t_x, T) * 0.99],
    "simulate": [MORE, SCALE, lambda f: lambda th, t, rng: f(th, t * 0.9, rng)],
    "simulate_counts": [MORE, SCALE, lambda f: lambda th, t, rng: f(th, t * 0.9, rng)],
}  # fmt: skip
NOTHING_TO_BREAK = {(NBD, "p_alive")}  # a constant: 1
QUICK = (ParetoNBD, NBD)  # the laws of the others take seconds: few variants in every run
FEW = [("p_alive", 0), ("log_likelihood", 0), ("simulate_counts", 0)]
CASES = [
    pytest.param(
        family,
        name,
        place,
        marks=[] if family in QUICK or (name, place) in FEW else [pytest.mark.slow],
    )
    for family in FAMILIES
    for name, variants in EVERYWHERE.items()
    for place in range(len(variants))
    if (family, name) not in NOTHING_TO_BREAK
]


@pytest.mark.parametrize(("family", "name", "place"), CASES)
def test_a_wrong_formula_is_caught(family, name, place):
    wrong = EVERYWHERE[name][place](getattr(FAMILIES[family], name))
    assert caught_by(type("Broken", (family,), {name: staticmethod(wrong)})())


def bent(method, place):
    """Slopes of a law with one gradient or one curvature off by a thousandth."""

    def wrong(self, law, t):
        found = method(self, law, t)
        gradient, hessian = list(found.gradient), dict(found.hessian)
        if place < len(gradient):
            gradient[place] = gradient[place] * 1.001
        else:
            pair = sorted(hessian)[place - len(gradient)]
            hessian[pair] = hessian[pair] * 1.001
        return Slopes(found.value, tuple(gradient), hessian)

    return wrong


@pytest.mark.parametrize("name", ["density_slopes", "survival_slopes"])
@pytest.mark.parametrize(
    ("family", "law", "place"),
    [(ParetoNBD, Pareto, place) for place in range(4)]
    + [(GGompertzNBD, GammaGompertz, place) for place in (0, 6)]
    + [
        pytest.param(GGompertzNBD, GammaGompertz, place, marks=pytest.mark.slow)
        for place in range(1, 6)
    ],
)
def test_a_wrong_derivative_is_caught(monkeypatch, family, law, name, place):
    monkeypatch.setattr(law, name, bent(getattr(law, name), place))
    assert caught_by(family())


@pytest.mark.parametrize("change", [
    lambda drop, high: (drop / 100, high), lambda drop, high: (drop, high * 0.97),
])  # fmt: skip
def test_a_range_cut_wrongly_is_caught(monkeypatch, change):
    right = until_departure._range

    def wrong(law, seen):
        span = right(law, seen)
        drop, high = change(span.drop, span.high)
        scale = span.scale * (50.0 if high is span.high else 1.0)
        high = np.maximum(high, span.low)
        return departures.Range(span.low, high, scale, span.pace, span.until, drop)

    monkeypatch.setattr(until_departure, "_range", wrong)
    assert caught_by(ParetoNBD())
