"""Every column that a user meets is explained in the one glossary."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

import cxmodels as cx
from cxmodels import shareholders
from cxmodels.experiments.analysis import analyse
from cxmodels.experiments.assignment import assign
from cxmodels.experiments.comparisons import Means
from cxmodels.experiments.confidence_sequence import confidence_sequence
from cxmodels.experiments.decision import decide
from cxmodels.experiments.difference_in_differences import group_time_effects
from cxmodels.experiments.honest_bounds import honest_bounds
from cxmodels.experiments.imputation_effects import imputation_effects
from cxmodels.experiments.interrupted_series import interrupted_series
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.monitor import monitor
from cxmodels.experiments.plan import TestPlan
from cxmodels.experiments.power import sample_size
from cxmodels.experiments.reason import reason
from cxmodels.experiments.sequential import design, sequential_size
from cxmodels.experiments.stopping import after_stopping
from cxmodels.experiments.synthetic_control import synthetic_control
from cxmodels.experiments.synthetic_difference import synthetic_difference
from cxmodels.results.glossary import unexplained


@pytest.fixture(scope="module")
def tables():
    log = cx.samples.cdnow()
    base = cx.customer_base(
        log[log["customer_id"] < 5000],
        customer="customer_id",
        time="date",
        amount="amount",
        unit="week",
        end="1997-09-30",
        holdout_end="1998-06-30",
    )
    fit, spend = cx.BGNBD().fit(base), cx.GammaGamma().fit(base)
    seen = base.table.assign(early=base.table["T"] > 33.0)
    joined = base.with_covariates(seen[["customer_id", "early"]])
    covariates = cx.BGNBD().fit(joined, purchase="~ early").covariates
    value = cx.lifetime_value(fit, spend, base, horizon="12M", discount_rate=0.1, draws=50)
    columns = {"customer": "customer_id", "time": "date", "amount": "amount"}
    audit = cx.audit(log, period="month", **columns)
    lenses = {
        f"{lens.title}, {name}": table
        for lens in audit.lenses
        for name, table in lens.tables().items()
    }
    subs = cx.SubscriptionBase.from_survivors([1000, 869, 743, 653, 593], unit="year")
    sbg, terms = cx.SBG().fit(subs), {"discount_rate": 0.1, "draws": 50}
    worth = cx.subscription_value(sbg, subs, **terms)
    return lenses | {
        "spells": subs.spells,
        "cohorts": subs.cohorts,
        "survival": sbg.survival(range(5), draws=50),
        "retention": sbg.retention_rate([1, 2], draws=50),
        "lifetime": sbg.expected_lifetime(0, draws=50),
        "cohorts ahead": sbg.predict(subs, horizon="2Y", draws=50),
        "Kaplan-Meier": cx.kaplan_meier(subs),
        "retention tracking": cx.retention_tracking(sbg, subs, draws=50),
        "residual lifetime": cx.residual_lifetime(sbg, 2, **terms),
        "value of subscriptions": worth.total,
        "value by cohort": worth.cohorts,
        "base": base.table,
        "reconciliation": base.reconciliation,
        "tracking of the base": base.tracking,
        "parameters": fit.parameters.reset_index(),
        "effects": covariates.effects,
        "likelihood ratio": covariates.likelihood_ratio,
        "posterior": fit.posterior(100).interval().reset_index(),
        "predict": fit.predict(base, horizon="12M", draws=50),
        "new customer's purchases": fit.new_customer(horizon="12M", draws=50),
        "spend": spend.predict(base, draws=50),
        "independence": cx.independence(base, spend).table,
        "tracking": cx.tracking(fit, base, draws=20),
        "frequency": cx.frequency_table(fit, base, draws=20),
        "hold-out": cx.holdout_summary(fit, base, draws=20),
        "conditional": cx.conditional_expectation(fit, base, draws=20),
        "map": cx.recency_frequency_map(fit, T=39.0, horizon="12M"),
        "discounted": cx.discounted_purchases(fit, base, discount_rate=0.1),
        "iso-value": cx.iso_value(fit, spend, T=39.0, horizon="12M", discount_rate=0.1),
        "customers": value.customers,
        "equity": value.equity,
        "concentration": value.concentration,
        "lorenz": value.lorenz,
        "new customer": value.new_customer,
        "assumptions": value.assumptions,
    }


def test_every_column_is_explained(tables):
    missing = {name: unexplained(table.columns) for name, table in tables.items()}
    assert {name: found for name, found in missing.items() if found} == {}


def test_nothing_is_left_empty_in_silence(tables):
    whole = ("predict", "customers", "discounted", "iso-value", "map", "lorenz", "concentration")
    for name in whole:
        assert not tables[name].isna().to_numpy().any(), name


@pytest.fixture(scope="module")
def satisfied():
    """Tables of a simulated company's satisfaction."""
    made = cx.simulate.company(2_000, seed=3, quarters=12)
    scales = dict.fromkeys(["recommend", "quality", "price"], (0, 10))
    survey = cx.survey_base(made.surveys, customer="customer_id", time="date", scores=scales)
    names = {"customer": "customer_id", "time": "date", "start": made.start, "end": made.end}
    people = made.customers.merge(made.subscriptions[["customer_id", "end"]])
    people = people[["customer_id", "channel", "segment", "joined", "end"]]
    orders = cx.event_log(made.transactions, amount="amount", order="order_id", **names)
    linked = cx.satisfaction.link(
        survey, score="recommend", logs={"orders": orders}, customers=people, since="joined",
        until="end",
    )  # fmt: skip
    how = {"controls": "~ tenure + segment"}
    found = cx.satisfaction.effects(linked, **how)
    levels = cx.satisfaction.levels(linked, **how)
    asked = {"score": "recommend", "items": ["quality", "price"], "draws": 20}
    return {
        "survey": survey.reconciliation,
        "scores": cx.survey_scores(survey),
        "index": cx.survey_index(survey, ["quality", "price"]).table,
        "link": linked.reconciliation,
        "effects": found.table,
        "by segment": cx.satisfaction.effects_by(linked, "segment", controls="~ tenure"),
        "by level": levels.by_level,
        "curvature": levels.curvature,
        "gain and loss": levels.gain_loss,
        "promoters": cx.satisfaction.promoters(linked, **how),
        "drivers": cx.satisfaction.drivers(survey, **asked).table,
        "checks": cx.satisfaction.checks(linked, found).table,
        "acquisition": cx.satisfaction.acquisition_cost(survey, made.customers, score="recommend"),
        "SIMEX": cx.satisfaction.extrapolated(linked, draws=2, **how),
    }


def test_every_column_of_satisfaction_is_explained(satisfied):
    missing = {name: unexplained(table.columns) for name, table in satisfied.items()}
    assert {name: found for name, found in missing.items() if found} == {}


@pytest.fixture(scope="module")
def owned():
    """Tables of simulated firms and shares."""
    panel = cx.firm_panel(cx.simulate.market(60, 8, seed=1), controls=["abnormal_return"])
    shares = cx.simulate.stocks(40, 6, seed=1)
    found = cx.satisfaction_portfolios(cx.returns_of(shares.returns), shares.scores, shares.factors)
    daily = cx.simulate.stocks(20, 3, seed=1, frequency="day")
    events = daily.scores[daily.scores["released"] > "2006"].rename(columns={"released": "date"})
    study = cx.event_study(
        cx.returns_of(daily.returns), events, factors=daily.factors, model="factors"
    )
    ladder, news = cx.value_relevance(panel), cx.stock_response(panel)
    curve = shareholders.specification_curve(panel, shuffles=1)
    return {
        "ladder": ladder.table,
        "placebo": ladder.placebo,
        "response": news.table,
        "foreseen": news.foreseen,
        "claims": cx.claims(ladder).table,
        "alphas": found.alphas["CAPM"].table.drop(columns="Mkt-RF"),
        "conditional": found.conditional,
        "markets": found.markets,
        "holdings": found.holdings,
        "days": study.days,
        "windows": study.windows,
        "events": study.events,
        "family": shareholders.outcome_family(panel, ["q", "market value"]).table,
        "curve": curve.table,
        "summary": curve.summary,
        "error": shareholders.score_error(panel).lags,
    }


def test_every_column_of_owners_is_explained(owned):
    missing = {name: unexplained(table.columns) for name, table in owned.items()}
    assert {name: found for name, found in missing.items() if found} == {}


PLAN = {
    "question": "Do calls keep customers?", "lever": "call", "cost": 2.5, "unit": "id",
    "arms": ("as now", "call"), "start": "2026-03-01", "end": "2026-03-28", "looks": 4,
    "value": "margin",
}  # fmt: skip


def _of(name, record):
    """All tables of a record."""
    if isinstance(record, pd.DataFrame):
        return {name: record}
    held = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    return {f"{name}, {part}": table for part, table in held.items()
            if isinstance(table, pd.DataFrame)}  # fmt: skip


def _drawn():
    """Tables of a simulated test."""
    rng = np.random.default_rng(1)
    n = np.arange(2_000)
    day = pd.Timestamp("2026-03-01") + pd.to_timedelta(n // 100, "D")
    seen = pd.DataFrame({"id": n, "arm": np.where(n % 2, "call", "as now"), "day": day,
                         "age": rng.normal(size=n.size), "device": np.where(n % 3, "ios", "web"),
                         "score": rng.normal(7.0, 1.0, n.size) + n % 2})  # fmt: skip
    seen = seen.assign(minutes=rng.gamma(2.0, 3.0, n.size), spend=3.0 * seen["score"] + n % 7)
    metrics = (Metric("spend", role="spend"), Metric("minutes", margin=1.0))
    plan = TestPlan(metrics=metrics, **PLAN)
    watched = monitor(seen, plan=plan, day="day", by="device", covariates="age")
    found = analyse(seen, arm="arm", control="as now", metrics=metrics)
    chain = reason(seen, arm="arm", control="as now", satisfaction="score", money="spend")
    return {
        "watched": watched, "sizes": watched.sample_ratio, "balance": watched.balance,
        "analysed": found, "moments": found.moments.table, "reason": chain, "design": design(3),
        "planned": sample_size(Means(sd=1.0), 0.1),
        "looks": sequential_size(Means(sd=1.0), 0.1, design(3)),
        "sequence": confidence_sequence([0.9], [0.3], [500], tuned=500),
        "stopped": after_stopping(design(3), 2, 0.3, 0.1).face().table,
        "decision": decide(3.0, 1.0, cost=1.0, units=1_000),
        "assigned": assign(range(100), arms=["a", "b"], salt="x"),
    }  # fmt: skip


def _observed():
    """Tables of what is claimed where nothing was drawn."""
    rng = np.random.default_rng(2)
    unit, period = np.divmod(np.arange(90 * 10), 10)
    first = np.array([np.nan, 4.0, 6.0])[unit % 3]
    rolled = pd.DataFrame({"u": unit, "t": period, "g": first, "y": rng.normal(size=900)})
    rolled["y"] += (period >= np.nan_to_num(first, nan=99.0)) + unit % 7
    of = {"unit": "u", "period": "t"}
    effects = group_time_effects(rolled, "y", first_treated="g", base="universal", **of)
    few = rolled[rolled["u"] < 10]
    one = {"treated": 3, "start": 6, **of}
    series = pd.DataFrame({"t": range(40), "y": rng.normal(size=40)})
    return {
        "effects": effects, "by time": effects.aggregate("dynamic"),
        "by group": effects.aggregate("group"), "by period": effects.aggregate("calendar"),
        "imputed": imputation_effects(rolled, "y", first_treated="g", **of),
        "bounds": honest_bounds(effects.event_times()),
        "synthetic": synthetic_control(few, "y", **one),
        "difference": synthetic_difference(few, "y", replications=20, **one),
        "series": interrupted_series(series, "y", period="t", start=25),
    }  # fmt: skip


def test_every_column_of_tests_is_explained():
    records = _drawn() | _observed()
    tables = {key: table for name, own in records.items() for key, table in _of(name, own).items()}
    own = {"assigned, table": ["id", "customer_id"]}
    missing = {name: unexplained(map(str, table.columns), own.get(name, ()))
               for name, table in tables.items()}  # fmt: skip
    assert {name: found for name, found in missing.items() if found} == {}
