"""BG/CNBD-k and MBG/CNBD-k: what peers print, and what a simulated log gives back.

Source: the CDNOW demonstration of R BTYDplus 1.2.0 (demo/cdnow.R): no regularity, k = 1, where
MBG/CNBD-k is MBG/NBD; its own test (tests/testthat/test-mbg-cnbd-k.R) recovers k = 3 and the other
parameters from (3, .85, 1.45, .79, 2.42).
"""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx

TRUTH = np.array([0.85, 1.45, 0.79, 2.42])
ASKED = {"customer": "customer_id", "time": "date", "amount": "amount", "end": "1997-09-30"}


@pytest.fixture(scope="module")
def cdnow():
    return cx.customer_base(
        cx.samples.cdnow(), holdout_end="1998-06-30", regularity=True, currency="USD", **ASKED
    )


def walked(k: int, customers: int, weeks: float, first: bool, seed: int) -> pd.DataFrame:
    """A log told customer by customer, purchase by purchase: not the package's simulation."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        lam, p = rng.gamma(TRUTH[0], 1 / TRUTH[1]), rng.beta(TRUTH[2], TRUTH[3])
        clock, gone = 0.0, first and rng.random() < p
        rows.append((customer, clock))
        while not gone:
            clock += rng.exponential(1 / lam, k).sum()
            if clock > weeks:
                break
            rows.append((customer, clock))
            gone = rng.random() < p
    log = pd.DataFrame(rows, columns=["who", "week"])
    microseconds = (log["week"] * 7 * 86_400e6).round().astype("int64")
    return log.assign(when=pd.Timestamp("2020-01-06") + pd.to_timedelta(microseconds, unit="us"))


def base_of(log: pd.DataFrame) -> "cx.CustomerBase":
    return cx.customer_base(
        log, customer="who", time="when", collapse="none", end="2021-06-20", regularity=True
    )


@pytest.mark.parametrize("family", [cx.BGCNBD, cx.MBGCNBD])
def test_cdnow_is_not_regular(cdnow, family):
    fit = family().fit(cdnow)
    assert fit.family.k == 1
    plain = (cx.BGNBD if family is cx.BGCNBD else cx.MBGNBD)().fit(cdnow)
    assert fit.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-6)
    np.testing.assert_allclose(fit.theta, plain.theta, rtol=1e-5)
    assert "k = 1 was chosen" in fit.notes[0]


@pytest.mark.parametrize(("family", "k"), [(cx.MBGCNBD, 3), (cx.BGCNBD, 2)])
def test_k_and_parameters_come_back(family, k):
    log = walked(k, 2500, 75.0, family is cx.MBGCNBD, seed=k)
    base = base_of(log)
    fit = family().fit(base)
    assert fit.family.k == k
    found = fit.parameters
    assert (((found["estimate"] - TRUTH) / found["std_error"]).abs() < 3.5).all(), found
    table = cx.regularity(base, level=0.99).set_index("method")
    pairs = table.loc["pairs of intervals"]
    assert pairs["lower"] < k < pairs["upper"] < k + 1
    assert table.loc[fit.family.name, ["k", "lower", "upper"]].tolist() == [k, k, k]


def test_intervals_of_the_log(cdnow):
    log = cx.samples.cdnow()
    log = log.assign(day=pd.to_datetime(log["date"]))
    log = log[log["day"] <= "1997-09-30"].drop_duplicates(["customer_id", "day"])
    gaps = log.sort_values("day").groupby("customer_id")["day"].diff().dt.days / 7
    sums = np.log(gaps).groupby(log["customer_id"]).sum()
    found = cdnow.table.set_index("customer_id")["log_interval_sum"]
    assert np.abs(found - sums.reindex(found.index).fillna(0.0)).max() < 1e-9
    last = gaps.dropna().groupby(log["customer_id"]).apply(lambda d: d.to_list()[-2:])
    share = last[last.map(len) == 2].map(lambda d: d[0] / (d[0] + d[1]))
    given = cdnow.table.set_index("customer_id")["interval_share"].dropna()
    assert np.abs(given - share.reindex(given.index)).max() < 1e-12
    assert len(given) == len(share)


def test_without_intervals_a_given_k_still_fits(cdnow):
    columns = ["customer_id", "frequency", "recency", "T"]
    bare = cx.CustomerBase.from_summary(cdnow.table[columns], unit="week")
    with pytest.raises(cx.DataError, match="regularity=True"):
        cx.BGCNBD().fit(bare)
    with pytest.raises(cx.DataError, match="regularity=True"):
        cx.regularity(bare)
    fit, full = cx.BGCNBD(k=2).fit(bare), cx.BGCNBD(k=2).fit(cdnow)
    np.testing.assert_allclose(fit.theta, full.theta, rtol=1e-6)
    assert "same k only" in fit.notes[0]
    assert not any("same k only" in note for note in full.notes)
    kept = cx.CustomerBase.from_summary(
        cdnow.table[[*columns, "log_interval_sum", "interval_share"]], unit="week"
    )
    again = cx.BGCNBD(k=2).fit(kept)
    assert again.log_likelihood == pytest.approx(full.log_likelihood, abs=1e-6)


@pytest.mark.parametrize("k", [0, 25, 1.5, True, "2"])
def test_k_is_a_whole_number(k):
    with pytest.raises(cx.OptionError, match="whole number"):
        cx.BGCNBD(k=k)


def test_no_formulas_before_k_is_known():
    with pytest.raises(cx.OptionError, match="before it is fitted"):
        cx.MBGCNBD().survival(TRUTH, np.float64(1.0))


@pytest.mark.parametrize("family", [cx.MBGNBD(), cx.BGCNBD(k=2), cx.MBGCNBD(k=3)])
def test_everything_a_fit_is_asked(cdnow, family, tmp_path):
    fit, spend = family.fit(cdnow), cx.GammaGamma().fit(cdnow)
    predicted = fit.predict(cdnow, horizon="39W", draws=40)
    held = cx.holdout_summary(fit, cdnow, draws=40).set_index("metric")["value"]
    assert predicted["expected_purchases"].sum() == pytest.approx(held["expected purchases"])
    assert predicted.notna().all(axis=None)
    table = cx.frequency_table(fit, cdnow, draws=20)
    assert table["expected"].sum() == pytest.approx(2357)
    tracked = cx.tracking(fit, cdnow, draws=20)
    assert (tracked["expected"] > 0).all()
    value = cx.lifetime_value(
        fit, spend, cdnow, horizon="36M", discount_rate=0.1, margin=0.3, draws=40
    )
    assert np.isfinite(value.customers["residual_value"]).all()
    present = cx.discounted_purchases(fit, cdnow, horizon="39W", discount_rate=0.0)
    assert present["discounted_purchases"].sum() == pytest.approx(
        predicted["expected_purchases"].sum(), rel=1e-7
    )
    new = cx.discounted_purchases(fit, horizon="39W", discount_rate=0.0)
    expected = float(fit.new_customer(horizon="39W")["expected_purchases"].iloc[0])
    assert new["discounted_purchases"].iloc[0] == pytest.approx(expected, rel=1e-7)
    fit.save(tmp_path / "fit.json")
    back = cx.load(tmp_path / "fit.json")
    assert back.family == fit.family
    assert back.notes == fit.notes
    pmf = fit.pmf(np.arange(300), horizon="10W", start="20W")
    assert pmf.sum() == pytest.approx(1.0, abs=1e-9)
