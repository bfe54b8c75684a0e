"""Assignment: the hash by hand, one arm in every engine, shares, independence, blocks, refusals."""

import hashlib
from itertools import pairwise
from math import sqrt

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy
import sqlglot

import cxmodels as cx
from cxmodels.experiments.assignment import assign, assignment_sql
from cxmodels.experiments.pairing import paired, whitened
from cxmodels.experiments.rerandomisation import rerandomise

ARMS, SHARES = ["control", "call", "gift"], [0.5, 0.2, 0.3]
HOSTILE = ["a", "a'b", 'q"q', "naïve", "Ω|x", "; DROP TABLE t", "a\\b", " a", "日本", "%s", "NULL"]


def share_of(text: str) -> float:
    """Where a text lies on [0, 1): hashlib's first 60 bits."""
    return int(hashlib.md5(text.encode("utf-8")).hexdigest()[:15], 16) / 2**60


def arm_of(key: object, salt: str, shares=SHARES, arms=ARMS) -> str:
    place = np.searchsorted(np.cumsum(shares)[:-1], share_of(f"{salt}|{key}"), side="right")
    return arms[int(place)]


def drawn(frame, **how):
    return assign(frame, arms=ARMS, shares=SHARES, **{"salt": "gift test", **how}).table


def test_the_hash_by_hand_and_what_ids_may_hold():
    found = drawn([*HOSTILE, *map(str, range(500))])
    assert found["arm"].tolist() == [arm_of(key, "gift test") for key in found["customer_id"]]
    assert found["customer_id"].tolist()[: len(HOSTILE)] == HOSTILE
    salted = drawn(HOSTILE, salt='it\'s \\ "odd"')["arm"].tolist()
    assert salted == [arm_of(key, 'it\'s \\ "odd"') for key in HOSTILE]


def test_one_arm_in_pandas_polars_and_sql_for_a_million():
    ids = np.arange(1_000_000) * 7 + 13
    pandas = drawn(pd.DataFrame({"customer_id": ids}))
    polars = drawn(pl.DataFrame({"customer_id": ids}))
    text = drawn(pd.Series(ids).astype(str))
    engine = duckdb.connect()
    engine.execute(
        "CREATE TABLE customers AS SELECT range * 7 + 13 AS customer_id FROM range(1000000)"
    )
    query = assignment_sql(table="customers", arms=ARMS, shares=SHARES, salt="gift test")
    sql = engine.execute(f"SELECT * FROM ({query}) AS q ORDER BY customer_id").fetchdf()
    for other in (polars, text, sql):
        assert (other["arm"].to_numpy() == pandas["arm"].to_numpy()).all()
    sample = pandas.sample(3_000, random_state=1)
    assert sample["arm"].tolist() == [arm_of(key, "gift test") for key in sample["customer_id"]]
    counts = pandas["arm"].value_counts()
    for arm, share in zip(ARMS, SHARES, strict=True):  # within 4 standard errors
        assert abs(counts[arm] / 1e6 - share) < 4 * sqrt(share * (1 - share) / 1e6)


def test_salts_give_independent_arms():
    salts = [f"test {k}" for k in range(30)]
    arms = [drawn(range(4_000), salt=salt)["arm"] for salt in salts]
    tables = [pd.crosstab(a, b) for a, b in pairwise(arms)]
    p = [scipy.stats.chi2_contingency(table, correction=False).pvalue for table in tables]
    assert scipy.stats.kstest(p, "uniform").pvalue > 0.001  # one in a thousand by chance
    fits = [scipy.stats.chisquare(a.value_counts()[ARMS], np.array(SHARES) * 4_000) for a in arms]
    assert scipy.stats.kstest([fit.pvalue for fit in fits], "uniform").pvalue > 0.001


def test_order_of_rows_and_other_units_do_not_matter():
    frame = pd.DataFrame({"customer_id": range(300), "x": np.sin(np.arange(300.0)),
                          "s": np.arange(300) % 7})  # fmt: skip
    mixed = frame.sample(frac=1.0, random_state=3)
    for how in ({}, {"strata": "s"}, {"cluster": "s"}):
        one, two = (drawn(t, **how).set_index("customer_id")["arm"] for t in (frame, mixed))
        assert (one == two.reindex(one.index)).all()
    some = drawn(frame.iloc[:50]).set_index("customer_id")["arm"]
    assert (some == drawn(frame).set_index("customer_id")["arm"].reindex(some.index)).all()
    pairs = [assign(t, arms=["a", "b"], salt="s", pairs="x").table for t in (frame, mixed)]
    one, two = (t.set_index("customer_id")["arm"] for t in pairs)
    assert (one == two.reindex(one.index)).all()


@pytest.mark.parametrize("cluster", [None, "team"])
def test_strata_hold_shares_to_one_and_each_unit_its_probability(cluster):
    frame = pd.DataFrame({"customer_id": range(110), "team": np.arange(110) // 2})
    frame["region"] = np.where(frame["team"] < 12, "north", "south")
    frame["size"] = np.where(frame["team"] % 2, 1.5, 2.5)
    total = np.zeros((110, 3))
    for salt in range(40):
        t = drawn(frame, salt=f"s{salt}", strata=["region", "size"], cluster=cluster)
        units = t if cluster is None else t.drop_duplicates("team")
        for _, block in units.groupby(["region", "size"]):
            counts = block["arm"].value_counts().reindex(ARMS, fill_value=0).to_numpy()
            assert (np.abs(counts - np.array(SHARES) * len(block)) < 1).all()
        if cluster:
            assert (t.groupby("team")["arm"].nunique() == 1).all()
        total += t["arm"].to_numpy()[:, None] == np.array(ARMS)
    share = total / 40
    assert np.abs(share - SHARES).max() < 4.5 * sqrt(0.25 / 40)
    assert share.mean(axis=0) == pytest.approx(SHARES, abs=0.02)


def test_strata_by_brute_force_and_as_sql():
    frame = pd.DataFrame({"id": [f"u{k}" for k in range(97)], "s": [k % 4 for k in range(97)]})
    frame["team"] = [f"t{k % 4}{k % 12}" for k in range(97)]
    for cluster in (None, "team"):
        found = drawn(frame, unit="id", strata="s", cluster=cluster, holdout=0.2)
        key = frame[cluster or "id"]
        hashes = key.map(lambda k: hashlib.md5(f"gift test|{k}".encode()).hexdigest())
        out = key.map(lambda k: share_of(f"hold-out|{k}") < 0.2)
        expected = pd.Series("hold-out", index=frame.index)
        for _, block in frame[~out].groupby("s"):
            inside = sorted(set(hashes[block.index]))
            u = (int(inside[0][16:22], 16) + 0.5) / 16**6
            for place, digest in enumerate(inside):
                arm = ARMS[int(np.searchsorted(np.cumsum(SHARES)[:-1], (place + u) / len(inside)))]
                expected[hashes.index[hashes == digest]] = arm
        expected[out] = "hold-out"
        assert (found["arm"] == expected).all()
        engine = duckdb.connect()
        engine.register("people", frame)
        made = assign(frame, arms=ARMS, shares=SHARES, salt="gift test", unit="id", strata="s",
                      cluster=cluster, holdout=0.2)  # fmt: skip
        sql = engine.execute(made.sql("people")).fetchdf().set_index("id")["arm"]
        assert (sql.reindex(found["id"]).to_numpy() == found["arm"].to_numpy()).all()


def test_the_hold_out_stays_and_is_drawn_first():
    ids = range(20_000)
    one, two = drawn(ids, holdout=0.1), drawn(ids, holdout=0.1, salt="next test")
    assert ((one["arm"] == "hold-out") == (two["arm"] == "hold-out")).all()
    assert abs((one["arm"] == "hold-out").mean() - 0.1) < 4 * sqrt(0.09 / 20_000)
    bare = drawn(ids)
    inside = one["arm"] != "hold-out"
    assert (one["arm"][inside] == bare["arm"][inside]).all()
    assert scipy.stats.chi2_contingency(pd.crosstab(~inside, bare["arm"])).pvalue > 0.001
    larger = drawn(ids, holdout=0.2)["arm"] == "hold-out"
    assert larger[~inside].all()  # who was held out at a tenth is so at a fifth


def test_pairs_are_near_and_split():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"customer_id": range(401), "x": rng.normal(size=401)})
    frame["z"] = frame["x"] * 2 + rng.normal(size=401)
    found = assign(frame, arms=["a", "b"], salt="p", pairs=["x", "z"], holdout=0.1)
    t = found.table.assign(x=frame["x"], z=frame["z"])
    t = t[t["arm"] != "hold-out"]
    size = t.groupby("pair")["arm"].agg(["size", "nunique"])
    assert (size["nunique"] == 2).all() and set(size["size"]) <= {2, 3}
    assert "standard deviations apart" in found.notes[0]
    spread = t.groupby("arm")[["x", "z"]].mean().diff().iloc[1].abs()
    assert (spread < 0.05).all()
    engine = duckdb.connect()
    engine.register("people", found.table)
    sql = engine.execute(found.sql("people")).fetchdf().set_index("customer_id")["arm"]
    assert (sql.reindex(found.table["customer_id"]).to_numpy() == found.table["arm"]).all()
    label, gap = paired(np.zeros((7, 1)))
    assert gap == 0.0 and sorted(np.bincount(label)) == [2, 2, 3]


def test_pairs_against_the_best_of_all():
    rng = np.random.default_rng(2)
    for _ in range(20):
        x = rng.normal(size=(8, 2))
        label, gap = paired(x)
        z = whitened(x)
        all_gaps = np.linalg.norm(z[:, None] - z[None], axis=2)
        best = min(_matchings(tuple(range(8)), all_gaps))
        assert best / 4 - 1e-12 <= gap < 2.5 * best / 4
        i, j = np.unravel_index(np.argmin(all_gaps + 9 * np.eye(8)), (8, 8))
        assert label[i] == label[j]  # the closest two of all are a pair


def _matchings(left, gaps):
    if not left:
        yield 0.0
        return
    for other in left[1:]:
        rest = tuple(k for k in left[1:] if k != other)
        yield from (gaps[left[0], other] + more for more in _matchings(rest, gaps))


def test_rerandomisation_accepts_what_it_says_and_balances():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"customer_id": range(150), "x": rng.gamma(2.0, size=150)})
    frame["z"] = frame["x"] + rng.normal(size=150)
    tried, gaps, plain = [], [], []
    for k in range(40):
        found = rerandomise(frame, arms=["a", "b"], salt=f"s{k}", balance=["x", "z"], accept=0.2)
        t = found.assigned.table.assign(x=frame["x"])
        gaps.append(t.groupby("arm")["x"].mean().diff().iloc[1])
        t["arm"] = assign(frame, arms=["a", "b"], salt=f"s{k}").table["arm"]
        plain.append(t.groupby("arm")["x"].mean().diff().iloc[1])
        tried.append(found.tried)
        again = assign(frame, arms=["a", "b"], salt=found.assigned.draw.salt).table
        assert (again["arm"] == found.assigned.table["arm"]).all()
    assert np.mean(tried) == pytest.approx(5.0, abs=4 * sqrt(0.8) / 0.2 / sqrt(40))
    left = np.var(gaps) / np.var(plain)  # an F of 39 and 39 degrees
    assert found.variance_left == pytest.approx(0.1075, abs=1e-3)  # chi2(4) over chi2(2) at 20 %
    assert found.variance_left / 2.5 < left < 2.5 * found.variance_left


def test_mahalanobis_by_hand():
    frame = pd.DataFrame({"customer_id": range(40), "x": np.arange(40.0) ** 1.5})
    frame["z"] = np.cos(np.arange(40.0))
    found = rerandomise(frame, arms=["a", "b"], salt="s", balance=["x", "z"], accept=0.5)
    arm = found.assigned.table["arm"].to_numpy()
    x = frame[["x", "z"]].to_numpy()
    d = x[arm == "a"].mean(axis=0) - x[arm == "b"].mean(axis=0)
    n = np.array([(arm == "a").sum(), (arm == "b").sum()])
    expected = n.prod() / n.sum() * d @ np.linalg.solve(np.cov(x.T), d)  # their equation 1
    assert found.distance == pytest.approx(expected, rel=1e-10)
    assert found.threshold == pytest.approx(scipy.stats.chi2.ppf(0.5, 2))


@pytest.mark.parametrize("dialect", ["spark", "databricks", "snowflake", "bigquery", "postgres"])
def test_other_dialects_are_read_back(dialect):
    how = {
        "arms": ["it's", "b\\"],
        "salt": "o'ne\\",
        "unit": 'i"d`',
        "strata": ["s"],
        "holdout": 0.1,
    }
    text = assignment_sql(dialect, table="shop.people", **how)
    back = sqlglot.parse_one(text, read=dialect)
    literals = {node.this for node in back.find_all(sqlglot.exp.Literal) if node.is_string}
    assert {"it's", "b\\", "o'ne\\|", "hold-out|"} <= literals
    assert 'i"d`' in {node.name for node in back.find_all(sqlglot.exp.Column)}
    assert text.count("MD5") >= 2


def test_bad_tables_are_refused_in_words():
    frame = pd.DataFrame({"customer_id": ["a", "b", None, "a", " "], "s": [1, 1, 2, 2, None]})
    with pytest.raises(cx.DataError) as caught:
        drawn(frame, strata="s")
    told = str(caught.value)
    assert "customer_id is missing (2 rows); first: row 3" in told
    assert "stands there before (1 row); first: row 4: 'a'" in told
    assert "s is missing (1 row); first: row 5" in told
    split = pd.DataFrame({"customer_id": range(6), "team": [1, 1, 2, 2, 3, 3]})
    split["s"], split["t"] = [1, 2, 1, 1, 2, 2], [1, 1, 1, 1, 9, 9]
    with pytest.raises(cx.DataError, match=r"team is split across strata \(2 rows\)"):
        drawn(split, cluster="team", strata="s")
    with pytest.raises(cx.DataError, match=r"a stratum has one cluster.*\(2 rows\); first: row 5"):
        drawn(split, cluster="team", strata="t")
    with pytest.raises(cx.DataError, match=r"a stratum has one unit.*\(2 rows\)"):
        drawn(split.iloc[[0, 1, 2, 3]], strata=["s", "team"])
    with pytest.raises(cx.DataError, match="customer_id is double"):
        drawn([1.0, 2.0, np.nan])
    with pytest.raises(cx.DataError, match="no row"):
        drawn([])
    with pytest.raises(cx.DataError, match="no one column 'who'"):
        drawn(frame, unit="who")
    wild = pd.DataFrame({"customer_id": [1, 2, 3], "x": [1.0, np.inf, np.nan]})
    with pytest.raises(cx.DataError, match=r"x is no finite number \(2 rows\); first: row 2"):
        assign(wild, arms=["a", "b"], salt="s", pairs="x")
    with pytest.raises(cx.DataError, match="s holds no numbers"):
        assign(wild.assign(s="t"), arms=["a", "b"], salt="s", pairs="s")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"shares": [0.5, 0.4, 0.2]}, "sum to 1.1, not to 1"),
        ({"shares": {"control": 1.0}}, "arms are"),
        ({"shares": [0.5, 0.5, 0.0]}, "not 3 numbers above 0"),
        ({"arms": ["a"]}, "two names or more"),
        ({"arms": ["a", "a", "b"]}, "not all different"),
        ({"arms": ["a", "b", "hold-out"]}, "not all different"),
        ({"salt": " "}, "without '|'"),
        ({"salt": "a|b"}, "without '|'"),
        ({"salt": "hold-out"}, "that of the hold-out"),
        ({"holdout": 1.0}, "no share"),
        ({"holdout": "much"}, "no share"),
        ({"pairs": "x"}, "two arms of equal shares"),
        ({"strata": "customer_id"}, "different columns"),
        ({"unit": "arm"}, "one that assign makes"),
        ({"strata": []}, "names of columns"),
    ],
)
def test_designs_that_are_none(how, told):
    given = {"arms": ARMS, "shares": SHARES, "salt": "s"} | how
    with pytest.raises(cx.OptionError, match=told.replace("|", r"\|")):
        assign(range(10), **given)


def test_nothing_to_balance_or_pair():
    flat = pd.DataFrame({"customer_id": range(10), "x": 1.0})
    with pytest.raises(cx.FitError, match="do not vary"):
        rerandomise(flat, arms=["a", "b"], salt="s", balance="x")
    with pytest.raises(cx.FitError, match="fewer than two"):
        assign(flat.iloc[:1], arms=["a", "b"], salt="s", pairs="x")
    with pytest.raises(cx.OptionError, match="accept"):
        rerandomise(flat, arms=["a", "b"], salt="s", balance="x", accept=1.5)
    with pytest.raises(cx.OptionError, match="sqlite"):
        assignment_sql("sqlite", table="t", arms=["a", "b"], salt="s")
    with pytest.raises(cx.OptionError, match="no name"):
        assignment_sql(table="a..b", arms=["a", "b"], salt="s")
