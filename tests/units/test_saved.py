"""A saved model comes back whole, and a file that is none is refused in words."""

import json

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.errors import DataError, OptionError
from cxmodels.likelihood.posterior import NormalPrior
from tests.laws.value_cases import fits, some

TERMS = {"horizon": "52W", "discount_rate": 0.1}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    fit, spend = fits()
    return fit.save(folder / "purchases.json"), spend.save(folder / "spend.json")


def test_both_kinds_come_back(paths):
    found = [cx.load(path) for path in paths]
    assert isinstance(found[0], cx.FittedPurchases)
    assert isinstance(found[1], cx.FittedSpend)
    for again, first in zip(found, fits(), strict=True):
        assert again.theta.tolist() == first.theta.tolist()
        assert again.log_likelihood == first.log_likelihood
        assert (again.aic, again.bic, again.rows) == (first.aic, first.bic, first.rows)
        assert str(again.status) == str(first.status)
        assert again.notes == first.notes
        pd.testing.assert_frame_equal(again.parameters, first.parameters)
        pd.testing.assert_frame_equal(again.covariance, first.covariance)


def test_facts_come_back(paths):
    fit, spend = (cx.load(str(path)) for path in paths)
    first, orders = fits()
    assert (fit.unit, fit.repeaters, fit.end) == (first.unit, first.repeaters, first.end)
    assert fit.family == first.family
    assert spend.paid_share == orders.paid_share
    assert spend.currency == "USD"
    assert spend.mean_spend == orders.mean_spend


def test_a_loaded_model_needs_no_data(paths):
    fit, spend = (cx.load(path) for path in paths)
    first, orders = fits()
    exact = ["p_alive", "expected_purchases", "p_no_purchase"]
    a, b = (model.predict(some(), horizon="26W", draws=400) for model in (fit, first))
    np.testing.assert_allclose(a[exact], b[exact], rtol=1e-13)
    # other draws of the same posterior: ends of intervals agree within their Monte Carlo error
    assert np.corrcoef(a["upper"], b["upper"])[0, 1] > 0.999
    value = cx.lifetime_value(fit, spend, some(), draws=400, **TERMS)
    again = cx.lifetime_value(first, orders, some(), draws=400, **TERMS)
    assert value.equity["estimate"].iloc[0] == again.equity["estimate"].iloc[0]
    np.testing.assert_allclose(
        value.equity["upper"].iloc[0], again.equity["upper"].iloc[0], rtol=0.1
    )


def test_stored_draws_are_the_posterior(paths):
    for path, first in zip(paths, fits(), strict=True):
        again = cx.load(path)
        every, stored = first.posterior(4000), again.posterior(4000)
        assert sorted(map(tuple, stored.values)) == sorted(map(tuple, every.values))
        assert again.posterior(100, seed=3).values.shape == (100, first.theta.size)
        same = again.posterior(100, seed=3).values, again.posterior(100, seed=3).values
        assert (same[0] == same[1]).all()


def test_a_loaded_model_can_be_saved_again(paths, tmp_path):
    for path in paths:
        again = cx.load(cx.load(path).save(tmp_path / "again.json"))
        first = cx.load(path)
        assert again.theta.tolist() == first.theta.tolist()
        assert sorted(map(tuple, again.stored.values)) == sorted(map(tuple, first.stored.values))


def test_what_needs_data_says_so(paths):
    fit = cx.load(paths[0])
    with pytest.raises(OptionError, match="no data"):
        fit.posterior(prior=NormalPrior())
    with pytest.raises(OptionError):
        fit.interval("profile")
    assert fit.interval("posterior").shape == (4, 2)


def test_the_file_is_strict_json(paths):
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert "NaN" not in text
        assert "Infinity" not in text
        stored = json.loads(text)
        assert stored["format"] == "cxmodels-model"
        assert stored["version"] == 2
        assert len(stored["draws"]["values"]) == 4000


def test_saving_twice_gives_the_same_bytes(tmp_path):
    first = fits()[0].save(tmp_path / "a.json").read_bytes()
    assert fits()[0].save(tmp_path / "b.json").read_bytes() == first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "not a JSON file"),
        ("[1, 2]", "not a model saved by cxmodels"),
        ('{"format": "other"}', "not a model saved by cxmodels"),
        ('{"format": "cxmodels-model", "version": 99}', "format version 99"),
        ('{"format": "cxmodels-model", "version": "1"}', "format version 1"),
        ('{"format": "cxmodels-model", "version": 1, "kind": "churn"}', "'churn'"),
        ('{"format": "cxmodels-model", "version": 1, "kind": "spend"}', "missing or broken"),
        (
            '{"format": "cxmodels-model", "version": 1, "kind": "purchases", "family": "X"}',
            "missing or broken",
        ),
    ],
)
def test_a_file_that_is_no_model(tmp_path, text, words):
    path = tmp_path / "model.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        cx.load(path)


@pytest.mark.parametrize("name", ["estimate", "draws", "unit", "repeaters"])
def test_a_model_with_a_part_torn_out(paths, tmp_path, name):
    stored = json.loads(paths[0].read_text(encoding="utf-8"))
    del stored[name]
    path = tmp_path / "torn.json"
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(DataError, match="missing or broken"):
        cx.load(path)


def test_values_of_the_wrong_type(paths, tmp_path):
    stored = json.loads(paths[0].read_text(encoding="utf-8"))
    for name, wrong in (("unit", "fortnight"), ("end", "yesterday"), ("estimate", [1, 2])):
        path = tmp_path / "wrong.json"
        path.write_text(json.dumps({**stored, name: wrong}), encoding="utf-8")
        with pytest.raises(cx.CxError):
            cx.load(path)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        cx.load(tmp_path / "none.json")
    with pytest.raises(DataError):
        cx.load(tmp_path)
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(DataError, match="not a JSON file"):
        cx.load(binary)


@pytest.mark.parametrize("n", [1.5, -1, [0, float("nan")], "a", None])
def test_counts_are_whole_numbers(n):
    fit, _ = fits()
    for ask in (fit.pmf, lambda n, horizon: fit.conditional_pmf(n, some(), horizon=horizon)):
        with pytest.raises(OptionError, match="n counts purchases"):
            ask(n, horizon="39W")


def test_one_draw_has_no_spread_and_no_warning():
    fit, _ = fits()
    assert np.isnan(fit.posterior(1).interval()["std_dev"]).all()
