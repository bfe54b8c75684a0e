"""A test in money: nothing where nothing is done, facts that replace the model, and no shipping of
what is not worth its cost."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.experiments.plan import Rule
from cxmodels.value_chain.backcast import backcast
from cxmodels.value_chain.test_money import TestMoney, money_of_test
from tests.laws.lever_world import ARMS, END, MARGIN, RATE, SINCE, START, Trial, effect, trial
from tests.laws.populations import CDNOW, SPEND, walk

TERMS = {"start": START, "control": ARMS[0], "horizon": "24M", "discount_rate": RATE,
         "margin": MARGIN, "draws": 50}  # fmt: skip
SHORT = {"quarters": 12}


def money_of(made: Trial, holdout_end: str | None = None, **changed) -> TestMoney:
    base = made.base(holdout_end)
    fit, spend_fit = cx.ParetoNBD().fit(base), cx.GammaGamma().fit(base)
    return money_of_test(made.arms, base, fit, spend_fit, **TERMS | changed)


def row(found: TestMoney, what: str = "value") -> pd.Series:
    return found.table.set_index("what").loc[what]


def test_a_lever_that_works_is_found_in_money_and_kept_only_below_its_worth():
    found = money_of(trial(12_000, 3, points=0.8, quarters=20))
    value = row(found)
    assert value["lower"] > 0 and value["unit"] == "USD a unit"
    parts = found.table.set_index("what")["estimate"]
    assert parts["value"] == pytest.approx(
        parts["margin in the test"] + parts["residual value"], rel=0.1
    )
    by_arm = found.units.groupby("arm")["value"].mean()
    assert value["unadjusted"] == pytest.approx(by_arm["call"] - by_arm["as now"], rel=1e-9)
    assert 0.0 < abs(value["unadjusted"] - value["estimate"]) < 3 * value["std_error"]
    cheap, dear = (found.decide(units=10_000, cost=cost) for cost in (1.0, 40.0))
    assert (cheap.choice, dear.choice) == ("keep", "drop")


def test_a_lever_that_moves_answers_alone_is_not_shipped():
    """Satisfaction as answered rises by a point; what is decided is decided in money."""
    made = trial(8_000, 8, answers=1.0, **SHORT)
    answered, error = effect(made.answered("recommend"), "recommend")
    assert answered > 3 * error
    found = money_of(made)
    assert row(found)["lower"] < 0 < row(found)["upper"]
    assert found.decide(units=10_000, cost=2.0, rule=Rule(sure=0.9)).choice == "drop"


def facts_of(until: str | None) -> tuple[TestMoney, TestMoney, Trial]:
    made = trial(16_000, 5, points=0.8, until=until, quarters=20)
    return money_of(made), money_of(made, SINCE), made


@pytest.mark.parametrize(("until", "sign"), [(None, 1.0), (END, -1.0)])
def test_facts_replace_what_the_model_foretold(until, sign):
    """A lever that lasts brings more than its past shows, one that ended less: the model of the
    past cannot know which, the hold-out does."""
    foretold, with_facts, made = facts_of(until)
    assert len(foretold.facts) == 0
    facts = with_facts.facts.set_index("what")
    gap = facts.loc["found less foretold"]
    assert sign * gap["estimate"] > 1.5 * gap["std_error"]
    came = effect(made.arms.assign(came=made.margin_after(END, SINCE)), "came")[0]
    assert facts.loc["found", "lower"] < came < facts.loc["found", "upper"]
    assert facts.loc["found", "estimate"] == pytest.approx(
        row(with_facts, "margin since the test")["estimate"]
    )
    moved = row(with_facts)["estimate"] - row(foretold)["estimate"]
    assert moved == pytest.approx(gap["estimate"], abs=0.75)


def nothing_done(runs: int, n: int, first: int) -> tuple[float, float, float]:
    """How often 0 is held by the 90 per cent intervals of residual value and of value; share of
    the variance of residual value that the parameters add."""
    held, added = np.zeros(2), []
    for seed in range(first, first + runs):
        found = money_of(trial(n, seed, **SHORT))
        for place, what in enumerate(("residual value", "value")):
            held[place] += row(found, what)["lower"] <= 0.0 <= row(found, what)["upper"]
        rest = row(found, "residual value")
        added.append((rest["parameter_error"] / rest["std_error"]) ** 2)
        trial.cache_clear()
    return held[0] / runs, held[1] / runs, float(np.mean(added))


def test_where_nothing_is_done_nothing_is_found():
    rest, value, added = nothing_done(3, 1_500, 300)
    assert min(rest, value) >= 2 / 3
    assert 0.0 < added < 0.5


@pytest.mark.slow
def test_size_where_nothing_is_done():
    rest, value, added = nothing_done(400, 1_500, 9_000)
    print(rest, value, added)
    assert 0.87 < rest < 0.94
    assert 0.87 < value < 0.94


def test_costs_and_a_plan_are_taken():
    made = trial(6_000, 21, points=0.8, **SHORT)
    base = made.base()
    fit, spend_fit = cx.ParetoNBD().fit(base), cx.GammaGamma().fit(base)
    plain = money_of_test(made.arms, base, fit, spend_fit, **TERMS)
    spent = pd.Series(5.0, index=made.arms.loc[made.arms["arm"] == "call", "customer_id"])
    less = money_of_test(made.arms, base, fit, spend_fit, **TERMS, costs=spent)
    assert row(plain)["estimate"] - row(less)["estimate"] == pytest.approx(5.0, abs=0.05)
    again = money_of_test(made.arms, base, fit, spend_fit, **TERMS)
    pd.testing.assert_frame_equal(plain.table, again.table)


def model_world(seed: int, n: int, change: float = 1.0) -> cx.CustomerBase:
    """SIMULATED: BG/NBD customers who join within half a year, over two years; from the middle of
    the second on they buy at `change` times their rate."""
    rng = np.random.default_rng([seed, 5])
    r, alpha, a, b = CDNOW
    joined = np.floor(7 * rng.uniform(0, 26, n)) / 7
    found = walk(rng.gamma(r, 1 / alpha, n), rng.beta(a, b, n), 104.0 - joined, rng)
    level = rng.gamma(SPEND[1], 1 / SPEND[2], n)
    whose = np.concatenate([np.arange(n), found.customer])
    week = np.concatenate([joined, joined[found.customer] + found.time])
    amount = rng.gamma(SPEND[0], 1 / level[whose])
    kept = (week < 65.0) | (rng.random(week.size) < change)
    date = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.floor(7 * week), unit="D")
    log = pd.DataFrame({"id": whose, "date": date, "amount": amount})[kept]
    return cx.customer_base(log, customer="id", time="date", amount="amount", unit="week",
                            currency="EUR", end="2021-12-28")  # fmt: skip


def foretold(seed: int, n: int, change: float = 1.0) -> pd.Series:
    found = backcast(
        model_world(seed, n, change), cx.BGNBD(), cx.GammaGamma(), ["2021-03-30"],
        horizon="39W", discount_rate=0.1, margin=0.3, draws=50,
    )  # fmt: skip
    return found.table.iloc[0]


def test_a_backcast_holds_one_where_the_model_is_right_and_not_where_the_world_changed():
    right = [foretold(seed, 1_500) for seed in range(8)]
    assert sum(row["lower"] <= 1.0 <= row["upper"] for row in right) >= 6
    changed = foretold(1, 4_000, 0.5)
    assert changed["upper"] < 0.95


@pytest.mark.slow
def test_coverage_of_a_backcast():
    rows = [foretold(100 + seed, 1_500) for seed in range(500)]
    held = np.mean([row["lower"] <= 1.0 <= row["upper"] for row in rows])
    print(held, np.mean([row["ratio"] for row in rows]))
    assert 0.87 < held < 0.93
