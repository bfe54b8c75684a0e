"""A quarter's run with a survey: its tables, its part of the report, and what a bad one ends in."""

import json
from pathlib import Path

import pandas as pd
import pytest

from cxmodels.data import simulate

from .conftest import command

CONFIG = """
[source]
path = "orders.parquet"
customer = "customer_id"
time = "date"
amount = "amount"
order = "order_id"
[base]
unit = "week"
acquired_from = "2023-04-01"
end = "2024-12-31"
covariates = ["recommend"]
[model]
family = "ParetoNBD"
purchase = "~ recommend"
dropout = "~ recommend"
[value]
discount_rate = 0.10
margin = 0.30
currency = "EUR"
horizon = "24M"
[run]
draws = 200
[report]
simulated = true
[survey]
path = "surveys.parquet"
score = "recommend"
scale = [0, 10]
customers = "people.csv"
since = "joined"
until = "end"
controls = "~ tenure + segment"
end = "2024-12-31"
[survey.logs.referrals]
path = "referrals.parquet"
[survey.worth]
referrals = 25.0
"""


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    made = simulate.company(900, seed=8)
    people = made.customers.merge(made.subscriptions[["customer_id", "end"]])
    mean = made.surveys.groupby("customer_id")["recommend"].mean().round()
    orders = made.transactions.assign(
        recommend=made.transactions["customer_id"].map(mean).fillna(mean.mean().round())
    )
    return {"orders": orders, "surveys": made.surveys, "referrals": made.referrals,
            "people": people[["customer_id", "segment", "joined", "end"]]}  # fmt: skip


def _written(folder: Path, tables: dict[str, pd.DataFrame], text: str = CONFIG) -> Path:
    for name, table in tables.items():
        if name == "people":
            table.to_csv(folder / "people.csv", index=False)
        else:
            table.to_parquet(folder / f"{name}.parquet", index=False)
    (folder / "run.toml").write_text(text)
    return folder / "run.toml"


def test_a_run(tmp_path: Path, tables: dict[str, pd.DataFrame]) -> None:
    config = _written(tmp_path, tables)
    said = command("check", config)
    assert said.code == 0 and "answers linked, window 3 months" in said.out
    said = command("refresh", config, "--json")
    assert said.code == 0, said.err
    run = Path(said.facts["folder"])
    held = {path.stem for path in (run / "tables" / "satisfaction").iterdir()}
    assert held >= {"answers", "scores", "effects", "by_level", "curvature", "promoters", "said",
                    "value"}  # fmt: skip
    manifest = json.loads((run / "manifest.json").read_text())
    assert set(manifest["input"]["survey"]) == {"answers", "customers", "referrals"}
    told = manifest["results"]["satisfaction"]
    names = [row["outcome"] for row in told["effects"]]
    assert names[0] == "leaving" and "referrals" in names
    assert told["effects"][-1]["money_a_year"] > 0
    worth = pd.read_parquet(run / "tables" / "satisfaction" / "value.parquet")
    assert (worth["change"] > 0).all() and (worth["lower"] < worth["change"]).all()
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Does satisfaction (recommend) pay? Verdict" in page
    assert "What a change of the score is worth in customer value" in page
    assert command("report", run).code == 0
    assert command("refresh", config, "--json").facts["folder"] == str(run)  # nothing to do again


def test_other_answers_are_another_run(tmp_path: Path, tables: dict[str, pd.DataFrame]) -> None:
    from cxmodels.refresh.config import read_config
    from cxmodels.refresh.plan import plan_of

    first = plan_of(read_config(_written(tmp_path, tables))).fingerprint
    fewer = tables | {"surveys": tables["surveys"].iloc[:-1]}
    assert plan_of(read_config(_written(tmp_path, fewer))).fingerprint != first


def test_too_few_answers_end_in_words(tmp_path: Path, tables: dict[str, pd.DataFrame]) -> None:
    answered = tables["surveys"].dropna(subset="recommend").head(3)
    said = command("refresh", _written(tmp_path, tables | {"surveys": answered}), "--json")
    assert said.code == 0, said.err
    run = Path(said.facts["folder"])
    told = json.loads((run / "tables" / "satisfaction" / "said.json").read_text())
    assert "no outcome can be told" in told["verdict"] or "same score" in told["verdict"]
    assert "Which answers meet an outcome" in (run / "report.html").read_text(encoding="utf-8")


def test_answers_off_the_scale_break_the_contract(
    tmp_path: Path, tables: dict[str, pd.DataFrame]
) -> None:
    wrong = tables["surveys"].copy()
    wrong.loc[wrong.index[wrong["recommend"].notna()][:2], "recommend"] = 11.0
    said = command("refresh", _written(tmp_path, tables | {"surveys": wrong}))
    assert said.code == 3
    assert "score 'recommend' lies off its scale, 0 to 10" in said.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('score = "recommend"\n', "", "survey.score is missing: the column of the answers"),
        ("scale = [0, 10]", "scale = [10, 0]", "[survey] has a scale whose lowest"),
        ("scale = [0, 10]", "scale = [0]", "survey.scale"),
        ('since = "joined"', 'sinse = "joined"', "did you mean survey.since?"),
        ('path = "referrals.parquet"', 'path = "none.parquet"', "there is no file"),
        ("[survey.logs.referrals]", "[survey.logs.orders]", "a log called orders"),
        ('customers = "people.csv"\n', "", "since or until, columns of a table of customers"),
        ("[survey.worth]\nreferrals", "[survey.worth]\nreferral", "worth names 'referral'"),
    ],
)
def test_settings_that_cannot_be(
    tmp_path: Path, tables: dict[str, pd.DataFrame], old: str, new: str, words: str
) -> None:
    assert old in CONFIG
    said = command("refresh", _written(tmp_path, tables, CONFIG.replace(old, new)))
    assert said.code == 2, said.err
    assert words in said.err
