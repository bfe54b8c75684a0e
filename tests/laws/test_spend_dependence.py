"""Spend that depends on frequency: delta is found, independence fails for those who buy rarely, the
corrected values do not, and where there is no dependence none is told.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy

import cxmodels as cx
from cxmodels.spend import frequency_scaled
from cxmodels.spend.frequency_scaled import Rates, fit_scaled
from cxmodels.spend.gamma_gamma import log_density_of_mean
from cxmodels.value.spend_dependence import rates_of
from tests.laws.value_cases import drawn_at


def spends(customers: int, seed: int, delta: float) -> tuple[pd.DataFrame, Rates]:
    """A base's spend columns, with what is known of each rate where nobody leaves."""
    rng = np.random.default_rng(seed)
    rate, T = rng.gamma(0.8, 1 / 8.0, customers), rng.uniform(30, 52, customers)
    x = rng.poisson(rate * T)
    level = 6.2 / rng.gamma(3.7, 1 / 15.4, customers) * np.exp(delta * np.log(rate / 0.1))
    k = np.maximum(x, 1.0)
    mean = np.where(x > 0, level * rng.gamma(6.2 * k) / (6.2 * k), np.nan)
    table = pd.DataFrame({"frequency": x, "paid_frequency": x, "monetary_value": mean})
    shape, late = x + 0.8, T + 8.0
    return table, Rates(scipy.special.digamma(shape) - np.log(late), shape, late)


def covered(delta: float, runs: int, customers: int = 1200) -> float:
    held = 0
    for seed in range(runs):
        found = fit_scaled(*spends(customers, seed, delta), level=0.9)
        held += found.lower.delta <= delta <= found.upper.delta
    return held / runs


def test_intervals_of_delta():
    """6 worlds, of which 90 per cent hold it: 2 or fewer with probability .001."""
    assert covered(0.0, 6, 600) * 6 > 2
    assert covered(0.3, 6, 600) * 6 > 2  # z stands for rates that are not seen


@pytest.mark.slow
def test_full_study_of_delta():
    share = [covered(delta, 300) for delta in (0.0, 0.3)]
    print(share)
    assert 0.87 <= share[0] <= 0.93
    assert 0.84 <= share[1] <= 0.93


def the_order_to_come_is_a_mean_over_rates() -> None:
    """E[lambda^(1 + delta)] / E[lambda] by quadrature, for shapes of a rate and several delta."""
    table, rates = spends(50, 2, 0.0)
    found = fit_scaled(table, rates, level=0.9)
    u = np.linspace(-60, 12, 60_000)
    for delta in (-0.4, 0.25, 1.3):
        ahead = found.ahead(delta) / np.exp(delta * found.z[0])  # in money of the first customer
        for who in (0, 7, 23):
            a, b = rates.shape[who], rates.rate[who]
            log_density = a * u - np.exp(u) - scipy.special.gammaln(a)  # of log(b lambda)
            weight = np.exp(log_density)
            lam = np.exp(u) / b
            ratio = (weight @ lam ** (1 + delta)) / (weight @ lam)
            first = np.exp(delta * rates.mean_log[0])
            np.testing.assert_allclose(ahead[who], ratio / first, rtol=1e-8)


def independence_is_gamma_gamma() -> None:
    table, rates = spends(800, 5, 0.2)
    found, rate = fit_scaled(table, rates, level=0.9), rates.rate
    base = cx.CustomerBase.from_summary(
        table.assign(recency=0.9 * (rate - 8.0) * (table["frequency"] > 0), T=rate - 8.0),
        unit="week",
    )
    plain = cx.GammaGamma().fit(base)
    np.testing.assert_allclose(found.independent.theta, plain.theta, rtol=1e-6)
    expected = plain.predict(base, draws=20)["expected_spend"]
    np.testing.assert_allclose(found.expected_spend(found.independent, table), expected, rtol=1e-6)
    assert found.best.log_likelihood > found.independent.log_likelihood


def the_likelihood_is_that_of_the_means() -> None:
    """The log density of every mean order at (p, q, gamma exp(delta z)), FH equation (1a)."""
    table, rates = spends(300, 6, 0.3)
    found = fit_scaled(table, rates, level=0.9)
    p, q, gamma = found.best.theta
    known = table["frequency"].to_numpy() > 0
    scale = gamma * np.exp(found.best.delta * found.z[known])
    theta = np.stack(np.broadcast_arrays(p, q, scale), axis=-1)
    x, m = (table[name].to_numpy()[known] for name in ("paid_frequency", "monetary_value"))
    density = log_density_of_mean(theta, x.astype(float), m)
    assert found.best.log_likelihood == pytest.approx(density.sum(), rel=1e-9)


LAWS = (
    the_order_to_come_is_a_mean_over_rates,
    independence_is_gamma_gamma,
    the_likelihood_is_that_of_the_means,
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law):
    law()


def without_jacobian(right):
    def at_delta(table, z, known):
        at = right(table, z, known)
        return lambda delta: replace(
            at(delta), log_likelihood=at(delta).log_likelihood + delta * float(z[known].sum())
        )

    return at_delta


def other_way_round(right):
    def at_delta(table, z, known):
        at = right(table, -z, known)
        return lambda delta: at(delta)

    return at_delta


def half_as_steep(right):
    def at_delta(table, z, known):
        at = right(table, 0.5 * z, known)
        return lambda delta: at(delta)

    return at_delta


@pytest.mark.parametrize("wrong", [without_jacobian, other_way_round, half_as_steep])
def test_wrong_likelihoods_are_caught(monkeypatch, wrong):
    monkeypatch.setattr(frequency_scaled, "_at_delta", wrong(frequency_scaled._at_delta))
    with pytest.raises(AssertionError):
        the_likelihood_is_that_of_the_means()


right = frequency_scaled.FrequencyScaled.ahead
WRONG = {
    "the rate as it is expected": lambda self, delta: np.ones(self.shape.size),
    "one purchase more": lambda self, delta: right(replace(self, shape=self.shape + 1.0), delta),
    "the other way": lambda self, delta: 1.0 / right(self, delta),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_orders_to_come_are_caught(monkeypatch, name):
    monkeypatch.setattr(frequency_scaled.FrequencyScaled, "ahead", WRONG[name])
    with pytest.raises(AssertionError):
        the_order_to_come_is_a_mean_over_rates()


def world(customers: int, seed: int, delta: float) -> tuple[cx.CustomerBase, np.ndarray]:
    """Simulated customers, and what each will spend in two years, given rates and lifetimes."""
    rng = np.random.default_rng(seed)
    rate, leaves = rng.gamma(0.8, 1 / 12.0, customers), rng.gamma(0.7, 1 / 20.0, customers)
    T, life = rng.uniform(20, 39, customers), rng.exponential(1, customers) / leaves
    end = np.minimum(life, T)
    x = rng.poisson(rate * end)
    k = np.maximum(x, 1.0)
    level = 3 / rng.gamma(3.7, 1 / 15.4, customers) * np.exp(delta * np.log(rate / 0.07))
    frame = pd.DataFrame(
        {
            "frequency": x,
            "recency": np.where(x > 0, end * rng.beta(k, 1), 0.0),
            "T": T,
            "monetary_value": np.where(x > 0, level * rng.gamma(3 * k) / (3 * k), np.nan),
        }
    )
    later = np.clip(life - T, 0, 104) * rate * level
    return cx.CustomerBase.from_summary(frame, unit="week"), later


def test_independence_fails_for_rare_buyers_and_the_correction_does_not():
    """Over four worlds: those who bought once are overvalued by a third where frequent buyers spend
    more; corrected, by less than a third of that, and everybody within a tenth."""
    once, every = [], []
    for seed in range(4):
        base, later = world(8000, seed, 0.4)
        found = cx.spend_dependence(
            cx.ParetoNBD().fit(base), base, horizon="104W", discount_rate=0.0
        )
        assert found.p_value < 1e-6
        assert 0.3 < found.delta < 0.42  # z stands for rates that are not seen
        few = (base.table["frequency"] == 0).to_numpy()
        names = ["residual_value_if_independent", "residual_value"]
        value = found.customers[names].to_numpy()
        once.append(value[few].sum(axis=0) / later[few].sum() - 1)
        every.append(value.sum(axis=0) / later.sum() - 1)
    naive, ours = np.mean(once, axis=0)
    assert naive > 0.33
    assert abs(ours) < naive / 3
    assert abs(np.mean(every, axis=0)[1]) < 0.1


@pytest.mark.parametrize("family", [cx.NBD(), cx.BGNBD(), cx.MBGNBD(), cx.ParetoNBD()])
def test_what_is_known_of_a_rate(family):
    """E[log lambda | purchases] against simulated customers with the same purchases."""
    theta = {"NBD": [0.9, 7.0], "Pareto/NBD": [0.9, 7.0, 0.8, 9.0]}.get(
        family.name, [0.9, 7.0, 0.8, 2.5]
    )
    base, _ = world(400, 3, 0.0)
    fit = family.fit(base)
    fit = drawn_at(fit, np.tile(theta, (20, 1)), np.array(theta))
    rates = rates_of(fit, base)
    # the mean over customers of E[log lambda | purchases] is E[log lambda], in simulated worlds
    rng, n = np.random.default_rng(5), 60_000
    walked = family.simulate(np.tile(theta, (n, 1)), np.full(n, 30.0), rng)
    t_x = np.zeros(n)
    np.maximum.at(t_x, walked.customer, walked.time)
    many = cx.CustomerBase.from_summary(
        pd.DataFrame({"frequency": walked.count, "recency": t_x, "T": 30.0}), unit="week"
    )
    found = rates_of(fit, many).mean_log
    expected = float(scipy.special.digamma(theta[0]) - np.log(theta[1]))
    assert abs(found.mean() - expected) < 4.5 * found.std() / np.sqrt(n)
    assert rates.mean_log.shape == (400,)
    alive = scipy.special.digamma(rates.shape) - np.log(rates.rate)
    gone = rates.mean_log - alive
    assert (gone > -1e-6).all()  # who may have left has had less time to buy
    assert (gone.max() > 0.1) == (family.name != "NBD")


def test_without_dependence_none_is_told():
    base, _ = world(3000, 11, 0.0)
    found = cx.spend_dependence(cx.ParetoNBD().fit(base), base, horizon="104W", discount_rate=0.1)
    bias = found.table.set_index("item").loc["bias of independence"]
    assert bias["lower"] <= 0 <= bias["upper"]
    assert str(found).startswith("no sign that spend depends on frequency")


def test_cents_and_days_change_nothing():
    base, _ = world(2000, 12, 0.3)
    asked = {"horizon": "104W", "discount_rate": 0.1, "margin": 0.3}
    found = cx.spend_dependence(cx.ParetoNBD().fit(base), base, **asked)
    columns = ["frequency", "recency", "T", "monetary_value"]
    days = base.table[columns] * np.array([1, 7, 7, 100])
    daily = cx.CustomerBase.from_summary(days.astype({"frequency": int}), unit="day")
    again = cx.spend_dependence(cx.ParetoNBD().fit(daily), daily, **asked)
    assert again.delta == pytest.approx(found.delta, abs=2e-4)
    np.testing.assert_allclose(again.table["estimate"], 100 * found.table["estimate"], rtol=2e-3)


def test_what_cannot_be_asked_is_said():
    base, _ = world(300, 13, 0.0)
    alike = cx.CustomerBase.from_summary(
        base.table[["frequency", "recency", "T"]].assign(monetary_value=np.nan), unit="week"
    )
    with pytest.raises(cx.DataError, match=r"equally often|cannot be estimated"):
        cx.spend_dependence(cx.NBD().fit(alike), alike, horizon="52W", discount_rate=0.1)
