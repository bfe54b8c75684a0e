"""Coverage of NPS, top boxes, means and the index at 95 per cent: non-response, small samples."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx

LEVEL = 0.95
POINTS = np.arange(11)


def population(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """SIMULATED: two kinds of customers, of which the happy one answers three times as often."""
    kind = rng.integers(0, 2, n)
    true = np.where(kind == 1, 8.3, 6.4) + rng.normal(0, 1.2, n)
    items = {
        name: np.clip(np.round(true + rng.normal(0, 1.0, n)), 0, 10) for name in ("nps", "b", "c")
    }
    return pd.DataFrame({"who": np.arange(n), "when": "2024-01-05", "kind": kind} | items)


def truths() -> dict[str, float]:
    whole = population(np.random.default_rng(0), 2_000_000)
    index = 10 * whole[["nps", "b", "c"]].to_numpy().mean()
    return {
        "mean": whole["nps"].mean(), "top box": (whole["nps"] == 10).mean(),
        "top two boxes": (whole["nps"] >= 9).mean(),
        "NPS": 100 * ((whole["nps"] >= 9).mean() - (whole["nps"] <= 6).mean()), "index": index,
    }  # fmt: skip


def one(seed: int, n: int, answering: tuple[float, float], right: dict[str, float]) -> dict:
    """Whether the intervals of one survey hold the truth; by strata where kinds answer unlike."""
    rng = np.random.default_rng([seed, n])
    whole = population(rng, n)
    told = rng.random(n) < np.take(answering, whole["kind"])
    for name in ("nps", "b", "c"):
        whole.loc[~told, name] = np.nan
    scores = dict.fromkeys(("nps", "b", "c"), (0, 10))
    base = cx.survey_base(whole, customer="who", time="when", scores=scores)
    unlike = answering[0] != answering[1]
    facts = whole.rename(columns={"who": "customer_id"})[["customer_id", "kind"]]
    kinds = {"customers": facts, "strata": ["kind"]} if unlike else {}
    table = cx.survey_scores(base, level=LEVEL, **kinds)
    rows = table[table["score"] == "nps"].set_index("measure")
    held = {name: row["lower"] <= right[name] <= row["upper"] for name, row in rows.iterrows()}
    if not unlike:
        row = cx.survey_index(base, ["nps", "b", "c"], level=LEVEL).table.iloc[0]
        held["index"] = row["lower"] <= right["index"] <= row["upper"]
    return held


def study(n: int, answering: tuple[float, float], runs: int, processes: int = 1) -> pd.Series:
    asked = range(runs), [n] * runs, [answering] * runs, [truths()] * runs
    if processes == 1:
        return pd.DataFrame(map(one, *asked)).mean()
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return pd.DataFrame(pool.map(one, *asked, chunksize=20)).mean()


def test_a_little_of_it():
    assert study(60, (1.0, 1.0), 60).min() > 0.85


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "answering"),
    [(10, (1.0, 1.0)), (25, (1.0, 1.0)), (100, (1.0, 1.0)), (120, (0.2, 0.6)), (600, (0.2, 0.6))],
)
def test_coverage(n, answering):
    """1,500 surveys each: error of a share .6 points."""
    held = study(n, answering, 1_500, processes=2)
    print(n, answering, held.round(3).to_dict())
    assert held.between(0.93, 0.985).all(), held
