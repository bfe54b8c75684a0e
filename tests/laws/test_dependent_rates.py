"""Rates that depend on each other: held against integrals over both rates, against simulation, and
against the fit that takes them for independent, which misses who will buy.
"""

import numpy as np
import pandas as pd
import pytest
import scipy

import cxmodels as cx
from cxmodels.purchases import dependent_pareto_nbd as dependent
from cxmodels.purchases import pareto_nbd, tilted_rows
from cxmodels.purchases.dependent_pareto_nbd import DependentParetoNBD, correlation, draw_rates

THETAS = np.array([[0.73, 8.3, 0.64, 12.7, 0.83], [1.9, 3.1, 0.4, 6.0, -0.71]])
HISTORIES = [(0.0, 0.0, 20.0), (2.0, 5.0, 20.0), (5.0, 19.0, 21.0), (31.0, 25.0, 26.0)]
AHEAD = 13.0


def grid(shape: float, rate: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of a gamma variable, even in their logs, their weights, and phi of each."""
    value = np.exp(np.arange(-42.0 / shape, 6.0, 0.1)) / rate
    weight = 0.1 * np.exp(
        shape * np.log(rate * value) - rate * value - scipy.special.gammaln(shape)
    )
    tau = rate * (2 ** (1 / shape) - 1)
    return value, weight, 2 * np.exp(-tau * value) - 1


def mean_over_rates(theta, question) -> float:
    """The mean over customers of question(lambda, mu), with the density as it is written down."""
    r, alpha, s, beta, rho = theta
    (lam, first, bent), (mu, second, twisted) = grid(r, alpha), grid(s, beta)
    mass = np.outer(first, second) * (1 + rho * np.outer(bent, twisted))
    assert (mass >= 0).all()
    return float((mass * question(lam[:, None], mu[None, :])).sum())


def stayed(x, T):
    return lambda lam, mu: lam**x * np.exp(-(lam + mu) * T)


def seen(x, t_x, T):
    """A10 to A12 of Schmittlein, Morrison and Colombo (1987), for given rates."""

    def density(lam, mu):
        force = lam + mu
        left = mu / force * (np.exp(-force * t_x) - np.exp(-force * T))
        return lam**x * (left + np.exp(-force * T))

    return density


@pytest.mark.parametrize("theta", THETAS)
def test_every_quantity_is_a_mean_over_rates(theta):
    for x, t_x, T in HISTORIES:
        whole = mean_over_rates(theta, seen(x, t_x, T))
        alive = mean_over_rates(theta, stayed(x, T))
        found = np.exp(dependent.log_likelihood(theta, x, t_x, np.float64(T)))
        np.testing.assert_allclose(found, whole, rtol=1e-9)
        p = dependent.p_alive(theta, x, t_x, np.float64(T))
        np.testing.assert_allclose(p, alive / whole, rtol=1e-9)

        def later(lam, mu, x=x, T=T):
            return stayed(x, T)(lam, mu) * lam * -np.expm1(-mu * AHEAD) / mu

        living, t = dependent.alive(theta, x, t_x, np.float64(T)), np.float64(AHEAD)
        expected = mean_over_rates(theta, later) / alive
        np.testing.assert_allclose(dependent.expected_purchases(living, t), expected, rtol=1e-9)

        def there(lam, mu, x=x, T=T):
            return lam**x * np.exp(-lam * T - mu * (T + AHEAD))

        survival = mean_over_rates(theta, there) / alive
        np.testing.assert_allclose(dependent.survival(living, t), survival, rtol=1e-9)


@pytest.mark.parametrize("theta", THETAS)
def test_without_dependence_it_is_pareto_nbd(theta):
    none = np.append(theta[:4], 0.0)
    x, t_x, T = np.array(HISTORIES).T
    for name in ("log_likelihood", "p_alive"):
        ours, plain = getattr(dependent, name), getattr(pareto_nbd, name)
        np.testing.assert_allclose(ours(none, x, t_x, T), plain(theta[:4], x, t_x, T), rtol=1e-13)


def derivatives_are_slopes(theta) -> None:
    x, t_x, T = np.array(HISTORIES).T
    h = 1e-6 * np.eye(5)
    found = tilted_rows.rows(theta, x, t_x, T)
    value = lambda at: dependent.log_likelihood(at, x, t_x, T)  # noqa: E731
    slope = [(value(theta + e) - value(theta - e)) / 2e-6 for e in h]
    bend = [
        (
            tilted_rows.rows(theta + e, x, t_x, T).gradient
            - tilted_rows.rows(theta - e, x, t_x, T).gradient
        )
        / 2e-6
        for e in h
    ]
    np.testing.assert_allclose(found.value, value(theta), rtol=1e-13)
    np.testing.assert_allclose(found.gradient, slope, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(found.hessian, bend, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("theta", THETAS)
def test_derivatives(theta):
    derivatives_are_slopes(theta)


def unchained(found, shape, moved, rate, places):
    """The tilted rates are taken for parameters of their own."""


def without_bend(found, shape, moved, rate, places):
    i, _ = places
    kept = found.hessian[i, i].copy()
    right(found, shape, moved, rate, places)
    found.hessian[i, i] = kept


def by_the_wrong_root(found, shape, moved, rate, places):
    right(found, 1.1 * shape, moved, rate, places)


right = tilted_rows._chain


@pytest.mark.parametrize("wrong", [unchained, without_bend, by_the_wrong_root])
def test_wrong_derivatives_are_caught(monkeypatch, wrong):
    monkeypatch.setattr(tilted_rows, "_chain", wrong)
    with pytest.raises(AssertionError):
        derivatives_are_slopes(THETAS[0])


@pytest.mark.parametrize("theta", THETAS)
def test_correlation(theta):
    lam, mu = draw_rates(np.broadcast_to(theta, (400_000, 5)), np.random.default_rng(3))
    assert np.corrcoef(lam, mu)[0, 1] == pytest.approx(float(correlation(theta)), abs=0.008)
    _, weight, bent = grid(theta[0], 1.0)
    assert weight @ bent == pytest.approx(0.0, abs=1e-12)  # phi is 0 on average


def test_rates_are_drawn_where_rejection_would_never_end(monkeypatch):
    """A customer against all odds: rejection takes 1 in many; the rest is drawn by bisection."""
    theta = np.array([0.8, 6.0, 0.7, 12.0, 0.999])
    unlikely = dependent.alive(theta, np.float64(60.0), np.float64(0.0), np.float64(30.0))
    many = np.broadcast_to(unlikely, (20_000, 7))
    slow = draw_rates(many, np.random.default_rng(1))
    monkeypatch.setattr(dependent, "ROUNDS", 0)
    quick = draw_rates(many, np.random.default_rng(2))
    for one, other in zip(slow, quick, strict=True):
        assert scipy.stats.ks_2samp(one, other).pvalue > 1e-3


def world(customers: int, seed: int, rho: float) -> tuple[cx.CustomerBase, np.ndarray]:
    """Simulated customers seen for half a year to a year, and what they buy in two years more."""
    rng = np.random.default_rng(seed)
    theta = np.broadcast_to(np.array([0.8, 6.0, 0.7, 12.0, rho]), (customers, 5))
    lam, mu = draw_rates(theta, rng)
    T, life = rng.uniform(30, 52, customers), rng.exponential(1, customers) / mu
    end = np.minimum(life, T)
    x = rng.poisson(lam * end)
    t_x = np.where(x > 0, end * rng.beta(np.maximum(x, 1), 1), 0.0)
    frame = pd.DataFrame({"frequency": x, "recency": t_x, "T": T})
    base = cx.CustomerBase.from_summary(frame, unit="week")
    return base, rng.poisson(lam * np.clip(life - T, 0, 104))


@pytest.mark.parametrize(("rho", "wrong"), [
    (0.9, -0.3), pytest.param(-0.9, 0.3, marks=pytest.mark.slow),
])  # fmt: skip
def test_who_takes_rates_for_independent_misses_one_time_buyers(rho, wrong):
    """Their purchases of two years are missed by a third and more; the dependent fit finds rho."""
    base, later = world(4000, 7, rho)
    fit, naive = DependentParetoNBD().fit(base), cx.ParetoNBD().fit(base)
    once = (base.table["frequency"] == 0).to_numpy()
    bias = {}
    for name, one in (("ours", fit), ("naive", naive)):
        expected = one.predict(base, horizon="104W", draws=20)["expected_purchases"]
        bias[name] = expected[once].sum() / later[once].sum() - 1
    assert np.sign(bias["naive"]) == np.sign(wrong)
    assert abs(bias["naive"]) > abs(wrong)
    assert abs(bias["ours"]) < 0.3
    assert fit.log_likelihood > naive.log_likelihood + 8
    assert abs(fit.theta[4] - rho) < 0.3


def test_the_test_of_dependence_keeps_its_size():
    """Without dependence 1 world in 10 is rejected at 10 per cent: 5 of 12 or more with p .004."""
    rejected = 0
    for seed in range(12):
        base, _ = world(500, seed, 0.0)
        ratio = 2 * (
            DependentParetoNBD().fit(base).log_likelihood - cx.ParetoNBD().fit(base).log_likelihood
        )
        rejected += scipy.special.chdtrc(1, max(ratio, 0.0)) < 0.1
    assert rejected < 5


def test_dependence_in_words():
    base, _ = world(2000, 2, 0.9)
    found = cx.rate_dependence(base, draws=100).iloc[0]
    assert found["lower"] < found["correlation"] <= found["upper"]
    assert found["p_value"] < 0.01
    assert found["sentence"].startswith("heavy buyers leave sooner")
    assert "boundary" not in str(found["sentence"]) or found["rho"] > 0.99
    none, _ = world(500, 4, 0.0)
    assert "will do as well" in cx.rate_dependence(none, draws=50)["sentence"].iloc[0]


@pytest.mark.slow
def test_coverage_of_dependence():
    """The interval of the correlation holds the truth in 90 per cent of 200 worlds."""
    held = []
    for seed in range(200):
        base, _ = world(2500, 100 + seed, 0.5)
        row = cx.rate_dependence(base, draws=500).iloc[0]
        truth = float(correlation(np.array([0.8, 6.0, 0.7, 12.0, 0.5])))
        held.append(row["lower"] <= truth <= row["upper"])
    print(np.mean(held))
    assert 0.85 <= np.mean(held) <= 0.95
