"""Simulated companies, linked and fitted, over and over: what the intervals of each effect held."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import scipy

from cxmodels.data import simulate
from cxmodels.data.event_log import event_log
from cxmodels.data.surveys import survey_base
from cxmodels.satisfaction.link import Linked, link
from cxmodels.satisfaction.outcomes import effects
from cxmodels.satisfaction.within import effects_within

LEVEL = 0.95
TRUTHS = {
    "leaving": "leaving",
    "orders": "orders",
    "orders: further lines": "breadth",
    "orders: amount a line": "order_value",
    "cases": "cases",
    "referrals": "referrals",
}
CONTROLS = "~ tenure + segment + channel"


def linked_company(made: simulate.Company, score: str = "recommend", scale=(0, 10)) -> Linked:
    """A simulated company's answers with what followed."""
    survey = survey_base(made.surveys, customer="customer_id", time="date", scores={score: scale})
    names = {"customer": "customer_id", "time": "date", "start": made.start, "end": made.end}
    logs = {
        "orders": event_log(
            made.transactions, amount="amount", order="order_id", product="product", **names
        ),
        "cases": event_log(made.cases, amount="cost", **names),
        "referrals": event_log(made.referrals, **names),
    }
    people = made.customers.merge(made.subscriptions[["customer_id", "end"]])
    people = people[["customer_id", "channel", "segment", "joined", "end"]]
    return link(
        survey, score=score, logs=logs, customers=people, since="joined", until="end", window="3M"
    )


def replication(seed: int, customers: int, weights: str | None) -> dict[str, float]:
    """Whether each kind of interval held the truth: naive, controlled, corrected."""
    made = simulate.company(customers, seed=seed)
    truth = made.truth.set_index("effect")["truth"]
    table = effects(linked_company(made), controls=CONTROLS, weights=weights, level=LEVEL).table
    table = table.set_index("outcome")
    z, held = scipy.special.ndtri((1 + LEVEL) / 2), {}
    for outcome, name in TRUTHS.items():
        row = table.loc[outcome]
        for kind, error in (("naive", "naive_error"), ("controlled", "controlled_error"),
                            ("corrected", "std_error")):  # fmt: skip
            held[f"{outcome}, {kind}"] = float(abs(row[kind] - truth[name]) <= z * row[error])
    return held


def study(
    runs: int, customers: int = 5_000, weights: str | None = None, processes: int = 1
) -> pd.DataFrame:
    """A row a simulated company."""
    asked = (np.arange(runs) + 1_000, [customers] * runs, [weights] * runs)
    if processes == 1:
        return pd.DataFrame(map(replication, *asked))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return pd.DataFrame(pool.map(replication, *asked, chunksize=4))


def own_replication(seed: int, customers: int) -> dict[str, float]:
    """Whether intervals within customers held the truth, with tenure left out of the controls."""
    set_to = simulate.Truth(tenure_orders=0.3)
    made = simulate.company(customers, seed=seed, truth=set_to)
    truth = made.truth.set_index("effect")["truth"]
    table = effects_within(linked_company(made), controls="~ segment", level=LEVEL)
    table = table.set_index("outcome")
    z, held = scipy.special.ndtri((1 + LEVEL) / 2), {}
    for outcome, name in TRUTHS.items():
        if outcome in table.index:
            row = table.loc[outcome]
            for kind, error in (("within", "within_error"), ("corrected", "std_error")):
                held[f"{outcome}, {kind}"] = float(abs(row[kind] - truth[name]) <= z * row[error])
    return held


def within_study(runs: int, customers: int, processes: int = 1) -> pd.DataFrame:
    """A row a simulated company."""
    asked = (np.arange(runs) + 5_000, [customers] * runs)
    if processes == 1:
        return pd.DataFrame(map(own_replication, *asked))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return pd.DataFrame(pool.map(own_replication, *asked, chunksize=4))
