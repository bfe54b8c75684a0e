"""Cost of acquisition on a channel's score a quarter before: truth held, naive wrong, refusals."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import cxmodels as cx
from cxmodels.data import simulate
from cxmodels.satisfaction import acquisition_cost


def asked_of(made):
    return cx.survey_base(
        made.surveys, customer="customer_id", time="date", scores={"recommend": (0, 10)}
    )


def row_of(seed, level=0.9, customers=3_000, **truth):
    made = simulate.company(customers, seed=seed, quarters=12, truth=simulate.Truth(**truth))
    return acquisition_cost(asked_of(made), made.customers, score="recommend", level=level).iloc[0]


def test_truth_is_held_and_naive_is_not():
    """16 companies at 95 per cent: fewer than 12 have p = .0009. Channels differ in cost by more
    than any score, so that without them an effect drowns or turns around."""
    held, off = 0, []
    for seed in range(16):
        row = row_of(seed + 50, 0.95, acquisition_cost=-0.4)
        held += row["lower"] <= -0.4 <= row["upper"]
        off.append((abs(row["naive"] + 0.4), abs(row["corrected"] + 0.4)))
    assert held >= 12
    naive, ours = np.mean(off, axis=0)
    assert naive > 2 * ours


@pytest.mark.slow
def test_coverage():
    held = [row["lower"] <= -0.1 <= row["upper"] for row in map(row_of, range(300))]
    print(np.mean(held))
    assert 0.86 <= np.mean(held) <= 0.94


def test_controlled_effect_is_that_of_statsmodels():
    made = simulate.company(2_000, seed=3, quarters=12)
    row = acquisition_cost(asked_of(made), made.customers, score="recommend").iloc[0]
    told = made.surveys.dropna().merge(made.customers[["customer_id", "channel"]])
    told["quarter"] = told["date"].dt.to_period("Q")
    means = told.groupby(["channel", "quarter"])["recommend"].mean().reset_index()
    new = made.customers.dropna(subset="acquisition_cost")
    new = new.assign(quarter=(new["joined"] - pd.DateOffset(months=3)).dt.to_period("Q"))
    new = new.merge(means, on=["channel", "quarter"])
    x = sm.add_constant(
        new[["recommend"]].join(pd.get_dummies(new["channel"], drop_first=True, dtype=float))
    )
    family = sm.families.Gamma(sm.families.links.Log())
    fit = sm.GLM(new["acquisition_cost"], x, family=family).fit(tol=1e-12, maxiter=200)
    assert row["controlled"] == pytest.approx(fit.params["recommend"], abs=1e-7)
    assert row["customers"] + row["left_out"] == 2_000
    assert 0.5 < row["reliability"] < 1


def test_refusals():
    made = simulate.company(400, seed=1, quarters=3)
    with pytest.raises(cx.FitError, match="cells of channel and quarter are too few"):
        acquisition_cost(asked_of(made), made.customers, score="recommend")
    with pytest.raises(cx.DataError, match="there is no one column 'source'"):
        acquisition_cost(asked_of(made), made.customers, score="recommend", channel="source")
    with pytest.raises(cx.OptionError, match="is not one of recommend"):
        acquisition_cost(asked_of(made), made.customers, score="nps")
    with pytest.raises(cx.FitError, match="400 customers 0 have a cost above 0"):
        acquisition_cost(
            asked_of(made), made.customers.assign(acquisition_cost=np.nan), score="recommend"
        )
