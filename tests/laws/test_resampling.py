"""Wild cluster bootstrap, permutation and Romano-Wolf: by brute force, and their sizes."""

import numpy as np
import pandas as pd
import pytest

from cxmodels.errors import FitError, OptionError
from cxmodels.regression import resampling
from cxmodels.regression.multiplicity import romano_wolf
from cxmodels.regression.panel import panel_fit
from cxmodels.regression.resampling import permuted, wild_bootstrap

KEYS = {"unit": "firm", "period": "year"}


def firms(units: int, periods: int, rng: np.random.Generator, effect: float = 0.0) -> pd.DataFrame:
    """SIMULATED: x and errors that both last within firms."""
    firm, year = np.divmod(np.arange(units * periods), periods)
    x = rng.normal(size=units)[firm] + 0.5 * rng.normal(size=firm.size)
    y = effect * x + rng.normal(size=units)[firm] + 0.5 * rng.normal(size=firm.size)
    z = rng.normal(size=firm.size)
    return pd.DataFrame({"firm": firm, "year": year, "y": y, "x": x, "z": z})


def by_hand(table, weights, value, dummies):
    """Every draw regressed anew on columns and dummies: t, and those of the draws."""
    x = table["x"].to_numpy()
    others = np.column_stack([table["z"], *dummies.T])
    y = table["y"].to_numpy() - value * x
    e = y - others @ np.linalg.lstsq(others, y, rcond=None)[0]
    X = np.column_stack([x, others])
    bread = np.linalg.pinv(X.T @ X)
    group = table["firm"].to_numpy()

    def t_of(y):
        b = bread @ (X.T @ y)
        scores = pd.DataFrame(X * (y - X @ b)[:, None]).groupby(group).sum().to_numpy()
        return b[0] / np.sqrt((bread @ (scores.T @ scores) @ bread)[0, 0])

    return t_of(e + (y - e)), np.array([t_of((y - e) + v[group] * e) for v in weights])


@pytest.mark.parametrize("estimator", ["pooled", "within", "two-way", "period"])
@pytest.mark.parametrize("value", [0.0, 0.4])
def test_every_draw_is_a_regression(estimator, value, monkeypatch):
    rng = np.random.default_rng(1)
    table = firms(9, 6, rng, 0.3)
    firm, year = (pd.get_dummies(table[name], dtype=float).to_numpy() for name in KEYS.values())
    dummies = {"pooled": np.ones((54, 1)), "within": firm, "two-way": np.hstack([firm, year]),
               "period": year}[estimator]  # fmt: skip
    weights = rng.choice([-1.0, 1.0], (99, 9))
    monkeypatch.setattr(resampling, "_weights", lambda *given: weights)
    fit = panel_fit(table, "y", ["x", "z"], estimator=estimator, **KEYS)
    found = wild_bootstrap(fit, "x", value=value, draws=99)
    t, drawn = by_hand(table, weights, value, dummies)
    assert found.statistic == pytest.approx(t, rel=1e-8)
    assert found.p_value == pytest.approx(np.mean(np.abs(drawn) >= abs(t) - 1e-9))


def test_few_clusters_keep_their_size_where_t_does_not():
    """SIMULATED: 6 firms and no effect; 400 panels at 5 per cent."""
    rng = np.random.default_rng(2)
    wild = plain = 0
    for seed in range(400):
        fit = panel_fit(firms(6, 8, rng), "y", ["x"], estimator="pooled", **KEYS)
        wild += wild_bootstrap(fit, "x", draws=199, seed=seed).p_value <= 0.05
        row = fit.table.iloc[0]
        plain += abs(row["t"]) > 1.96
    assert 6 <= wild <= 36  # 20 expected
    assert plain > 60


def test_the_interval_is_what_is_not_rejected():
    fit = panel_fit(firms(20, 5, np.random.default_rng(3), 0.5), "y", ["x"], estimator="within",
                    **KEYS)  # fmt: skip
    found = wild_bootstrap(fit, "x", draws=999, level=0.9)
    estimate, error = fit.table.loc[0, ["estimate", "std_error"]]
    assert found.lower < estimate < found.upper
    assert (found.upper - found.lower) / (2 * 1.73 * error) == pytest.approx(1.0, abs=0.35)
    inside, outside = (wild_bootstrap(fit, "x", draws=999, value=v).p_value
                       for v in (found.upper - 0.1 * error, found.upper + 0.1 * error))  # fmt: skip
    assert outside < 0.1 <= inside


def test_permutation_keeps_its_size():
    rng = np.random.default_rng(4)
    low = 0
    for seed in range(200):
        fit = panel_fit(firms(12, 4, rng), "y", ["x"], estimator="period", **KEYS)
        low += permuted(fit, "x", draws=99, seed=seed).p_value <= 0.05
    assert 1 <= low <= 22  # 10 expected
    strong = panel_fit(firms(30, 4, rng, 1.0), "y", ["x"], estimator="period", **KEYS)
    assert permuted(strong, "x", draws=199).p_value <= 0.01
    assert permuted(strong, "x", by="period", draws=199).p_value <= 0.01


def test_romano_wolf():
    """SIMULATED: ten true hypotheses that hang together; one in twenty families may err."""
    rng = np.random.default_rng(5)
    draws_of = rng.multivariate_normal(np.zeros(10), 0.5 + 0.5 * np.eye(10), (400, 300))
    wrong = naive = 0
    for draws in draws_of:
        estimates = rng.multivariate_normal(np.zeros(10), 0.5 + 0.5 * np.eye(10))
        table = romano_wolf([f"h{i}" for i in range(10)], estimates, np.ones(10), draws)
        wrong += table["adjusted"].min() <= 0.05
        naive += table["p_value"].min() <= 0.05
        assert (table["adjusted"] >= table["p_value"] - 1e-12).all()
    assert 8 <= wrong <= 34
    assert naive > 80
    one = romano_wolf(["a"], np.array([2.0]), np.ones(1), rng.normal(size=(999, 1)))
    assert one["adjusted"][0] == one["p_value"][0]
    same = romano_wolf(["a", "b"], np.array([2.0, 2.0]), np.ones(2), np.tile(
        rng.normal(size=(999, 1)), 2))  # fmt: skip
    assert same["adjusted"].tolist() == same["p_value"].tolist()


def test_refusals():
    rng = np.random.default_rng(6)
    table = firms(6, 4, rng)
    fit = panel_fit(table, "y", ["x"], estimator="within", **KEYS)
    for words, more in (("not one of x", {"coefficient": "q"}), ("neither unit", {"by": "trade"}),
                        ("below 99", {"draws": 5})):  # fmt: skip
        with pytest.raises(OptionError, match=words):
            wild_bootstrap(fit, **({"coefficient": "x"} | more))
    with pytest.raises(FitError, match="at least 3"):
        two = table[table["firm"] < 2]
        wild_bootstrap(panel_fit(two, "y", ["x"], estimator="pooled", errors="iid", **KEYS), "x")
    odd = table.assign(trade=table["firm"] % 2)
    both = panel_fit(odd, "y", ["x"], estimator="within", effects=[("trade", "year")], **KEYS)
    with pytest.raises(OptionError, match="cut across the clusters"):
        wild_bootstrap(both, "x")
    with pytest.raises(OptionError, match="99 draws"):
        romano_wolf(["a"], np.ones(1), np.ones(1), np.ones((5, 1)))
