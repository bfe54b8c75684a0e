"""Tests analysed by others: R's estimatr and clubSandwich, tea-tasting, Hillstrom, LaLonde."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy

from cxmodels.experiments.analysis import analyse
from cxmodels.experiments.cluster_errors import clustered_errors
from cxmodels.experiments.families import adjusted
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.robust_errors import least_squares, robust_covariance

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))


def table(name: str) -> pd.DataFrame:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not here: set CXMODELS_DATA")
    return pd.read_stata(path) if name.endswith(".dta") else pd.read_csv(path)


@pytest.fixture(scope="module")
def star():
    return table("experiments/alo_star_men.csv")


@pytest.fixture(scope="module")
def cars():
    found = table("experiments/mtcars.csv")
    x = np.column_stack([np.ones(len(found)), found["hp"], found["am"]])
    return x, found["mpg"].to_numpy(), found["carb"].to_numpy()


STAR = {  # R estimatr 1.0.0 on the men of Angrist, Lang and Oreopoulos (2009)
    "dim": ({}, 0.0361319969, 0.1586978181, 120.7609294),
    "ancova": ({"adjust": "ancova"}, 0.08330370486, 0.1480643259, 154),
    "lin": ({"adjust": "lin"}, 0.08121979749, 0.14786805469, 153),
    "lin HC3": ({"adjust": "lin", "errors": "hc3"}, 0.08121979749, 0.15009004879, 153),
}


@pytest.mark.parametrize("case", STAR)
def test_star(star, case):
    how, estimate, error, degrees = STAR[case]
    before = {"covariates": ["gpa0"]} if how else {}
    row = analyse(star, arm="ssp", control=0, metrics="GPA_year1", **before, **how).table.iloc[0]
    assert row["estimate"] == pytest.approx(estimate, abs=6e-11)
    assert row["std_error"] == pytest.approx(error, abs=6e-11)
    t = (row["upper"] - row["estimate"]) / row["std_error"]
    assert t == pytest.approx(scipy.stats.t.ppf(0.975, degrees), rel=1e-8)


HC = {  # R estimatr: mpg ~ hp + am
    "classical": (1.42509429156, 0.007856744532, 1.079540575782),
    "hc0": (1.084503910472, 0.006593777635, 1.040304287502),
    "hc1": (1.139218719252, 0.006926443362, 1.092789160645),
    "hc2": (1.249913227795, 0.007639497447, 1.120938397794),
    "hc3": (1.469718787621, 0.009026297278, 1.222846704698),
}


@pytest.mark.parametrize("kind", HC)
def test_robust_errors_of_cars(cars, kind):
    x, y, _ = cars
    found = np.sqrt(np.diag(robust_covariance(x, y, kind)))
    assert found.tolist() == pytest.approx(HC[kind], abs=1e-12, rel=1e-10)


CR = {  # R clubSandwich 0.5.8, clusters by carb: errors, Satterthwaite's degrees
    "cr0": ((1.071451687002, 0.005853223496, 0.713711230974), (3.114521039, 2.769979856,
            3.522096839)),
    "cr2": ((1.334963259226, 0.007380093738, 0.859888968109), (3.017807316, 2.603290908,
            3.44650849)),
    "cr3": ((1.691906274591, 0.009478090251, 1.042569919488), (2.930316191, 2.465544709,
            3.387329975)),
}  # fmt: skip


@pytest.mark.parametrize("kind", CR)
def test_cluster_errors_of_cars(cars, kind):
    x, y, carb = cars
    fit = least_squares(x, y)
    parts = [carb == value for value in np.unique(carb)]
    found = clustered_errors(
        np.array([x[part].T @ x[part] for part in parts]),
        np.array([x[part].T @ fit.residuals[part] for part in parts]),
        fit.bread, kind,
    )  # fmt: skip
    errors, degrees = CR[kind]
    own = np.sqrt(np.diag(found.covariance))
    nu = np.array([found.degrees(contrast) for contrast in np.eye(3)])
    assert own.tolist() == pytest.approx(errors, rel=1e-8)
    assert nu.tolist() == pytest.approx(degrees, rel=1e-8)
    if kind == "cr2":
        p = 2.0 * scipy.stats.t.sf(np.abs(fit.coefficients / own), nu)
        assert p.tolist() == pytest.approx((0.00026662728, 0.00673595221, 0.00573978945), rel=1e-8)


def test_cluster_errors_through_the_door(cars):
    """am as arm, hp as covariate with one slope: the same regression as clubSandwich's."""
    found = table("experiments/mtcars.csv")
    row = analyse(
        found, arm="am", control=0, metrics="mpg", covariates="hp", cluster="carb", adjust="ancova"
    ).table.iloc[0]
    assert row["std_error"] == pytest.approx(CR["cr2"][0][2], rel=1e-8)
    assert row["p_value"] == pytest.approx(0.00573978945, rel=1e-8)


TEA = {  # tea-tasting 1.14.0: effect, ends of the interval, p-value
    "orders": (0.04269014577177832, -0.010800201598205522, 0.09618049314176216,
               0.11773177998716207),
    "orders with before": (0.05830389260866353, 0.015696510168618664, 0.1009112750487084,
                           0.007330409808687461),
    "revenue with before": (0.731014448269339, 0.20228702469056814, 1.25974187184811,
                            0.0067439292812049734),
    "orders per sessions": (0.02330500550889003, -0.0024594336679094504, 0.04906944468568951,
                            0.07623759978168303),
    "ratio with before": (0.03173426303678084, 0.01134447701776042, 0.05212404905580126,
                          0.002292943842523407),
}  # fmt: skip


def test_tea_tasting():
    seen = table("experiments/tea_tasting_users_rng42_cov1.csv")
    before = ("orders_covariate", "sessions_covariate")
    found = analyse(seen, arm="variant", control=0, unit="user", metrics=[
        "orders",
        Metric("orders", before="orders_covariate", name="orders with before"),
        Metric("revenue", before="revenue_covariate", name="revenue with before"),
        Metric("orders", "ratio", per="sessions"),
        Metric("orders", "ratio", per="sessions", before=before, name="ratio with before"),
    ])  # fmt: skip
    rows = found.table.set_index("metric")
    for name, (estimate, lower, upper, p) in TEA.items():
        row = rows.loc[name]
        assert row[["estimate", "lower", "upper"]].tolist() == pytest.approx(
            [estimate, lower, upper], abs=1e-10
        )
        assert row["p_value"] == pytest.approx(p, abs=1e-10)
    assert found.sample_ratio == pytest.approx(0.47676672, abs=1e-5)  # theirs is approximate


def test_hillstrom():
    seen = table("hillstrom/hillstrom.csv.gz")
    seen["arm"] = seen["segment"].str.split().str[0].replace({"No": "None"})
    found = analyse(seen, arm="arm", control="None", metrics=["visit", "conversion", "spend"])
    rows = found.table.set_index(["arm", "metric"])
    expected = {
        ("Mens", "visit"): (0.07658956365153125, 0.0033858878117283653),
        ("Mens", "conversion"): (0.006805006519615695, 0.0009208727857351216),
        ("Mens", "spend"): (0.7698271558945368, 0.14524656024868676),
        ("Womens", "visit"): (0.045233106587052985, 0.003234462099090751),
        ("Womens", "conversion"): (0.003111057511085258, 0.0008226770775551195),
        ("Womens", "spend"): (0.4244122159365967, 0.13033285852919116),
    }
    for place, value in expected.items():
        assert rows.loc[place, ["estimate", "std_error"]].tolist() == pytest.approx(value, rel=1e-9)
    mens, womens = rows.loc[("Mens", "spend")], rows.loc[("Womens", "spend")]
    assert (mens["n_control"], mens["n"], womens["n"]) == (21306, 21307, 21387)
    assert found.sample_ratio == pytest.approx(0.9036929575604196, abs=1e-12)
    assert mens[["lower", "upper"]].tolist() == pytest.approx(  # the source's interval is normal
        [0.4851397325684076, 1.0545145792206658], abs=6e-5
    )
    profit = [0.40 * row["estimate"] - 0.01 for row in (mens, womens)]
    assert profit == pytest.approx([0.29793086235781463, 0.1597648863746387], abs=1e-9)
    cuped = analyse(seen, arm="arm", control="None", metrics=[Metric("spend", before="history")])
    assert cuped.table.iloc[0][["estimate", "std_error"]].tolist() == pytest.approx(
        [0.7674384994278022, 0.14521504219411457], rel=1e-9
    )


NSW = pd.DataFrame({  # Dehejia and Wahba's subset, as they print it: size, mean and sd of re78
    "treat": [1, 0], "n": [185, 260], "mean": [6349.144, 4554.801], "sd": [7867.402, 5483.836],
})  # fmt: skip


def test_lalonde_from_its_printed_table():
    """Rows with exactly these means and spreads: the test is of the sums, which are sufficient."""
    parts = []
    for row in NSW.to_dict("records"):
        z = np.linspace(-1.0, 1.0, int(row["n"]))
        y = row["mean"] + row["sd"] * z / z.std(ddof=1)
        parts.append(pd.DataFrame({"treat": row["treat"], "re78": y}))
    row = analyse(pd.concat(parts), arm="treat", control=0, metrics="re78").table.iloc[0]
    assert row["estimate"] == pytest.approx(1794.342382, abs=2e-3)
    assert row["estimate"] / row["std_error"] == pytest.approx(2.6741455, abs=2e-6)
    assert row[["lower", "upper"]].tolist() == pytest.approx([474.0104512, 3114.6743125], abs=4e-3)


def test_lalonde():
    seen = table("experiments/nsw_mixtape.dta").astype({"re74": float, "re75": float})
    row = analyse(seen, arm="treat", control=0, metrics="re78").table.iloc[0]
    assert row["estimate"] == pytest.approx(1794.342382, abs=1e-6)
    assert row["estimate"] / row["std_error"] == pytest.approx(2.6741455, abs=6e-8)
    assert row[["lower", "upper"]].tolist() == pytest.approx([474.0104512, 3114.6743125], abs=1e-6)
    seen["square"] = seen["age"].astype(float) ** 2
    names = ["age", "square", "educ", "black", "hisp", "nodegree", "re74", "re75"]
    x = np.column_stack([np.ones(len(seen)), seen["treat"], seen[names]]).astype(np.float64)
    y = seen["re78"].to_numpy(np.float64)
    for columns, error in ((x[:, :2], 632.8533924), (x, 638.3966269)):
        assert robust_covariance(columns, y, "classical")[1, 1] ** 0.5 == pytest.approx(
            error, abs=1e-6
        )
    slope = analyse(
        seen, arm="treat", control=0, metrics="re78", covariates=names, adjust="ancova"
    ).table.iloc[0]
    assert slope["estimate"] == pytest.approx(1672.203124, abs=1e-6)
    assert slope["std_error"] == pytest.approx(robust_covariance(x, y)[1, 1] ** 0.5, rel=1e-9)


BH = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
      0.5719, 0.6528, 0.7590, 1.0000]  # Benjamini and Hochberg (1995), section 4  # fmt: skip
BY = {
    "benjamini-hochberg": ([0.0015, 0.003, 0.0095, 0.035625, 0.0603, 0.063857, 0.063857, 0.0645,
                            0.0765], 4),
    "holm": ([0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.278, 0.278, 0.278, 0.3213], 3),
    "hochberg": ([0.0015, 0.0056, 0.0247, 0.114, 0.2211, 0.2682, 0.2682, 0.2752, 0.3213], 3),
}  # fmt: skip


@pytest.mark.parametrize("how", BY)
def test_families(how):
    """In another order than sorted, as the order is no matter."""
    turned = np.roll(BH, 5)
    found = np.roll(adjusted(turned, how), -5)
    values, rejected = BY[how]
    assert found[:9].tolist() == pytest.approx(values, abs=6e-7)
    assert int((found <= 0.05).sum()) == rejected
