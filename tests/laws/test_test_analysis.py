"""Tests analysed: sizes and coverage at realistic skew, and versions by brute force.

Each outcome column of a simulated test is a replication of its own, so one call analyses many.
"""

from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy

import cxmodels as cx
from cxmodels.experiments.analysis import analyse, analyse_moments
from cxmodels.experiments.families import adjusted
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.moments import moments
from cxmodels.experiments.robust_errors import least_squares, robust_covariance
from tests.laws.trial_worlds import LIFT, study, truth

EACH = [
    ("mean", {}),
    ("mean", {"adjust": "cuped"}),
    ("mean", {"adjust": "lin"}),
    ("mean", {"adjust": "lin", "errors": "hc3"}),
    ("mean", {"adjust": "ancova"}),
    ("mean", {"errors": "permutation", "draws": 199}),
    ("mean", {"strata": "stratum"}),
    ("mean", {"strata": "stratum", "adjust": "cuped"}),
    ("mean", {"cluster": "cluster"}),
    ("mean", {"cluster": "cluster", "adjust": "cuped"}),
    ("mean", {"cluster": "cluster", "adjust": "lin"}),
    ("mean", {"cluster": "cluster", "errors": "permutation", "draws": 199}),
    ("proportion", {}),
    ("proportion", {"adjust": "cuped"}),
    ("ratio", {}),
    ("ratio", {"adjust": "cuped"}),
    ("ratio", {"adjust": "lin"}),
    ("ratio", {"cluster": "cluster"}),
    ("nps", {}),
    ("nps", {"adjust": "cuped"}),
    ("hurdle", {}),
    ("hurdle", {"adjust": "cuped"}),
]  # fmt: skip
NAMES = [" ".join([kind, *map(str, how.values())]) for kind, how in EACH]


def measured(kind: str, how: dict, lift: float, replications: int, seed: int, n: int):
    """Per row of the metric: share of p below .05, intervals and lifts that hold the truth."""
    found = study(kind, replications, n, seed, lift, **how)
    told = {}
    for suffix, (effect, relative) in truth(kind, lift, "strata" in how).items():
        rows = found[found["metric"].str.fullmatch(rf"m\d+{suffix}")]
        assert len(rows) == replications
        inside = (rows["lower"] <= effect) & (effect <= rows["upper"])
        lifts = rows.dropna(subset="lift")
        held = np.nan
        if relative is not None and len(lifts):
            held = ((lifts["lift_lower"] <= relative) & (relative <= lifts["lift_upper"])).mean()
        told[suffix] = [(rows["p_value"] < 0.05).mean(), inside.mean(), held]
    return told


@pytest.mark.parametrize(("kind", "how"), EACH, ids=NAMES)
def test_size(kind, how):
    """40 replications: a Monte Carlo error of 0.034, so within four of it."""
    for size, inside, _ in measured(kind, how, 0.0, 40, 17, 1_500).values():
        assert size < 0.19
        assert inside > 0.81


def _piece(task):
    return measured(*task)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "how"), EACH, ids=NAMES)
def test_size_and_coverage(kind, how):
    """1,000 replications in 20 tests of 3,000 units; errors of chance 0.007 at 5 per cent. Parts of
    revenue with a hurdle share their units, whose chance is then larger: 4,000 in 80 tests."""
    tests, first = (80, 5_000) if kind == "hurdle" else (20, 900)
    for lift in (0.0, LIFT):
        tasks = [(kind, how, lift, 50, first + seed, 3_000) for seed in range(tests)]
        with ProcessPoolExecutor(2) as pool:
            found = list(pool.map(_piece, tasks))
        for suffix in found[0]:
            size, inside, lifted = np.array([one[suffix] for one in found]).mean(axis=0)
            print(f"{kind}{suffix} {how} lift {lift}: {size:.3f} {inside:.3f} {lifted:.3f}")
            assert 0.93 <= inside <= 0.975
            assert np.isnan(lifted) or 0.93 <= lifted <= 0.975
            if lift == 0.0:
                assert 0.03 <= size <= 0.07


# Pieces, sources and rows ------------------------------------------------------------------------


def made(n: int = 900, seed: int = 5) -> pd.DataFrame:
    """Three arms, outcomes and values from before with gaps, strata, clusters within them."""
    rng = np.random.default_rng(seed)
    stratum = rng.integers(0, 3, n)
    cluster = 100 * stratum + rng.integers(0, 20, n)
    before = rng.lognormal(3.0, 1.0, n)
    arm = np.array(["A", "B", "C"])[rng.integers(0, 3, n)]
    y = 1e6 + before + 3.0 * stratum + rng.normal(size=n) + 2.0 * (arm == "B")
    found = pd.DataFrame({
        "arm": arm, "stratum": stratum, "cluster": cluster, "before": before, "y": y,
        "sessions": 1.0 + rng.poisson(2.0, n), "score": rng.integers(0, 11, n).astype(float),
    })  # fmt: skip
    found.loc[rng.random(n) < 0.2, "y"] = np.nan
    found.loc[rng.random(n) < 0.1, "before"] = np.nan
    found.loc[rng.random(n) < 0.3, "score"] = np.nan
    return found


ASKED = {
    "arm": "arm",
    "metrics": ["y", Metric("y", "ratio", per="sessions"), Metric("score", "nps")],
    "covariates": "before",
}
PLACES = {"strata": "stratum", "cluster": "cluster"}


def close(one, two, rel=1e-12):
    assert one.keys().tolist() == two.keys().tolist()
    for name in one:
        if one[name].dtype.kind == "f":
            assert one[name].to_numpy() == pytest.approx(two[name].to_numpy(), rel=rel, nan_ok=True)


@pytest.mark.parametrize(
    "places", [{}, {"strata": "stratum"}, PLACES], ids=["arm", "strata", "all"]
)
def test_pieces_put_together_are_the_whole(places):
    seen = made()
    whole = moments(seen, **ASKED, **places)
    parts = [moments(seen[k::3], **ASKED, **places) for k in (2, 0, 1)]
    for joined in (
        parts[0].merged(parts[1]).merged(parts[2]),
        parts[2].merged(parts[0].merged(parts[1])),
    ):
        assert joined.arm.tolist() == whole.arm.tolist()
        assert joined.cluster.tolist() == whole.cluster.tolist()
        for one, two in zip(joined.blocks, whole.blocks, strict=True):
            for a, b in ((one.sums, two.sums), (one.apart, two.apart)):
                assert (a.n == b.n).all()
                assert a.mean == pytest.approx(b.mean, rel=1e-12)
                scale = np.abs(b.product).max() + 1.0
                assert np.abs(a.product - b.product).max() < 1e-11 * scale
        close(analyse_moments(joined, control="A").table, analyse_moments(whole, control="A").table,
              rel=1e-8)  # fmt: skip


def test_moments_of_other_columns_are_not_put_together():
    seen = made()
    with pytest.raises(cx.OptionError, match="other columns"):
        moments(seen, **ASKED).merged(moments(seen, arm="arm", metrics=["y"]))
    with pytest.raises(cx.OptionError, match="merge with moments"):
        moments(seen, **ASKED).merged(seen)
    with pytest.raises(cx.OptionError, match="needs the rows themselves"):
        analyse_moments(moments(seen, **ASKED), control="A", adjust="lin")


def test_large_numbers_do_not_cancel():
    """A hundred million above 0, a spread of 1: seven digits of the variance would be lost."""
    rng = np.random.default_rng(1)
    z = rng.normal(size=2_000)
    seen = pd.DataFrame({"arm": ["A", "B"] * 1_000, "y": 1e8 + z})
    found = moments(seen, arm="arm", metrics=["y"]).table["variance"]
    exact = [np.var((1e8 + z)[k::2] - 1e8, ddof=1) for k in (0, 1)]
    assert found.tolist() == pytest.approx(exact, rel=1e-7)


def test_dropping_missing_rows_first_changes_nothing():
    seen = made()
    for how in ({}, {"adjust": "lin"}, {"strata": "stratum"}, {"cluster": "cluster"}):
        known = seen.dropna(subset="y")
        one, two = (
            analyse(rows, arm="arm", control="A", metrics="y", covariates="before", **how).table
            for rows in (seen, known)
        )
        close(one, two)
        assert one["n"].tolist() == known.groupby("arm").size().loc[["B", "C"]].tolist()


def test_one_answer_from_every_source(tmp_path):
    import duckdb

    seen = made(300)
    seen.to_parquet(tmp_path / "seen.parquet")
    seen.to_csv(tmp_path / "seen.csv", index=False)
    connection = duckdb.connect()
    connection.register("seen", seen)
    asked = {**ASKED, "control": "A", **PLACES}
    first = analyse(seen, **asked).table
    for source, more in (
        (pl.from_pandas(seen), {}), (pa.Table.from_pandas(seen), {}),
        (str(tmp_path / "seen.parquet"), {}), (tmp_path / "seen.csv", {}),
        (connection, {"table": "seen"}), (seen.sample(frac=1.0, random_state=3), {}),
    ):  # fmt: skip
        close(first, analyse(source, **asked, **more).table, rel=1e-8)


def test_hostile_names_and_labels():
    seen = made(300).rename(
        columns={"y": 'y"; DROP TABLE x; --', "arm": "select", "before": "a b'"}
    )
    seen["select"] = seen["select"].map({"A": "it's", "B": "B'); --", "C": "ünï"})
    for how in ({}, {"adjust": "lin"}, {"errors": "permutation", "draws": 99}):
        found = analyse(seen, arm="select", control="it's", metrics='y"; DROP TABLE x; --',
                        covariates="a b'", **how)  # fmt: skip
        assert found.table["arm"].tolist() == ["B'); --", "ünï"]


def test_units():
    """Money in cents, covariates in any unit and from any origin; other arms do not matter."""
    seen = made()
    for how in ({"adjust": "cuped"}, {"adjust": "lin"}, {"adjust": "ancova"}):
        base = analyse(seen, arm="arm", control="A", metrics="y", covariates="before", **how).table
        turned = seen.assign(y=100.0 * seen["y"], before=7.0 - 0.01 * seen["before"])
        cents = analyse(turned, arm="arm", control="A", metrics="y", covariates="before", **how)
        columns = ["estimate", "std_error", "lower", "upper"]
        assert cents.table[columns].to_numpy() == pytest.approx(
            100.0 * base[columns].to_numpy(), rel=1e-7
        )
        assert cents.table["lift"].tolist() == pytest.approx(base["lift"].tolist(), rel=1e-6)
        two = analyse(seen[seen["arm"] != "C"], arm="arm", control="A", metrics="y",
                      covariates="before", **how).table  # fmt: skip
        assert two[columns].iloc[0].tolist() == pytest.approx(
            base[columns].iloc[0].tolist(), rel=1e-9
        )


# Brute-force versions ----------------------------------------------------------------------------


def pair(seen, *names):
    known = seen[seen["arm"] != "C"].dropna(subset=list(names))
    return known, (known["arm"] == "B").to_numpy()


def test_lin_and_ancova_against_the_regression():
    seen = made()
    known, b = pair(seen, "y")
    x = known["before"].fillna(known["before"].mean()).to_numpy()
    x, y, one = x - x.mean(), known["y"].to_numpy(), np.ones(len(known))
    for how, design in (("lin", [one, b, x, b * x]), ("ancova", [one, b, x])):
        columns = np.column_stack(design).astype(np.float64)
        for kind in ("hc2", "hc3"):
            row = analyse(seen, arm="arm", control="A", metrics="y", covariates="before",
                          adjust=how, errors=kind).table.iloc[0]  # fmt: skip
            expected = robust_covariance(columns, y - 1e6, kind)[1, 1] ** 0.5
            assert row["estimate"] == pytest.approx(
                least_squares(columns, y - 1e6).coefficients[1], rel=1e-7
            )
            assert row["std_error"] == pytest.approx(expected, rel=1e-7)


def test_strata_by_hand():
    seen = made()
    known, _ = pair(seen, "y")
    effect, variance, cells = 0.0, 0.0, []
    for _, part in known.groupby("stratum"):
        weight = len(part) / len(known)
        one, two = (part.loc[part["arm"] == arm, "y"] for arm in "BA")
        effect += weight * (one.mean() - two.mean())
        cells += [(weight**2 * own.var() / len(own), len(own) - 1) for own in (one, two)]
    variance = sum(v for v, _ in cells)
    row = analyse(seen, arm="arm", control="A", metrics="y", strata="stratum").table.iloc[0]
    assert row["estimate"] == pytest.approx(effect, rel=1e-8)
    assert row["std_error"] == pytest.approx(variance**0.5, rel=1e-8)
    nu = variance**2 / sum(v**2 / m for v, m in cells)
    p = 2 * scipy.stats.t.sf(abs(effect) / variance**0.5, nu)
    assert row["p_value"] == pytest.approx(p, rel=1e-6)


def test_nps_is_a_multinomial_difference():
    seen = made()
    known, _ = pair(seen, "score")
    shares = {}
    for arm, part in known.groupby("arm"):
        p, d, n = (part["score"] >= 9).mean(), (part["score"] <= 6).mean(), len(part)
        shares[arm] = 100 * (p - d), 1e4 * (p + d - (p - d) ** 2) / (n - 1)
    row = analyse(seen, arm="arm", control="A", metrics=Metric("score", "nps")).table.iloc[0]
    assert row["estimate"] == pytest.approx(shares["B"][0] - shares["A"][0], rel=1e-8)
    assert row["std_error"] == pytest.approx((shares["B"][1] + shares["A"][1]) ** 0.5, rel=1e-8)
    assert pd.isna(row["lift"])


def test_ratio_against_the_jackknife():
    """Leaving out one unit at a time, whose error agrees to order 1 / n with the delta method."""
    seen = made(600).assign(y=lambda t: t["y"] - 1e6)
    known, _ = pair(seen, "y", "sessions")
    variance, value = 0.0, {}
    for arm, part in known.groupby("arm"):
        y, d, n = part["y"].to_numpy(), part["sessions"].to_numpy(), len(part)
        value[arm] = y.sum() / d.sum()
        left = (y.sum() - y) / (d.sum() - d)
        variance += (n - 1) / n * ((left - left.mean()) ** 2).sum()
    row = analyse(seen, arm="arm", control="A",
                  metrics=Metric("y", "ratio", per="sessions")).table.iloc[0]  # fmt: skip
    assert row["estimate"] == pytest.approx(value["B"] - value["A"], rel=1e-8)
    assert row["std_error"] == pytest.approx(variance**0.5, rel=0.02)


@pytest.mark.parametrize("how", ["none", "ancova", "lin"])
def test_clusters_against_whole_matrices(how):
    """CR2 and its degrees from hat matrices of all rows, clusters lying across arms."""
    seen = made(240).assign(cluster=lambda t: t["cluster"] % 9).dropna(subset="y")
    seen["y"] -= 1e6
    known, b = pair(seen, "y")
    x = known["before"].fillna(known["before"].mean()).to_numpy()
    columns = {"none": [b], "ancova": [b, x], "lin": [b, x - x.mean(), b * (x - x.mean())]}[how]
    X = np.column_stack([np.ones(len(b)), *columns]).astype(np.float64)
    y, cluster = known["y"].to_numpy(), known["cluster"].to_numpy()
    M = np.linalg.inv(X.T @ X)
    e, H = y - X @ M @ (X.T @ y), X @ M @ X.T
    c = np.eye(X.shape[1])[1]
    variance, reach = 0.0, []
    for name in np.unique(cluster):
        at = cluster == name
        values, vectors = np.linalg.eigh(np.eye(at.sum()) - H[np.ix_(at, at)])
        A = vectors @ np.diag(np.where(values > 1e-9, values, np.inf) ** -0.5) @ vectors.T
        variance += float(c @ M @ X[at].T @ A @ e[at]) ** 2
        reach.append((np.eye(len(y)) - H)[:, at] @ A @ X[at] @ M @ c)
    P = np.array(reach) @ np.array(reach).T
    nu = np.trace(P) ** 2 / (P**2).sum()
    before = {} if how == "none" else {"covariates": "before"}
    row = analyse(seen, arm="arm", control="A", metrics="y", cluster="cluster", adjust=how,
                  **before).table.iloc[0]  # fmt: skip
    assert row["std_error"] == pytest.approx(variance**0.5, rel=1e-7)
    t = (row["upper"] - row["estimate"]) / row["std_error"]
    assert t == pytest.approx(scipy.stats.t.ppf(0.975, nu), rel=1e-7)


def test_permutation_of_few_units_is_exact():
    """Four against four: 70 ways to deal, counted out."""
    from itertools import combinations

    y = np.array([3.1, 4.7, 2.2, 6.0, 5.5, 9.1, 7.3, 8.8])

    def t(chosen):
        one, two = y[list(chosen)], np.delete(y, list(chosen))
        return (one.mean() - two.mean()) / np.sqrt(one.var(ddof=1) / 4 + two.var(ddof=1) / 4)

    seen = abs(t((4, 5, 6, 7)))
    exact = np.mean([abs(t(chosen)) >= seen - 1e-12 for chosen in combinations(range(8), 4)])
    row = analyse(pd.DataFrame({"arm": ["A"] * 4 + ["B"] * 4, "y": y}), arm="arm", control="A",
                  metrics="y", errors="permutation", draws=4_999).table.iloc[0]  # fmt: skip
    assert row["p_value"] == pytest.approx(exact, abs=0.012)  # three errors of 4,999 draws


# What naive answers miss -------------------------------------------------------------------------


def test_ignoring_clusters_finds_what_is_not_there():
    how = {"replications": 80, "n": 1_500, "seed": 17}
    rng = np.random.default_rng(17)
    cluster = np.sort(rng.integers(0, 60, how["n"]))
    treated = (rng.permutation(60) < 24)[cluster]
    data = {"arm": np.where(treated, "B", "A"), "cluster": cluster}
    names = [f"y{place}" for place in range(how["replications"])]
    for name in names:
        data[name] = rng.normal(size=60)[cluster] + 1.5 * rng.normal(size=how["n"])
    told = {}
    for label, more in (("naive", {}), ("right", {"cluster": "cluster"})):
        found = analyse(pd.DataFrame(data), arm="arm", control="A", metrics=names,
                        multiplicity="none", **more).table  # fmt: skip
        told[label] = (found["p_value"] < 0.05).mean()
    assert told["naive"] > 0.3
    assert told["right"] < 0.14


def attrited(rng, n: int = 4_000, effect: float = 0.5) -> pd.DataFrame:
    """The arm lets dissatisfied people answer who otherwise would not: answers look worse."""
    u = rng.normal(size=n)
    b = rng.random(n) < 0.5
    answers = u + 0.6 * rng.normal(size=n) > np.where(b, -0.9, -0.2)
    score = 5.0 + 1.5 * u + effect * b + 0.5 * rng.normal(size=n)
    always = u + 0.0 * u
    return pd.DataFrame({"arm": np.where(b, "B", "A"), "always": always,
                         "score": np.where(answers, score, np.nan)})  # fmt: skip


# Families and guardrails -------------------------------------------------------------------------


def test_families_of_related_metrics():
    """Twenty outcomes that hang together: Romano and Wolf give less away than Holm."""
    rng = np.random.default_rng(6)
    n, m = 1_000, 20
    same = rng.normal(size=(n, 1))
    seen = pd.DataFrame(0.95 * same + 0.3 * rng.normal(size=(n, m))).rename(columns="y{}".format)
    seen["arm"] = np.where(rng.random(n) < 0.5, "A", "B")
    seen.loc[seen["arm"] == "B", "y0"] += 0.13
    names = [f"y{place}" for place in range(m)]
    found = {
        how: analyse(seen, arm="arm", control="A", metrics=names, multiplicity=how).table
        for how in ("holm", "romano-wolf", "benjamini-hochberg", "none")
    }
    p = {how: table.set_index("metric")["adjusted"] for how, table in found.items()}
    assert p["romano-wolf"]["y0"] < 0.6 * p["holm"]["y0"]
    assert (p["romano-wolf"] >= p["none"] - 0.02).all()
    with pytest.raises(cx.OptionError, match="p-values are numbers"):
        adjusted([0.5, 1.5], "holm")


def family_error(seed: int, how: str, tests: int = 20) -> float:
    rng = np.random.default_rng(seed)
    wrong = []
    for _ in range(tests):
        n = 400
        common = rng.normal(size=(n, 1))
        seen = pd.DataFrame(0.8 * common + 0.6 * rng.normal(size=(n, 6)))
        seen.columns = list("abcdef")
        seen["arm"] = rng.permutation(n) % 3
        found = analyse(seen, arm="arm", control=0, metrics=list("abcdef"), multiplicity=how).table
        wrong.append((found["adjusted"] < 0.05).any())
    return float(np.mean(wrong))


def test_family_error():
    assert family_error(1, "none") > 0.15
    assert family_error(1, "romano-wolf") < 0.2
    assert family_error(1, "holm") < 0.2


@pytest.mark.slow
def test_family_error_at_length():
    with ProcessPoolExecutor(2) as pool:
        for how in ("holm", "romano-wolf"):
            found = np.mean(list(pool.map(family_error, range(50), [how] * 50)))
            print(f"{how}: any false finding {found:.3f}")
            assert found < 0.065


def test_guardrails():
    """Late deliveries may rise by 0.05, satisfaction fall by 0.1; neither joins the family."""
    rng = np.random.default_rng(2)
    n = 4_000
    b = rng.random(n) < 0.5
    late = (rng.random(n) < 0.2) * 1.0
    seen = pd.DataFrame({"arm": np.where(b, "B", "A"), "late": late,
                         "score": rng.normal(size=n) - 0.3 * b,
                         "y": rng.normal(size=n)})  # fmt: skip
    late = Metric("late", "proportion", margin=0.05, better="lower")
    found = analyse(seen, arm="arm", control="A", metrics=["y", late, Metric("score", margin=0.1)])
    held = found.guardrails.set_index("metric")
    assert held["holds"].to_dict() == {"late": True, "score": False}
    rows = found.table.set_index("metric")
    assert held.loc["late", "worst"] == pytest.approx(rows.loc["late", "upper"])
    assert held.loc["score", "worst"] == pytest.approx(rows.loc["score", "lower"])
    assert held.loc["late", "p_value"] < 0.025 < held.loc["score", "p_value"]
    assert rows.loc["y", "adjusted"] == pytest.approx(rows.loc["y", "p_value"])
    assert rows["adjusted"].isna().tolist() == [False, True, True]
    assert "does not hold" in repr(found)


# Bad input ---------------------------------------------------------------------------------------


def test_all_problems_are_told_together():
    seen = pd.DataFrame({
        "unit": [1, 1, 2, 3, 4, 5, 6, 6], "arm": ["A", "B", None, "A", "B", "B", "A", "A"],
        "y": ["1", "two", "3", "4", "inf", "6", "7", "8"], "won": [0, 1, 1, 2, 0, 1, 0, 1],
        "still": [1.0] * 8,
    })  # fmt: skip
    with pytest.raises(cx.DataError) as told:
        analyse(seen, arm="arm", control="A", unit="unit", covariates="still",
                metrics=["y", Metric("won", "proportion")])  # fmt: skip
    said = str(told.value)
    for part in (
        "arm column 'arm' is missing (1 row); first: row 3",
        "column 'y' holds text that is not a number (1 row); first: row 2",
        "column 'y' is infinite",
        "'won' is neither 0 nor 1",
        "a unit is in two arms (2 rows); first: unit 1",
        "a unit has several rows (2 rows)",
        "still, from before the test, is the same for every unit",
    ):
        assert part in said


@pytest.mark.parametrize(("change", "asked", "said"), [
    ({}, {"control": "Z"}, "no unit is in arm 'Z', the control. Arms: 'A', 'B', 'C'"),
    ({"arm": "A"}, {}, "has one arm"),
    ({"y": 5.0}, {}, "y is the same for all units within arm 'A', 'B', 'C'"),
    ({"sessions": 0.0}, {"metrics": Metric("y", "ratio", per="sessions")}, "below a ratio, is 0"),
    ({"y": np.nan}, {}, "known of fewer than 2 units"),
    ({"score": 4.5}, {"metrics": Metric("score", "nps")}, "no whole number from 0 to 10"),
    ({"stratum": range(900)}, {"strata": "stratum"}, "cells of stratum and arm have fewer than 2"),
    ({"cluster": 1}, {"cluster": "cluster"}, "fewer than 2 clusters"),
    ({"cluster": lambda t: t["cluster"] % 9}, {"cluster": "cluster", "strata": "stratum"},
     "clusters lie in two strata"),
    ({}, {"metrics": "nothing"}, "'nothing' is not there"),
    ({"before": np.nan}, {"covariates": "before"}, "no unit has all values from before"),
])  # fmt: skip
def test_bad_input(change, asked, said):
    given = {"arm": "arm", "control": "A", "metrics": "y"} | asked
    with pytest.raises(cx.DataError, match=said.replace("(", r"\(")):
        analyse(made().assign(**change), **given)


@pytest.mark.parametrize(("asked", "said"), [
    ({"adjust": "lin"}, "needs covariates"),
    ({"adjust": "best"}, "not one of none, cuped, lin, ancova"),
    ({"errors": "cr2"}, "needs cluster="),
    ({"cluster": "cluster", "errors": "welch"}, "take cr2"),
    ({"covariates": "before", "adjust": "lin", "strata": "stratum"}, "goes without strata"),
    ({"covariates": "before", "adjust": "lin", "errors": "permutation"}, "goes with errors hc2"),
    ({"weights": "response"}, "needs strata="),
    ({"multiplicity": "bonferroni"}, "not one of holm"),
    ({"multiplicity": "romano-wolf", "cluster": "cluster"}, "goes without strata and clusters"),
    ({"level": 95}, "between 0 and 1"),
    ({"draws": 10}, "99 or more"),
    ({"seed": -1}, "seed"),
    ({"shares": {"A": 1}}, "shares are of every arm"),
    ({"metrics": []}, "got none"),
    ({"metrics": ["y", "y"]}, "two metrics are called 'y'"),
    ({"metrics": "arm"}, "plays two parts"),
])  # fmt: skip
def test_choices_that_do_not_go_together(asked, said):
    given = {"arm": "arm", "control": "A", "metrics": "y"} | asked
    with pytest.raises(cx.OptionError, match=said):
        analyse(made(), **given)


def test_metric_kinds_refuse():
    for wrong in (
        {"kind": "median"}, {"kind": "ratio"}, {"per": "x"}, {"better": "up"}, {"margin": -1.0},
        {"before": ("a", "b")},
    ):  # fmt: skip
        with pytest.raises(cx.OptionError):
            Metric("y", **wrong)


def test_remarks():
    """A test whose arms came out uneven, with answers that differ by arm and gaps before it."""
    rng = np.random.default_rng(1)
    seen = made(2_000).query("arm != 'C'")
    seen = seen[(seen["arm"] == "A") | (rng.random(len(seen)) < 0.6)]
    seen.loc[(seen["arm"] == "B") & (rng.random(len(seen)) < 0.4), "y"] = np.nan
    found = analyse(seen, arm="arm", control="A", metrics="y", covariates="before")
    said = " ".join(found.notes)
    assert "are not what was drawn" in said
    assert "lack a value from before the test" in said
    assert found.sample_ratio < 0.001
    shares = {"A": 1.0, "B": (seen["arm"] == "B").sum() / (seen["arm"] == "A").sum()}
    assert analyse(seen, arm="arm", control="A", metrics="y", shares=shares).sample_ratio > 0.9
