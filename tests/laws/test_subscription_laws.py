"""All laws over all subscription families, and laws of their likelihoods and fits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.subscriptions import SubscriptionBase
from cxmodels.subscriptions.design import design_of
from cxmodels.subscriptions.spells import Spells, SpellsObjective
from cxmodels.subscriptions.totals import TotalsObjective
from tests.laws import renewal_laws
from tests.laws.subscription_laws import CASES, LAWS

COUNTS = [1000, 811, 692, 611, 560, 521]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", CASES)
def test_law(name, law):
    law(CASES[name])


@pytest.mark.parametrize("law", renewal_laws.LAWS, ids=lambda law: law.__name__)
def test_law_of_renewals(law):
    law(renewal_laws.Formulas())


def grouped(family, theta, n, window, seed, shift=0.0):
    """Survivors by age 0 .. window of n simulated customers."""
    made = family.simulate(theta, n, np.random.default_rng(seed))
    return [int((made > age).sum()) for age in range(window + 1)]


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def spells_of(seed):
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 3, 60).astype(float)
    lasted = entry + rng.integers(0, 5, 60)
    ended = np.where(np.arange(60) < 35, lasted + rng.integers(1, 4, 60), np.inf)
    facts = {"entry": entry, "lasted": lasted, "ended": ended}
    covariates = {"price": rng.normal(12.0, 2.0, 60), "channel": rng.choice(["a", "b", "c"], 60)}
    return pd.DataFrame({**facts, "customers": rng.integers(1, 40, 60), **covariates})


def objective_of(case, table, formula=None):
    design = design_of(formula, table)
    return SpellsObjective(case.family, Spells.of(table, design), design, len(table))


def differences(objective, theta):
    """Gradient and Hessian by central differences."""
    gradient, hessian = np.empty(theta.size), np.empty((theta.size, theta.size))
    for place in range(theta.size):
        step = np.eye(theta.size)[place] * 1e-5 * abs(theta[place])
        up, down = objective.derivatives(theta + step), objective.derivatives(theta - step)
        width = 2.0 * step[place]
        high, low = objective.log_likelihood(theta + step), objective.log_likelihood(theta - step)
        gradient[place] = (high - low) / width
        hessian[place] = (up.gradient - down.gradient) / width
    return gradient, hessian


def test_likelihood_of_spells_has_its_derivatives(case):
    objective = objective_of(case, spells_of(3), "~ price + channel")
    theta = np.append(case.theta, [0.03, -0.42, 0.21])
    found = objective.derivatives(theta)
    assert found.value == pytest.approx(float(objective.log_likelihood(theta)), rel=1e-12)
    gradient, hessian = differences(objective, theta)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-5, atol=1e-4)


def test_likelihood_of_totals_has_its_derivatives(case):
    acquired = np.array([1000.0, 700.0, 0.0, 400.0, 300.0, 0.0])
    lost = np.array([0.0, 290.0, 310.0, 150.0, 200.0, 190.0])
    objective = TotalsObjective(case.family, acquired, lost)
    found = objective.derivatives(case.theta)
    gradient, hessian = differences(objective, case.theta)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-5, atol=1e-4)


def test_likelihood_is_a_product_over_customers(case):
    """One spell at a time, from survival alone."""
    table = spells_of(4)
    objective = objective_of(case, table)
    total = 0.0
    for row in table.itertuples():
        s = [np.exp(case.family.log_ratio(case.theta, 0.0, age)) for age in (row.entry, row.lasted)]
        later = 0.0
        if np.isfinite(row.ended):
            later = np.exp(case.family.log_ratio(case.theta, 0.0, row.ended))
        total += row.customers * np.log((s[1] - later) / s[0])
    assert float(objective.log_likelihood(case.theta)) == pytest.approx(total, rel=1e-10)


def test_draws_are_rows(case):
    objective = objective_of(case, spells_of(5), "~ price")
    rng = np.random.default_rng(1)
    own = case.theta * np.exp(0.3 * rng.standard_normal((40, case.theta.size)))
    draws = np.column_stack([own, 0.05 * rng.standard_normal(40)])
    together = objective.log_likelihood(draws.reshape(8, 5, -1))
    alone = [float(objective.log_likelihood(theta)) for theta in draws]
    np.testing.assert_allclose(together.ravel(), alone, rtol=1e-12)


def test_row_order_does_not_matter_and_weights_are_copies(case):
    table = spells_of(6)
    whole = objective_of(case, table, "~ price")
    theta = np.append(case.theta, 0.04)
    mixed = objective_of(case, table.sample(frac=1.0, random_state=2), "~ price")
    copies = table.loc[table.index.repeat(table["customers"])].assign(customers=1)
    each = objective_of(case, copies, "~ price")
    expected = float(whole.log_likelihood(theta))
    assert float(mixed.log_likelihood(theta)) == pytest.approx(expected, rel=1e-13)
    assert float(each.log_likelihood(theta)) == pytest.approx(expected, rel=1e-12)
    assert each.spells.weight.size == whole.spells.weight.size


def test_covariates_at_zero_equal_none(case):
    table = spells_of(7)
    none, some = objective_of(case, table), objective_of(case, table, "~ price + channel")
    at = float(some.log_likelihood(np.append(case.theta, np.zeros(3))))
    assert at == pytest.approx(float(none.log_likelihood(case.theta)), rel=1e-12)


def test_cohorts_of_equal_age_may_be_merged(case):
    halves = [[400, 331, 280, 247, 229, 215], [600, 480, 412, 364, 331, 306]]
    table = pd.DataFrame(halves, index=pd.Index(["a", "b"], name="cohort"))
    two = cx.SubscriptionBase.from_cohorts(table, unit="month")
    one = cx.SubscriptionBase.from_survivors(np.sum(halves, axis=0), unit="month")
    fits = [case.family.fit(base) for base in (two, one)]
    np.testing.assert_allclose(fits[0].theta, fits[1].theta, rtol=1e-9)
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood, rel=1e-13)
    worth = [
        cx.subscription_value(fit, base, discount_rate=0.1, draws=80)
        .total["residual_value"]
        .iloc[0]
        for fit, base in zip(fits, (two, one), strict=True)
    ]
    assert worth[0] == pytest.approx(worth[1], rel=1e-8)
    ahead = fits[0].predict(two, horizon=3)
    whole = fits[1].predict(one, horizon=3)
    assert ahead["expected_customers"].sum() == pytest.approx(whole["expected_customers"].iloc[0])


def test_a_batch_of_cohorts_equals_its_rows(case):
    table = pd.DataFrame(
        [[500, 402, 350, 317, 293], [700, 566, 490, np.nan, np.nan], [300, 244, 209, 190, np.nan]],
        index=pd.Index(["x", "y", "z"], name="cohort"),
    )
    table = 40 * table  # so many that the posterior is near normal, and quick
    base = cx.SubscriptionBase.from_cohorts(table, unit="quarter")
    fit = case.family.fit(base)
    fit = replace(fit, objective=None, stored=fit.posterior(400))  # drawn once, as in a file
    together = fit.predict(base, horizon="1Y")
    value = cx.subscription_value(fit, base, discount_rate=0.08, amount=12.0, draws=80).cohorts
    for row in range(3):
        alone = cx.SubscriptionBase.from_cohorts(table.iloc[[row]], unit="quarter")
        single = fit.predict(alone, horizon="1Y").iloc[0]
        for name in ("p_active", "expected_customers", "lower", "upper"):
            assert single[name] == pytest.approx(together[name].iloc[row], rel=1e-12)
        own = cx.subscription_value(fit, alone, discount_rate=0.08, amount=12.0, draws=80).cohorts
        assert own["residual_value"].iloc[0] == pytest.approx(value["residual_value"].iloc[row])


def test_refit_recovers_the_truth(case):
    counts = grouped(case.family, case.theta, 200_000, 12, 21)
    found = case.family.fit(cx.SubscriptionBase.from_survivors(counts)).parameters
    distance = (found["estimate"] - case.theta) / found["std_error"]
    assert (distance.abs() < 4).all(), found


def test_refit_recovers_covariates(case):
    """Customers of two channels, one with a price; log odds or log danger moved by -0.5 and 0.2."""
    rng = np.random.default_rng(22)
    frames = []
    for channel, shift in (("shop", 0.0), ("web", -0.5)):
        for price in (-1.0, 0.0, 1.5):
            moved = shift + 0.2 * price
            ages = np.arange(0.0, 9.0)
            curve = np.exp(case.family.log_ratio(case.theta, 0.0, ages, moved))
            lost = rng.multinomial(15_000, np.append(-np.diff(curve), curve[-1]))
            left = 15_000 - np.cumsum(np.append(0, lost[:-1]))
            frames.append((f"{channel} {price}", channel, price, left))
    names = [frame[0] for frame in frames]
    table = pd.DataFrame([frame[3] for frame in frames], index=pd.Index(names, name="cohort"))
    kinds = pd.DataFrame(
        {"channel": [f[1] for f in frames], "price": [f[2] for f in frames]}, index=names
    )
    base = cx.SubscriptionBase.from_cohorts(table, covariates=kinds)
    fit = type(case.family)(leaving="~ channel + price").fit(base)
    truth = np.append(case.theta, [-0.5, 0.2])
    distance = (fit.parameters["estimate"] - truth) / fit.parameters["std_error"]
    assert (distance.abs() < 4).all(), fit.parameters
    assert list(fit.parameters.index[-2:]) == ["channel[web]", "price"]
    web = fit.survival(6, at={"channel": "web", "price": 0.0})["survival"].iloc[0]
    truth = float(np.exp(case.family.log_ratio(case.theta, 0.0, 6.0, -0.5)))
    assert web == pytest.approx(truth, abs=0.01)


def test_first_and_last_counts_agree_with_all(case):
    """Less is known, and what is found agrees with the whole within its own errors."""
    rows, short = [], []
    for place, window in enumerate((1, 2, 3, 4, 6, 9, 12)):
        counts = grouped(case.family, case.theta, 30_000, window, 30 + place)
        rows.append([*counts, *[np.nan] * (12 - window)])
        short.append((f"c{place}", counts[0], window, counts[-1]))
    labels = pd.Index([row[0] for row in short], name="cohort")
    full = case.family.fit(cx.SubscriptionBase.from_cohorts(pd.DataFrame(rows, index=labels)))
    few = pd.DataFrame(short, columns=["cohort", "acquired", "age", "customers"])
    limited = case.family.fit(cx.SubscriptionBase.from_first_and_last(few))
    ages = [1, 4, 10]
    a, b = full.survival(ages), limited.survival(ages)
    assert np.abs(a["survival"] - b["survival"]).max() < 0.012
    wider = b["upper"] - b["lower"]
    assert (wider > 0.9 * (a["upper"] - a["lower"])).all()
    truth = np.exp(case.family.log_ratio(case.theta, 0.0, np.array(ages, dtype=float)))
    assert np.abs(b["survival"] - truth).max() < 0.012


def totals_of(case, acquired, seed):
    """Losses by period of cohorts acquired in each, and the cohorts x ages they came from."""
    periods, lost, rows = len(acquired), np.zeros(len(acquired)), []
    for begun, n in enumerate(acquired):
        counts = grouped(case.family, case.theta, int(n), periods - 1 - begun, seed + begun)
        lost[begun + 1 :] += -np.diff(counts)
        rows.append([*counts, *[np.nan] * begun])
    return lost, pd.DataFrame(rows, index=pd.Index(range(periods), name="cohort"))


def test_totals_agree_with_all(case):
    acquired = [20_000, 12_000, 25_000, 9_000, 14_000, 18_000, 8_000, 5_000]
    lost, table = totals_of(case, acquired, 50)
    full = case.family.fit(cx.SubscriptionBase.from_cohorts(table))
    base = cx.SubscriptionBase.from_totals(pd.DataFrame({"acquired": acquired, "lost": lost}))
    limited = case.family.fit(base)
    assert base.active == limited.active == sum(acquired) - lost.sum()
    a, b = full.survival([1, 3, 6]), limited.survival([1, 3, 6])
    assert np.abs(a["survival"] - b["survival"]).max() < 0.02
    assert ((b["upper"] - b["lower"]) > 0.95 * (a["upper"] - a["lower"])).all()


def test_totals_of_one_cohort_are_all_there_is(case):
    """One cohort's totals are its losses by age: normal and multinomial likelihood agree."""
    counts = grouped(case.family, case.theta, 80_000, 6, 70)
    lost = np.append(0.0, -np.diff(counts))
    acquired = np.append(80_000.0, np.zeros(6))
    totals = cx.SubscriptionBase.from_totals(pd.DataFrame({"acquired": acquired, "lost": lost}))
    a = case.family.fit(cx.SubscriptionBase.from_survivors(counts))
    b = case.family.fit(totals)
    gap = (a.parameters["estimate"] - b.parameters["estimate"]) / a.parameters["std_error"]
    assert (gap.abs() < 0.25).all(), gap
    np.testing.assert_allclose(a.parameters["std_error"], b.parameters["std_error"], rtol=0.05)


def contracts_of(theta, n, seed):
    """Contracts that may end on any day, of a Weibull-gamma in days."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D")
    days = cx.WeibullGamma().simulate(np.array(theta), n, rng)
    end = start + pd.to_timedelta(np.floor(np.minimum(days, 20_000.0)), unit="D")
    end = pd.Series(end).where(end <= "2024-06-30")
    return pd.DataFrame({"id": np.arange(n), "start": start, "end": end})


def base_of(frame, unit):
    return SubscriptionBase.from_contracts(
        frame, customer="id", start="start", end="end", as_of="2024-06-30", unit=unit
    )


def test_days_and_weeks_give_one_answer():
    """The time scale alpha is in the base's unit; nothing else changes."""
    frame = contracts_of([1.3, 400.0, 1.2], 3000, 81)
    days, weeks = (cx.WeibullGamma().fit(base_of(frame, unit)) for unit in ("day", "week"))
    np.testing.assert_allclose(days.theta, weeks.theta * [1, 7, 1], rtol=1e-6)
    assert days.log_likelihood == pytest.approx(weeks.log_likelihood, abs=1e-6)
    errors = [fit.parameters["std_error"].to_numpy() for fit in (days, weeks)]
    np.testing.assert_allclose(errors[0], errors[1] * [1, 7, 1], rtol=1e-5)
    a = days.survival(364, draws=300).iloc[0, 1:].astype(float)
    b = weeks.survival(52, draws=300).iloc[0, 1:].astype(float)
    np.testing.assert_allclose(a, b, rtol=1e-4)


def test_days_recover_the_truth_and_months_lose_little():
    frame = contracts_of([1.3, 400.0, 1.2], 20_000, 82)
    fit = cx.WeibullGamma().fit(base_of(frame, "day"))
    truth = np.array([1.3, 400.0, 1.2])
    distance = (fit.parameters["estimate"] - truth) / fit.parameters["std_error"]
    assert (distance.abs() < 4).all(), fit.parameters
    months = cx.BDW().fit(base_of(frame, "month"))
    exact = float(np.exp(cx.WeibullGamma().log_ratio(truth, 0.0, 12 * 30.44)))
    assert months.survival(12)["survival"].iloc[0] == pytest.approx(exact, abs=0.012)


def test_records_that_begin_late_are_not_taken_for_loyal():
    """Old contracts known only because they lasted: `observed_from` undoes the selection."""
    frame = contracts_of([1.3, 400.0, 1.2], 5_000, 83)
    seen = frame[~(frame["end"] < "2023-06-01")]
    columns = {"customer": "id", "start": "start", "end": "end", "as_of": "2024-06-30"}
    honest = SubscriptionBase.from_contracts(
        seen, **columns, unit="day", observed_from="2023-06-01"
    )
    naive = SubscriptionBase.from_contracts(seen, **columns, unit="day")
    truth = float(np.exp(cx.WeibullGamma().log_ratio(np.array([1.3, 400.0, 1.2]), 0.0, 300.0)))
    found, wrong = (
        float(np.exp(fit.family.log_ratio(fit.theta, 0.0, 300.0)))
        for fit in (cx.WeibullGamma().fit(base) for base in (honest, naive))
    )
    assert abs(found - truth) < 0.03  # standard error about .01
    assert wrong > truth + 0.06
