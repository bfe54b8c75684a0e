"""Decisions in money: closed forms against simulation, the rule, shrinkage, worth of more."""

import numpy as np
import pytest

import cxmodels as cx
from cxmodels.experiments.decision import decide
from cxmodels.experiments.plan import Rule


def told(found, what: str) -> float:
    return float(found.table.set_index("what").loc[what, "value"])


def test_losses_are_means_over_what_may_be():
    rng = np.random.default_rng(1)
    net = 1.2 - 0.7 + 0.9 * rng.standard_normal(2_000_000)
    found = decide(1.2, 0.9, cost=0.7, units=1_000)
    assert told(found, "expected loss if kept") == pytest.approx(
        1_000 * np.maximum(-net, 0).mean(), rel=5e-3)  # fmt: skip
    assert told(found, "expected loss if dropped") == pytest.approx(
        1_000 * np.maximum(net, 0).mean(), rel=5e-3)  # fmt: skip
    assert told(found, "probability of more than 0") == pytest.approx((net > 0).mean(), abs=2e-3)


def test_the_worth_of_more_is_that_of_the_better_choice():
    """Truth from what is known now, a further test of it, the choice by both."""
    rng = np.random.default_rng(2)
    prior, error, effect, cost = 1.5, 1.0, 0.8, 0.6
    keep = prior**2 / (prior**2 + error**2)
    truth = keep * effect + np.sqrt(keep) * error * rng.standard_normal(1_000_000)
    again = truth + error / np.sqrt(2.0) * rng.standard_normal(truth.size)  # twice the size
    weight = (1 / (keep * error**2), 2.0 / error**2)
    mean = (weight[0] * keep * effect + weight[1] * again) / sum(weight)
    better = np.where(mean > cost, truth - cost, 0.0).mean() - max(keep * effect - cost, 0.0)
    found = decide(effect, error, cost=cost, units=1.0, prior_sd=prior, longer=2.0)
    assert told(found, "worth of testing 2 times as much again") == pytest.approx(better, rel=0.02)


def test_the_rule_decides_and_guardrails_stop():
    sure = decide(3.0, 1.0, cost=1.0, units=100, rule=Rule(sure=0.95))
    assert sure.choice == "keep" and told(sure, "net value of all") == pytest.approx(200.0)
    assert decide(3.0, 1.0, cost=1.5, units=100, rule=Rule(sure=0.95)).choice == "drop"
    stopped = decide(3.0, 0.5, cost=1.0, units=100, guardrails={"complaints": False, "speed": True})
    assert stopped.choice == "drop"
    assert "Guardrails broken: complaints" in " ".join(stopped.reasons)
    assert told(decide(3.0, 1.0, cost=1.0, units=100, once=400.0), "payback") == pytest.approx(2.0)


def test_the_winner_of_many_is_shrunk_to_what_it_is():
    """SIMULATED: of twenty levers the best looking one; as measured it promises too much."""
    rng = np.random.default_rng(3)
    truth = rng.normal(0.0, 1.0, (4_000, 20))
    seen = truth + rng.standard_normal(truth.shape)
    best = seen.argmax(axis=1)
    rows = np.arange(len(best))
    measured, real = seen[rows, best].mean(), truth[rows, best].mean()
    shrunk = np.mean([
        told(decide(float(x), 1.0, cost=0.0, units=1, prior_sd=1.0), "effect, shrunk")
        for x in seen[rows, best][:400]
    ])  # fmt: skip
    assert measured > real + 0.7
    assert shrunk == pytest.approx(real, abs=0.1)


@pytest.mark.parametrize(
    ("parts", "said"),
    [({"effect": float("nan")}, "effect must be money, a finite number; it is nan"),
     ({"std_error": 0.0}, "std_error must be a number above 0; it is 0.0"),
     ({"units": -1}, "units must be"), ({"prior_sd": 0.0}, "prior_sd must be"),
     ({"cost": "x"}, "cost must be money"), ({"longer": 0}, "longer must be"),
     ({"rule": {"sure": 0.9}}, "rule= is a Rule"), ({"level": 2.0}, "level is the width")],
)  # fmt: skip
def test_refusals(parts, said):
    asked = {"effect": 1.0, "std_error": 1.0, "cost": 1.0, "units": 10} | parts
    with pytest.raises(cx.OptionError, match=said):
        decide(asked.pop("effect"), asked.pop("std_error"), **asked)
