"""Event studies on simulated returns: what is planted is found, and tests keep their size."""

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels.data.returns import Returns, returns_of
from cxmodels.shareholders.event_study import event_study

DAYS = pd.bdate_range("2022-01-03", periods=420)


def world(
    rng: np.random.Generator, firms: int = 30, common: float = 0.0, t: int = 420
) -> tuple[Returns, pd.Series]:
    """SIMULATED daily returns: market, firms with betas, residuals that a trade may share."""
    m = 0.01 * rng.standard_normal(t)
    beta = rng.uniform(0.6, 1.4, firms)
    e = 0.02 * (np.sqrt(common) * rng.standard_normal((t, 1))
                + np.sqrt(1 - common) * rng.standard_normal((t, firms)))  # fmt: skip
    names = tuple(f"f{place}" for place in range(firms))
    return Returns(m[:, None] * beta + e, DAYS[:t].to_numpy(), names, ()), pd.Series(m, DAYS[:t])


def events(returns: Returns, days: list[int]) -> pd.DataFrame:
    dates = [DAYS[days[place % len(days)]] for place in range(len(returns.assets))]
    return pd.DataFrame({"asset": returns.assets, "date": dates})


def test_what_is_planted_is_found():
    rng = np.random.default_rng(1)
    returns, market = world(rng, 80)
    told = events(returns, list(range(300, 380)))
    at = [DAYS.get_loc(day) for day in told["date"]]
    returns.values[at, range(80)] += 0.02
    found = event_study(returns, told, market=market, window=(-2, 2), windows={"day": (0, 0)})
    row = found.windows.iloc[0]
    assert row["lower"] < 0.02 < row["upper"]
    assert row[["t", "patell", "bmp", "rank", "sign"]].astype(float).min() > 4
    quiet = found.days.set_index("day").drop(index=0)
    assert quiet[["patell", "bmp", "rank", "sign"]].astype(float).abs().to_numpy().max() < 4
    assert row["detectable"] == pytest.approx(2.80 * (row["upper"] - row["mean"]) / 1.664, rel=0.01)


def sizes(studies):
    """Shares of studies without an effect in which each test rejects at 5 per cent."""
    shares = {}
    for case, common, days in (("apart", 0.0, list(range(300, 330))), ("one day", 0.2, [310])):
        rng = np.random.default_rng(2)
        low = dict.fromkeys(("patell", "bmp", "kolari_pynnonen", "rank", "sign"), 0)
        for _ in range(studies):
            returns, market = world(rng, common=common)
            row = event_study(
                returns, events(returns, days), market=market, window=(0, 0),
                estimation=(-120, -11),
            ).windows.iloc[0]  # fmt: skip
            for name in low:
                low[name] += row[f"{name}_p"] < 0.05
        shares[case] = {name: count / studies for name, count in low.items()}
    return shares


def test_sizes_where_events_are_independent_and_where_they_are_not():
    """Residuals that go together on one day fool all tests but one."""
    shares = sizes(120)
    for name, share in shares["apart"].items():
        assert 0.008 <= share <= 0.11, (name, shares)  # beyond with p = .004
    assert shares["one day"]["patell"] > 0.25 and shares["one day"]["bmp"] > 0.25
    assert shares["one day"]["kolari_pynnonen"] <= 0.12, shares


@pytest.mark.slow
def test_sizes_to_their_error():
    """1,000 studies: standard error .007 at 5 per cent."""
    shares = sizes(1_000)
    print(shares)
    for name, share in shares["apart"].items():
        assert 0.029 <= share <= 0.071, (name, shares)
    assert shares["one day"]["kolari_pynnonen"] <= 0.09, shares


def test_models():
    rng = np.random.default_rng(3)
    returns, market = world(rng, 40)
    told = events(returns, [320, 340])
    factors = pd.DataFrame({"m": market})
    one = event_study(returns, told, market=market)
    same = event_study(returns, told, factors=factors, model="factors")
    assert one.days.equals(same.days)
    for model in ("mean", "market adjusted"):
        other = event_study(returns, told, market=market, model=model)
        assert np.isfinite(other.days["mean"]).all()
    row = one.events.iloc[0]
    rows = DAYS.get_loc(row["day0"]) + np.arange(-250, -10)
    y, m = returns.values[rows, 0], market.to_numpy()[rows]
    b = np.polyfit(m, y, 1)
    at = DAYS.get_loc(row["day0"]) + np.arange(-1, 2)
    expected = np.polyval(b, market.to_numpy()[at])
    assert row["car"] == pytest.approx((returns.values[at, 0] - expected).sum())
    held = np.prod(1 + returns.values[at, 0]) - np.prod(1 + expected)
    assert row["bhar"] == pytest.approx(held)


def test_events_are_counted():
    rng = np.random.default_rng(4)
    returns, market = world(rng, 10)
    told = pd.DataFrame({
        "asset": ["f0", "f1", "f2", "ghost", "f3", "f4"],
        "date": ["2023-05-06", "2023-05-08", "2022-01-10", "2023-05-08", "soon", "2023-08-11"],
    })  # fmt: skip
    returns.values[DAYS.get_loc(pd.Timestamp("2023-05-08")), 1] = np.nan
    told.loc[len(told)] = ["f5", "2023-05-08"]
    found = event_study(returns, told, market=market)
    what = found.reconciliation.set_index("asset")["what"]
    assert what["f0"] == "used"  # a Saturday: the Monday after it
    assert found.events.loc[0, "day0"] == pd.Timestamp("2023-05-08")
    assert "a return is missing" in what["f1"] and "fewer than 30" in what["f2"]
    assert "unknown asset" in what["ghost"] and "no date" in what["f3"]
    assert "outside" in what["f4"] or what["f4"] == "used"


def test_the_door_of_returns():
    table = pd.DataFrame({"asset": ["a", "a", "a", "b", "b"], "date": [
        "2024-01-01", "2024-01-02", "2024-01-03", "2024-01-01", "2024-01-03"],
        "price": [100.0, 110.0, 99.0, 50.0, 60.0]})  # fmt: skip
    found = returns_of(table, value="price", kind="price")
    assert found.values[1:, 0].tolist() == pytest.approx([0.1, -0.1])
    assert np.isnan(found.values[:, 1]).all() and "span days" in found.notes[0]
    shares = returns_of(table.assign(price=[1, 2, 3, 4, 5]), value="price", kind="per cent")
    assert shares.values[0, 0] == 0.01
    wrong = table.assign(date=["x", *table["date"][1:]], price=[1.0, -3.0, 2.0, 1.0, 1.0])
    with pytest.raises(cx.DataError) as caught:
        returns_of(pd.concat([wrong, wrong.iloc[[4]]]), value="price", kind="price")
    for words in ("date is no day (1 row)", "two rows on one day (1 row)", "not above 0 (1 row)"):
        assert words in str(caught.value)
    with pytest.raises(cx.DataError, match="5 means five per cent"):
        returns_of(table.assign(price=20.0), value="price")
    with pytest.raises(cx.OptionError, match="kind"):
        returns_of(table, kind="log")


def test_refusals():
    returns, market = world(np.random.default_rng(5), 5)
    told = events(returns, [320])
    for words, more in (
        ("model", {"model": "capm"}), ("convention", {"convention": "R"}),
        ("must not know the event", {"estimation": (-100, 0)}), ("forward", {"window": (2, 1)}),
        ("needs market=", {"market": None}), ("no asset", {"market": "SPY"}),
        ("needs factors=", {"model": "factors"}), ("share no day", {"market": pd.Series(
            [0.1], ["1990-01-01"])}), ("outside", {"windows": {"late": (5, 9)}}),
    ):  # fmt: skip
        with pytest.raises(cx.OptionError, match=words):
            event_study(returns, told, **({"market": market} | more))
    with pytest.raises(cx.FitError, match="1 events can be used, 2 are needed"):
        event_study(returns, told.head(1), market=market)
