"""What covariates and their formulas may be, and what is refused: in words, with counts."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import cxmodels as cx
from cxmodels.data.covariates import Variable, distinct, read, record
from cxmodels.data.formulas import read_formula


def table(**columns):
    size = len(next(iter(columns.values())))
    frame = pd.DataFrame({"frequency": 1, "recency": 2.0, "T": 9.0}, index=range(size))
    return cx.CustomerBase.from_summary(frame.assign(**columns), covariates=list(columns)).table


def refused(error, what, *args, **kwargs):
    with pytest.raises(error) as caught:
        what(*args, **kwargs)
    return str(caught.value)


def test_levels_are_recorded_in_order():
    seen = table(
        text=["b", "a", "b"],
        ordered=pd.Categorical(["low", "high", "low"], categories=["low", "mid", "high"]),
        yes=[True, False, True],
        number=[1, 2, 3],
        coded=[30, 4, 30],
    )
    found = record(seen, ["text", "ordered", "yes", "number", "coded"], ["coded"])
    assert found == (
        Variable("text", ("a", "b")),
        Variable("ordered", ("low", "high")),
        Variable("yes", (False, True)),
        Variable("number"),
        Variable("coded", (4, 30)),
    )


def test_all_problems_are_told_with_counts_and_the_first_customer():
    variables = record(table(channel=["web", "store"], score=[1.0, 2.5]), ["channel", "score"], [])
    new = table(channel=["fax", "web", None, "fax"], score=[1.0, np.nan, np.inf, 2.0])
    said = refused(cx.DataError, read, new, variables)
    assert "channel is missing (1 row); first: customer 2" in said
    assert (
        "channel has a level that the fit has not seen (2 rows); first: customer 0: 'fax'" in said
    )
    assert "Known: 'store', 'web'" in said
    assert "score is missing (1 row); first: customer 1" in said
    assert "score is not a finite number (1 row); first: customer 2: inf" in said
    said = refused(cx.DataError, read, new.drop(columns="score"), variables)
    assert "no column 'score', which the fit used" in said
    said = refused(cx.DataError, read, new.assign(score=["1", "x", "2", "3"]), variables)
    assert "score is not a finite number (1 row); first: customer 1: 'x'" in said


def test_what_cannot_be_a_covariate_is_told_at_the_fit():
    assert "first: customer 1" in refused(
        cx.DataError, record, table(score=[1.0, np.nan]), ["score"], []
    )
    days = table(day=pd.to_datetime(["2024-01-01", "2024-01-02"]))
    assert "neither a number nor a category" in refused(cx.DataError, record, days, ["day"], [])
    many = table(who=[f"id-{n}" for n in range(300)])
    assert "300 levels" in refused(cx.DataError, record, many, ["who"], [])
    mixed = table(odd=["a", 1])
    assert "mixes text and numbers" in refused(cx.DataError, record, mixed, ["odd"], [])
    assert "covariates=[...]" in refused(cx.DataError, record, many, ["age"], [])


def test_kinds_of_customers_are_told_apart():
    frame = pd.DataFrame({"a": ["x", "y", "x", "x"], "b": [1.0, 1.0, 2.0, 1.0]})
    kind, first = distinct(frame)
    assert kind.tolist() == [0, 1, 2, 0]
    assert first.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "names", "categories"),
    [
        ("~ channel + satisfaction", ("channel", "satisfaction"), ()),
        ("channel * log(age)", ("channel", "age"), ()),
        ("~ C(store, contr.treatment('b')):age", ("store", "age"), ("store",)),
        ("~ `first order` + sqrt(age)", ("first order", "age"), ()),
        ("~ 1", (), ()),
    ],
)
def test_formulas_that_are_read(text, names, categories):
    found = read_formula(text, "purchase")
    assert set(found.variables) == set(names)
    assert found.categories == categories


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("~ channel +", "cannot be read"),
        ("~ (channel", "cannot be read"),
        ("frequency ~ channel", "one side"),
        ("~ a | b", "one side"),
        ("~ channel - 1", "leave out - 1"),
        ("~ 0 + channel", "leave out - 1"),
        ("~ scale(age)", "may use"),
        ("~ I(age)", "may use"),
        ("~ {age**2}", "may use"),
        ("~ np.log(age)", "may use"),
        ("~ log(__import__('os').getcwd())", "may use"),
        ("~ log([x for x in age])", "may use"),
        ("~ C(age, lambda: 1)", "may use"),
        (7, "takes a formula"),
    ],
)
def test_formulas_that_are_refused(text, words):
    said = refused(cx.OptionError, read_formula, text, "purchase")
    assert words in said
    assert "\x1b" not in said


@pytest.fixture(scope="module")
def base():
    rng = np.random.default_rng(4)
    x = rng.poisson(1.5, 80)
    T = rng.uniform(20, 40, 80).round(1)
    frame = pd.DataFrame({"frequency": x, "recency": np.where(x > 0, T * 0.6, 0.0), "T": T})
    frame["age"] = rng.integers(20, 60, 80)
    frame["months"] = 12 * frame["age"]
    frame["same"] = 3.0
    frame["zero"] = rng.integers(0, 3, 80)
    frame["channel"] = rng.choice(["web", "store"], 80)
    frame["shop"] = frame["channel"].map({"web": "online", "store": "street"})
    names = ["age", "months", "same", "zero", "channel", "shop"]
    return cx.CustomerBase.from_summary(frame, covariates=names)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"purchase": "~ same"}, cx.DataError, "same is the same for every customer"),
        ({"purchase": "~ age + months"}, cx.DataError, "can be worked out from"),
        ({"dropout": "~ channel + shop"}, cx.DataError, "can be worked out from"),
        ({"purchase": "~ log(zero)"}, cx.DataError, "log(zero) is not finite"),
        ({"purchase": "~ height"}, cx.DataError, "no column 'height'"),
        ({"purchase": "~ age", "equal": ("age",)}, cx.OptionError, "not a term of both"),
        (
            {"purchase": "~ age", "dropout": "~ age", "equal": ("channel",)},
            cx.OptionError,
            "those of both: age",
        ),
        ({"equal": "age"}, cx.OptionError, "needs a formula"),
        ({"purchase": "~ age", "equal": 3}, cx.OptionError, "names terms of both"),
        ({"penalty": 1.0}, cx.OptionError, "there are none"),
        ({"purchase": "~ age", "penalty": -1.0}, cx.OptionError, "0 or more"),
        ({"purchase": "~ age", "penalty": np.nan}, cx.OptionError, "0 or more"),
        ({"purchase": "~ age", "penalty": "much"}, cx.OptionError, "is a number"),
        ({"prior": 3.0}, cx.OptionError, "cx.NormalPrior"),
        ({"prior": cx.NormalPrior(sd=np.ones(3))}, cx.OptionError, "each of the 4 parameters"),
        (
            {"purchase": "~ age", "penalty": 1.0, "prior": cx.NormalPrior()},
            cx.OptionError,
            "give one of them",
        ),
    ],
)
def test_what_a_fit_cannot_use_is_said(base, asked, error, words):
    assert words in refused(error, cx.BGNBD().fit, base, **asked)


def test_the_doubled_column_is_named(base):
    said = refused(cx.DataError, cx.BGNBD().fit, base, purchase="~ age + months + channel")
    assert "age can be worked out" in said or "months can be worked out" in said


def test_a_formula_without_columns_is_no_formula(base):
    plain, empty = cx.BGNBD().fit(base), cx.BGNBD().fit(base, purchase="~ 1")
    assert empty.log_likelihood == plain.log_likelihood
    assert empty.family == plain.family


KINDS = pd.DataFrame({"who": [2, 0, 1, 9], "channel": ["c", "a", "b", "z"], "score": range(4)})


@pytest.fixture(scope="module")
def three():
    frame = pd.DataFrame({"frequency": [1, 0, 2], "recency": [2.0, 0, 3], "T": [9.0, 9, 9]})
    return cx.CustomerBase.from_summary(frame)


def test_rows_find_their_customers(three):
    joined = three.with_covariates(KINDS, on="who")
    assert joined.table["channel"].tolist() == ["a", "b", "c"]
    assert joined.covariates == ("channel", "score")
    assert three.covariates == ()
    assert "channel" not in three.table
    assert joined.profiles is three.profiles


def test_any_table_will_do(three, tmp_path):
    KINDS.to_parquet(tmp_path / "kinds.parquet")
    for given in (pl.from_pandas(KINDS), str(tmp_path / "kinds.parquet")):
        joined = three.with_covariates(given, on="who")
        assert joined.table["channel"].tolist() == ["a", "b", "c"]


def test_what_does_not_fit_is_told(three):
    join = three.with_covariates
    assert "not in the frame (2 rows); first: customer 1" in refused(
        cx.DataError, join, KINDS.query("who != 1 and who != 2"), on="who"
    )
    text = KINDS.assign(who=KINDS["who"].astype(str))
    assert "None was found" in refused(cx.DataError, join, text, on="who")
    twice = pd.concat([KINDS, KINDS.head(1)])
    assert "more than once" in refused(cx.DataError, join, twice, on="who")
    assert "no column 'customer_id'" in refused(cx.DataError, join, KINDS)
    assert "nothing to join" in refused(cx.OptionError, join, KINDS[["who"]], on="who")
    taken = KINDS.rename(columns={"score": "T"})
    assert "has the name" in refused(cx.OptionError, join, taken, on="who")
    joined = three.with_covariates(KINDS, on="who")
    assert "already" in refused(cx.OptionError, joined.with_covariates, KINDS, on="who")
