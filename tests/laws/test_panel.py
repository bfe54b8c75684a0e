"""Panels: dummies, pyfixest, what confounds and what does not, and every way to be refused."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from cxmodels.errors import DataError, FitError, OptionError
from cxmodels.regression import absorb
from cxmodels.regression.conventions import CONVENTIONS, Errors
from cxmodels.regression.panel import panel_fit
from cxmodels.regression.panel_tests import robust_hausman
from cxmodels.regression.slopes import random_slopes, slopes_by

KEYS = {"unit": "firm", "period": "year"}


def firms(units: int = 60, periods: int = 9, drop: float = 0.25, seed: int = 1) -> pd.DataFrame:
    """SIMULATED, unbalanced: .5 x - .2 z, effects of firms that go with x, errors by firm."""
    rng = np.random.default_rng(seed)
    firm, year = np.divmod(np.arange(units * periods), periods)
    own, season = rng.normal(size=units), rng.normal(size=periods)
    x = rng.normal(size=firm.size) + own[firm]
    z = rng.normal(size=firm.size) + 0.3 * season[year]
    y = 0.5 * x - 0.2 * z + own[firm] + season[year] + rng.normal(size=firm.size) * (1 + abs(x))
    made = pd.DataFrame({"firm": firm, "year": year, "y": y, "x": x, "z": z, "trade": firm % 7})
    return made.sample(frac=1.0 - drop, random_state=seed).reset_index(drop=True)


def fitted(table, **more):
    return panel_fit(table, "y", ["x", "z"], **KEYS, **more)


@pytest.mark.parametrize(
    ("estimator", "effects", "columns"),
    [("within", (), ["firm"]), ("two-way", (), ["firm", "year"]), ("period", (), ["year"]),
     ("within", [("trade", "year")], ["firm", "both"]), ("two-way", ["trade"], ["firm", "year"])],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")
def test_effects_are_dummies(estimator, effects, columns):
    table = firms()
    fit = fitted(table, estimator=estimator, effects=effects, errors="iid")
    held = table.assign(both=table["trade"] * 100 + table["year"])
    dummies = pd.get_dummies(held[columns].astype(str), dtype=float)
    made = sm.OLS(table["y"], table[["x", "z"]].join(dummies)).fit()  # by pseudo-inverse
    assert fit.table["estimate"].tolist() == pytest.approx(made.params[:2].tolist(), abs=1e-9)
    assert fit.table["std_error"].tolist() == pytest.approx(made.bse[:2].tolist(), rel=1e-8)


def test_two_ways_by_conjugate_gradients(monkeypatch):
    table = firms(200, 40, 0.5)
    plain = fitted(table, estimator="two-way").table
    monkeypatch.setattr(absorb, "DENSE", 2)
    again = fitted(table, estimator="two-way").table
    assert again["estimate"].tolist() == pytest.approx(plain["estimate"].tolist(), abs=1e-10)


PYFIXEST = {
    "within": ("firm", ()), "period": ("year", ()), "two-way": ("year + firm", ()),
    "trades": ("firm + trade^year", [("trade", "year")]),
}  # fmt: skip


@pytest.mark.parametrize("estimator", PYFIXEST)
@pytest.mark.filterwarnings("ignore")
def test_pyfixest(estimator):
    """Clusters have names of their own: under the name of an effect that stands first, pyfixest
    0.60 takes every effect for nested, and counts 3 for 11 coefficients."""
    pyfixest = pytest.importorskip("pyfixest")
    table = firms().assign(who=lambda t: t["firm"], when=lambda t: t["year"])
    effects, more = PYFIXEST[estimator]
    name = "within" if estimator == "trades" else estimator
    for ours, theirs in (
        ("iid", "iid"), ("hc1", "hetero"), ("unit", {"CRV1": "who"}), ("period", {"CRV1": "when"}),
        ("unit and period", {"CRV1": "who+when"}),
    ):  # fmt: skip
        peer = pyfixest.feols(f"y ~ x + z | {effects}", data=table, vcov=theirs)
        fit = fitted(table, estimator=name, effects=more, errors=ours, convention="fixest")
        assert fit.table["estimate"].tolist() == pytest.approx(peer.coef().tolist(), abs=1e-8)
        assert fit.table["std_error"].tolist() == pytest.approx(peer.se().tolist(), rel=1e-7)


@pytest.mark.parametrize("lags", [1, 3])
@pytest.mark.parametrize(("ours", "theirs"), [("driscoll-kraay", "DK"), ("newey-west", "NW")])
@pytest.mark.filterwarnings("ignore")
def test_errors_over_time_are_those_of_pyfixest(ours, theirs, lags):
    """Newey-West goes by the row above there, so gaps are closed for it; ours by the calendar."""
    pyfixest = pytest.importorskip("pyfixest", minversion="0.50")
    table = firms().sort_values(["firm", "year"])
    if theirs == "NW":
        table["year"] = table.groupby("firm").cumcount()
    how = {"time_id": "year", "panel_id": "firm", "lag": lags}
    for effects, name in (("", "pooled"), ("| firm", "within"), ("| firm + year", "two-way")):
        peer = pyfixest.feols(f"y ~ x + z {effects}", data=table, vcov=theirs, vcov_kwargs=how)
        fit = fitted(table, estimator=name, errors=ours, convention="fixest", lags=lags)
        own = fit.table.set_index("coefficient")["std_error"]
        assert own[["x", "z"]].tolist() == pytest.approx(peer.se()[["x", "z"]].tolist(), rel=1e-7)


def test_first_differences_go_by_the_calendar():
    table = firms()
    fit = fitted(table, estimator="difference", errors="iid")
    wide = table.set_index(["firm", "year"])[["y", "x", "z"]].unstack()
    moved = (wide - wide.shift(1, axis=1)).drop(columns=0, level=1).stack(future_stack=True)
    moved = moved.dropna()
    b = np.linalg.lstsq(moved[["x", "z"]].to_numpy(), moved["y"].to_numpy(), rcond=None)[0]
    assert fit.table["estimate"].tolist() == pytest.approx(b.tolist(), abs=1e-10)
    assert fit.rows == len(moved)
    three = fitted(table, estimator="difference", span=3)
    assert "3 before it" in three.notes[0] and three.rows < fit.rows


def test_effects_of_firms_mislead_all_but_those_who_look_within():
    table = firms(400)
    found = {
        name: fitted(table, estimator=name).table.iloc[0]
        for name in ("pooled", "between", "random", "within", "two-way", "difference", "mundlak")
    }
    for name in ("within", "two-way", "difference", "mundlak"):
        assert abs(found[name]["estimate"] - 0.5) < 4 * found[name]["std_error"], name
    for name in ("pooled", "between", "random"):
        assert found[name]["lower"] > 0.5, name
    assert found["mundlak"]["estimate"] == pytest.approx(found["within"]["estimate"], abs=1e-9)
    assert robust_hausman(fitted(table, estimator="mundlak")).p_value < 1e-6


def test_clusters_hold_the_truth_where_iid_does_not():
    """Errors that last within firms: 300 panels at 95 per cent."""
    rng, held = np.random.default_rng(3), {"iid": 0, "unit": 0}
    firm, year = np.divmod(np.arange(60 * 8), 8)
    for _ in range(300):
        lasting = rng.normal(size=60)[firm]
        x = lasting + rng.normal(size=firm.size)
        y = x + rng.normal(size=60)[firm] * 1.5 + rng.normal(size=firm.size)
        table = pd.DataFrame({"firm": firm, "year": year, "y": y, "x": x})
        fit = panel_fit(table, "y", ["x"], estimator="pooled", level=0.95, **KEYS)
        for errors in held:
            row = fit.with_errors(errors).table.iloc[0]
            held[errors] += row["lower"] <= 1.0 <= row["upper"]
    assert held["unit"] >= 273
    assert held["iid"] <= 264


def test_slopes_by_group_are_drawn_to_their_mean():
    rng = np.random.default_rng(5)
    table = firms(300)
    slope = dict(enumerate(rng.normal(0.5, 0.3, 7)))
    y = table["trade"].map(slope) * table["x"] + rng.normal(size=len(table))
    table = table.assign(y=y)
    found = slopes_by(table, "y", "x", by="trade", **KEYS)
    own = found.own.assign(truth=[slope[int(name)] for name in found.own["group"]])
    assert (abs(own["pooled"] - own["truth"]) < 4 * own["std_error"]).all()
    mean = found.table["estimate"][0]
    assert ((own["pooled"] - mean).abs() <= (own["alone"] - mean).abs() + 1e-12).all()
    assert found.homogeneity[2] < 1e-6
    alike = slopes_by(table.assign(y=0.5 * table["x"] + rng.normal(size=len(table))), "y", "x",
                      by="trade", **KEYS)  # fmt: skip
    assert alike.homogeneity[2] > 0.001
    few = random_slopes(firms(30, 9, 0.7), "y", ["x", "z"], **KEYS)
    assert "too few rows" in few.notes[0]


def test_order_units_and_scale_do_not_matter():
    table = firms()
    plain = fitted(table, estimator="two-way", errors="unit and period").table
    moved = table.sample(frac=1.0, random_state=9).assign(
        firm=lambda t: "f" + t["firm"].astype(str), year=lambda t: t["year"] + 1990,
        x=lambda t: t["x"] * 1e6 + 1e7,
    )  # fmt: skip
    again = fitted(moved, estimator="two-way", errors="unit and period").table
    assert again["estimate"][0] * 1e6 == pytest.approx(plain["estimate"][0], rel=1e-7)
    assert again["std_error"][0] * 1e6 == pytest.approx(plain["std_error"][0], rel=1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("errors", [item.value for item in Errors])
def test_every_convention_has_every_error(errors, convention):
    fit = fitted(firms(), estimator="within", errors=errors, convention=convention)
    assert np.isfinite(fit.table["std_error"]).all() and (fit.table["std_error"] > 0).all()
    assert convention in fit.convention or errors == "iid"


def test_singletons_and_gaps_are_counted():
    table = firms()
    lone = pd.DataFrame({"firm": [900, 901], "year": [1, 2], "y": [5.0, 6.0], "x": [1.0, 2.0],
                         "z": [0.0, 1.0], "trade": [1, 2]})  # fmt: skip
    both = pd.concat([table, lone], ignore_index=True)
    both.loc[0, "x"] = np.nan
    fit = fitted(both)
    assert "1 of 407 rows lack a column." in fit.notes[0]
    assert "2 rows alone in an effect are left out." in fit.notes[1]
    assert fit.table["estimate"].tolist() == pytest.approx(
        fitted(table.iloc[1:]).table["estimate"].tolist()
    )


def test_refusals():
    table = firms()
    with pytest.raises(DataError, match="two rows in one year") as caught:
        fitted(pd.concat([table, table.iloc[:1]]).assign(z="high"))
    assert "z is no number" in str(caught.value)
    for words, more in (
        ("estimator", {"estimator": "magic"}), ("errors", {"errors": "robust"}),
        ("convention", {"convention": "sas"}), ("effects name", {"effects": ["sector"]}),
        ("lags", {"errors": "newey-west", "lags": 40}), ("level", {"level": 2}),
        ("no further effects", {"estimator": "random", "effects": ["trade"]}),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=words):
            fitted(table, **more)
    with pytest.raises(OptionError, match="no column 'q'"):
        panel_fit(table, "y", ["q"], **KEYS)
    with pytest.raises(FitError, match="'trade' does not vary once effects are taken out"):
        panel_fit(table, "y", ["x", "trade"], **KEYS)
    with pytest.raises(FitError, match="follows from the others"):
        panel_fit(table.assign(w=2 * table["x"] - table["z"]), "y", ["x", "z", "w"], **KEYS)
    with pytest.raises(FitError, match="alone in one of its effects"):
        fitted(table.drop_duplicates("firm"))
    with pytest.raises(FitError, match="two clusters"):
        fitted(table[table["firm"] == 3], estimator="pooled")
    with pytest.raises(FitError, match="no row has all columns"):
        fitted(table.assign(x=np.nan))
