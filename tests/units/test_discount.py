"""Present values: every timing, horizon and unit against 30-digit integrals and plain sums."""

from datetime import date

import mpmath
import numpy as np
import pandas as pd
import pytest

from cxmodels.data.units import TimeUnit
from cxmodels.errors import OptionError
from cxmodels.value.discount import DiscountCurve, Payment

WEEK = TimeUnit.WEEK
TIMINGS = ("start", "middle", "end")
TIMED = [("start", 0.0), ("middle", 0.5), ("end", 1.0)]  # share of the month that has passed
MONTH = 365.2425 / 12 / 7  # weeks


def curve(horizon="52W", rate=0.1, unit=WEEK, payment="continuous", start=None):
    return DiscountCurve.of(horizon=horizon, rate=rate, unit=unit, payment=payment, start=start)


def power(s, c=3.7, k=1.3):
    """A purchase rate like that of a customer with gamma-distributed rates and drop-out."""
    return (1 + s / c) ** -k


def power_integral(low, high, c=3.7, k=1.3):
    return c / (1 - k) * ((1 + high / c) ** (1 - k) - (1 + low / c) ** (1 - k))


def by_scheme(found: DiscountCurve, function=power, resolution=3.7) -> float:
    scheme = found.scheme(resolution)
    return float(function(scheme.times) @ scheme.weights[:, 0])


@pytest.mark.parametrize("unit", list(TimeUnit))
def test_a_rate_is_annual_and_effective(unit):
    years = np.array([0.0, 0.5, 1.0, 3.0])
    found = curve("9Y", 0.1, unit).factor(years * unit.per_year)
    np.testing.assert_allclose(found, 1.1**-years, rtol=1e-13)


def test_ten_per_cent_is_a_tenth_a_year_not_a_week():
    assert curve().factor(np.array([52.0]))[0] == pytest.approx(1.1 ** (-364 / 365.2425), rel=1e-13)


def test_other_rates_than_the_curves_own():
    s = np.array([10.0, 20.0])
    found = curve(rate=0.1).factor(s, rate=np.array([0.2, 0.0]))
    np.testing.assert_allclose(found, [1.2 ** (-70 / 365.2425), 1.0], rtol=1e-13)


def test_nothing_counts_after_the_horizon():
    found = curve("20W").factor(np.array([0.0, 20.0, 20.001]))
    assert found[0] == 1.0
    assert found[1] > 0.9
    assert found[2] == 0.0


@pytest.mark.parametrize(("timing", "share"), TIMED)
def test_timing_within_average_months(timing, share):
    s = np.array([0.0, 0.4, 0.99, 1.01, 1.7, 25.3]) * MONTH
    paid = (np.floor(s / MONTH) + share) * MONTH
    expected = 1.1 ** (-paid * 7 / 365.2425)
    found = curve("4Y", payment=timing).factor(s)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("timing", "share"), TIMED)
@pytest.mark.parametrize("start", [date(2023, 1, 31), date(2024, 2, 29), date(1997, 9, 30)])
def test_timing_within_calendar_months(timing, share, start):
    edges = pd.to_datetime([pd.Timestamp(start) + pd.DateOffset(months=k) for k in range(60)])
    days = (edges - pd.Timestamp(start)).days.to_numpy(dtype=float)
    s = np.array([0.5, 27.5, 28.5, 59.5, 400.5, 1400.25])
    place = np.searchsorted(days, s) - 1
    paid = days[place] + share * (days[place + 1] - days[place])
    found = curve("4Y", unit=TimeUnit.DAY, payment=timing, start=start).factor(s)
    np.testing.assert_allclose(found, 1.1 ** (-paid / 365.2425), rtol=1e-12)


def test_months_go_on_beyond_the_calendar():
    edges = curve(None, 0.001, TimeUnit.YEAR, "end", date(9990, 5, 5)).months(50.0)
    assert edges[0] == 0.0
    assert (np.diff(edges) > 0).all()
    np.testing.assert_allclose(np.diff(edges), 1 / 12, rtol=1e-9)


@pytest.mark.parametrize("horizon", ["1W", "26W", "52W", "30Y", None])
@pytest.mark.parametrize("rate", [0.03, 0.1, 0.9])
def test_continuous_payment_against_thirty_digits(horizon, rate):
    found = curve(horizon, rate)
    with mpmath.workdps(30):
        force = mpmath.log(1 + mpmath.mpf(rate)) * 7 / mpmath.mpf("365.2425")
        end = mpmath.inf if horizon is None else mpmath.mpf(found.length)
        panels = [0, *(mpmath.mpf(s) for s in (3, 30, 300, 3000, 30000) if s < end), end]
        exact = mpmath.quad(
            lambda s: mpmath.exp(-force * s) * (1 + s / mpmath.mpf(3.7)) ** mpmath.mpf(-1.3), panels
        )
    assert by_scheme(found) == pytest.approx(float(exact), rel=1e-8)


@pytest.mark.parametrize("horizon", ["3W", "52W", "5Y", None])
@pytest.mark.parametrize(("timing", "share"), TIMED)
def test_monthly_payment_against_a_plain_sum(horizon, timing, share):
    found = curve(horizon, payment=timing)
    k = np.arange(5000)
    low, high = k * MONTH, np.minimum((k + 1) * MONTH, found.length)
    used = low < found.length
    worth = 1.1 ** (-(k + share) / 12)
    exact = (worth * power_integral(low, high))[used].sum()
    assert by_scheme(found) == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("start", [date(2023, 1, 31), date(1997, 9, 30)])
def test_calendar_months_against_a_plain_sum(start):
    found = curve("24M", unit=TimeUnit.DAY, payment="end", start=start)
    edges = pd.to_datetime([pd.Timestamp(start) + pd.DateOffset(months=k) for k in range(25)])
    days = (edges - pd.Timestamp(start)).days.to_numpy(dtype=float)
    assert found.length == days[24]
    exact = (1.1 ** (-days[1:] / 365.2425) * power_integral(days[:-1], days[1:], c=26.0)).sum()
    scheme = found.scheme(26.0)
    assert power(scheme.times, c=26.0) @ scheme.weights[:, 0] == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("payment", ["continuous", *TIMINGS])
def test_rate_zero_is_a_plain_integral(payment):
    assert by_scheme(curve("78W", 0.0, payment=payment)) == pytest.approx(
        power_integral(0.0, 78.0), rel=1e-9
    )


@pytest.mark.parametrize("payment", ["continuous", *TIMINGS])
def test_horizon_zero_is_worth_nothing(payment):
    assert by_scheme(curve("0W", payment=payment)) == 0.0


@pytest.mark.parametrize("scale", [1 / 168, 1.0, 7.0, 365.0])
def test_rates_of_all_tempos_are_integrated(scale):
    """A rate that falls within an hour, and one that hardly falls: the same eight digits."""
    found, c = curve("2Y"), 3.7 * scale
    exact = float(
        mpmath.quad(
            lambda s: mpmath.exp(-found.force * s) * (1 + s / c) ** -1.3,
            [
                0,
                c / 10,
                *(c * 3.0**k for k in range(12) if c * 3.0**k < found.length),
                found.length,
            ],
        )
    )
    assert by_scheme(found, lambda s: power(s, c=c), c) == pytest.approx(exact, rel=1e-8)


def test_several_rates_at_once_equal_one_by_one():
    found, rates = curve("3Y", payment="middle"), np.array([0.02, 0.1, 0.4])
    together = found.scheme(3.7, rates)
    values = power(together.times) @ together.weights
    alone = [by_scheme(curve("3Y", rate, payment="middle")) for rate in rates]
    np.testing.assert_allclose(values, alone, rtol=1e-8)


def test_several_rates_over_all_future():
    found, rates = curve(None, 0.1), np.array([0.05, 0.1, 0.4])
    together = found.scheme(3.7, rates)
    alone = [by_scheme(curve(None, rate)) for rate in rates]
    np.testing.assert_allclose(power(together.times) @ together.weights, alone, rtol=1e-8)


def test_few_nodes_are_good_enough_for_draws():
    rough = curve("3Y").scheme(3.7, nodes=6)
    exact = by_scheme(curve("3Y"))
    assert power(rough.times) @ rough.weights[:, 0] == pytest.approx(exact, rel=1e-4)


def test_early_money_is_worth_more():
    values = [by_scheme(curve("2Y", payment=payment)) for payment in ("start", "middle", "end")]
    between = by_scheme(curve("2Y"))
    assert values[0] > between > values[2]
    assert values[0] > values[1] > values[2]
    assert values[1] == pytest.approx(between, rel=1e-3)


def test_higher_rates_and_shorter_horizons_lower_the_value():
    assert by_scheme(curve(rate=0.05)) > by_scheme(curve(rate=0.2))
    assert by_scheme(curve("60W")) > by_scheme(curve("52W"))


def test_horizons_follow_the_calendar_where_it_is_known():
    assert curve("12M", start=date(1997, 9, 30)).length == pytest.approx(365 / 7)
    assert curve("12M", start=date(2023, 9, 30)).length == pytest.approx(366 / 7)
    assert curve("12M").length == pytest.approx(365.2425 / 7)
    assert curve("12M", unit=TimeUnit.MONTH).length == 12.0


@pytest.mark.parametrize("rate", [-0.01, 10.0, 12, float("nan"), float("inf")])
def test_a_rate_that_makes_no_sense(rate):
    with pytest.raises(OptionError, match=r"0\.10 for 10 per cent a year"):
        curve(rate=rate)


def test_an_infinite_horizon_needs_a_rate():
    with pytest.raises(OptionError, match="infinite horizon needs a discount_rate above 0"):
        curve(None, 0.0)


def test_words_that_are_no_timing_or_horizon():
    with pytest.raises(OptionError, match="'late' is not one of continuous, start, middle, end"):
        curve(payment="late")
    with pytest.raises(OptionError, match="'52'"):
        curve("52")
    assert Payment.parse(Payment.END) is Payment.parse(" End ") is Payment.END
