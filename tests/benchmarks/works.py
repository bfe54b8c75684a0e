"""The pieces of work that are timed: each prepares itself, then hands back what to measure.

A work is a function of the material; it returns a function without arguments that does the work
and says in a dictionary what came out, so that a fast wrong answer shows.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

import cxmodels as cx
from cxmodels.data.cohorts import CohortTable
from cxmodels.measures.audit import Audit
from tests.benchmarks.material import LOG_END, Material

Facts = dict[str, Any]

ANNUAL, MONTHLY = 1.01**12 - 1.0, 0.01  # one rate, as each program asks for it
COLUMNS = {"customer": "customer_id", "time": "time", "amount": "amount"}


@dataclass(frozen=True)
class Work:
    """do: what is timed; tell: what came out, looked at when the clock has stopped."""

    do: Callable[[], Any]
    tell: Callable[[Any], Facts]


def cdnow() -> cx.CustomerBase:
    """The CDNOW sample, calibration period."""
    log = cx.samples.cdnow()
    return cx.customer_base(
        log, customer="customer_id", time="date", amount="amount", unit="week", end="1997-09-30"
    )


def weekly(material: Material) -> cx.CustomerBase:
    """The simulated customers as a base."""
    return cx.CustomerBase.from_summary(material.summary, unit="week")


def _ended(fit: cx.FittedPurchases) -> Facts:
    return {"log_likelihood": round(fit.log_likelihood, 3), "status": fit.status.outcome.name}


def cx_fit_million(material: Material) -> Work:
    base = weekly(material)
    return Work(lambda: cx.BGNBD().fit(base), _ended)


def cx_fit_million_with_door(material: Material) -> Work:
    material.summary  # noqa: B018 - read now, not while timed
    return Work(lambda: cx.BGNBD().fit(weekly(material)), _ended)


def cx_fit_cdnow(material: Material) -> Work:
    base = cdnow()
    return Work(lambda: cx.BGNBD().fit(base), _ended)


def lifetimes_fit_million(material: Material) -> Work:
    return _lifetimes_fit(weekly(material))


def lifetimes_fit_cdnow(material: Material) -> Work:
    return _lifetimes_fit(cdnow())


def _lifetimes_fit(base: cx.CustomerBase) -> Work:
    """Its fit; the log likelihood of what it found by our formula, so that the two compare."""
    from lifetimes import BetaGeoFitter

    table = base.table

    def tell(model: Any) -> Facts:
        theta = np.array([model.params_[name] for name in ("r", "alpha", "a", "b")])
        objective = cx.BGNBD().objective(base.profiles)
        return {"log_likelihood": round(float(objective.log_likelihood(theta)), 3)}

    return Work(lambda: BetaGeoFitter().fit(table["frequency"], table["recency"], table["T"]), tell)


def cx_draws_cdnow(material: Material) -> Work:
    fit = cx.BGNBD().fit(cdnow())
    return Work(
        lambda: replace(fit, known={}).posterior(4000),
        lambda draws: {"draws": len(draws), "pareto_k": round(draws.pareto_k, 3)},
    )


def tenth(material: Material) -> cx.CustomerBase:
    """The first tenth of the simulated customers as a base."""
    table = material.summary
    return cx.CustomerBase.from_summary(table.head(max(500, len(table) // 10)), unit="week")


def cx_pareto_cdnow(material: Material) -> Work:
    base = cdnow()
    return Work(lambda: cx.ParetoNBD().fit(base), _ended)


def marketed(material: Material) -> cx.CustomerBase:
    """1,000 simulated customers over 150 weeks, each with marketing of their own every week, known
    for half a year more; simulated without effects."""
    customers, weeks = (1000, 150) if material.facts["customers"] >= 1_000_000 else (60, 30)
    rng = np.random.default_rng(2)
    bought = cx.ParetoNBD().fit(cdnow()).simulate(customers, T=float(weeks), seed=2)
    monday = pd.Timestamp("2022-01-03")
    log = bought.assign(time=monday + pd.to_timedelta(bought["time"] * 7, unit="D"))
    base = cx.customer_base(
        log, customer="customer_id", time="time", unit="week", collapse="none",
        end=monday + pd.Timedelta(days=7 * weeks - 1),
    )  # fmt: skip
    week = monday + pd.to_timedelta(np.arange(weeks + 26) * 7, unit="D")
    marketing = pd.DataFrame(
        {
            "customer_id": np.repeat(base.table["customer_id"], week.size),
            "week": np.tile(week, customers),
            "mails": rng.poisson(1.0, customers * week.size),
            "summer": np.tile(week.month.isin([6, 7, 8]).astype(int), customers),
        }
    )
    return base.with_covariates(marketing, time="week")


MARKETED = {"purchase": "~ mails + summer", "dropout": "~ mails"}


def cx_over_time(material: Material) -> Work:
    base = marketed(material)
    return Work(lambda: cx.ParetoNBD().fit(base, **MARKETED), _ended)


def cx_over_time_ahead(material: Material) -> Work:
    base = marketed(material)
    fit = cx.ParetoNBD().fit(base, **MARKETED)
    return Work(
        lambda: fit.predict(base, horizon="26W", draws=200), lambda found: {"rows": len(found)}
    )


def cx_pareto_100k(material: Material) -> Work:
    base = tenth(material)
    return Work(lambda: cx.ParetoNBD().fit(base), _ended)


def cx_pareto_draws_cdnow(material: Material) -> Work:
    fit = cx.ParetoNBD().fit(cdnow())
    return Work(
        lambda: replace(fit, known={}).posterior(4000),
        lambda draws: {"draws": len(draws), "pareto_k": round(draws.pareto_k, 3)},
    )


def lifetimes_pareto_cdnow(material: Material) -> Work:
    return _lifetimes_pareto(cdnow())


def lifetimes_pareto_100k(material: Material) -> Work:
    return _lifetimes_pareto(tenth(material))


def _lifetimes_pareto(base: cx.CustomerBase) -> Work:
    """Its fit; the log likelihood of what it found by our formula, so that the two compare."""
    from lifetimes import ParetoNBDFitter

    table = base.table

    def tell(model: Any) -> Facts:
        theta = np.array([model.params_[name] for name in ("r", "alpha", "s", "beta")])
        objective = cx.ParetoNBD().objective(base.profiles)
        return {"log_likelihood": round(float(objective.log_likelihood(theta)), 3)}

    return Work(
        lambda: ParetoNBDFitter().fit(table["frequency"], table["recency"], table["T"]), tell
    )


def cx_value_million(material: Material) -> Work:
    base = weekly(material)
    fit, spend = cx.BGNBD().fit(base), cx.GammaGamma().fit(base)

    def tell(value: cx.Value) -> Facts:
        total = value.equity.iloc[0]
        return {name: round(float(total[name])) for name in ("estimate", "lower", "upper")}

    return Work(
        lambda: cx.lifetime_value(fit, spend, base, horizon="12M", discount_rate=ANNUAL), tell
    )


def lifetimes_value_million(material: Material) -> Work:
    """Its value at the parameters that cxmodels found; its months are 4.345 weeks, paid at the end,
    and customers without a paid repeat order count as spending 0 in its shrinkage."""
    import pandas as pd
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    model, spend, table = BetaGeoFitter(), GammaGammaFitter(), material.summary
    model.params_ = pd.Series(material.facts["purchases"], index=("r", "alpha", "a", "b"))
    model.predict = model.conditional_expected_number_of_purchases_up_to_time  # as its fit does
    spend.params_ = pd.Series(material.facts["spend"], index=("p", "q", "v"))
    money = table["monetary_value"].fillna(0.0)

    def do() -> Any:
        return spend.customer_lifetime_value(
            model, table["frequency"], table["recency"], table["T"], money,
            time=12, discount_rate=MONTHLY, freq="W",
        )  # fmt: skip

    return Work(do, lambda value: {"estimate": round(float(value.sum()))})


def cx_log_to_base(material: Material) -> Work:
    return Work(
        lambda: cx.customer_base(str(material.log), **COLUMNS, unit="week", end=LOG_END).table,
        _counted,
    )


def _counted(table: Any) -> Facts:
    return {"customers": len(table), "repeats": int(table["frequency"].sum())}


def sql_log_to_base(material: Material) -> Work:
    """The text of `summary_sql`, pasted into DuckDB by a person who checks nothing."""
    import duckdb

    text = cx.summary_sql(table="sales", **COLUMNS, unit="week", end=LOG_END)

    def do() -> Any:
        with duckdb.connect() as connection:
            connection.execute(f"CREATE VIEW sales AS FROM read_parquet('{material.log}')")
            return connection.sql(text).df()

    return Work(do, _counted)


def cx_cohorts(material: Material) -> Work:
    def tell(found: CohortTable) -> Facts:
        return {"orders": int(found.table["orders"].sum())}

    return Work(lambda: cx.cohort_table(str(material.log), **COLUMNS, end=LOG_END), tell)


def sql_cohorts(material: Material) -> Work:
    """The text of `cohort_sql`, pasted into DuckDB by a person who checks nothing."""
    import duckdb

    text = cx.cohort_sql(table="sales", **COLUMNS, end=LOG_END)

    def do() -> Any:
        with duckdb.connect() as connection:
            connection.execute(f"CREATE VIEW sales AS FROM read_parquet('{material.log}')")
            return connection.sql(text).df()

    return Work(do, lambda table: {"orders": int(table["orders"].sum())})


def cx_audit(material: Material) -> Work:
    def do() -> Audit:
        return cx.audit(str(material.log), **COLUMNS, period="quarter", end=LOG_END)

    return Work(do, lambda found: {"title": found.one_period.title})


def _company(material: Material) -> cx.simulate.Company:
    """A simulated company a fifth of the size of the customer base, two thirds of whom answer."""
    truth = cx.simulate.Truth(response=0.68)
    many = max(material.facts["customers"] // 5, 2_000)
    return cx.simulate.company(many, seed=1, quarters=12, truth=truth)


def _linked(made: cx.simulate.Company) -> cx.satisfaction.Linked:
    names = {"customer": "customer_id", "time": "date", "start": made.start, "end": made.end}
    survey = cx.survey_base(
        made.surveys, customer="customer_id", time="date", scores={"recommend": (0, 10)}
    )
    orders = {"amount": "amount", "order": "order_id"}
    logs = {
        "orders": cx.event_log(made.transactions, **orders, **names),
        "cases": cx.event_log(made.cases, amount="cost", **names),
        "referrals": cx.event_log(made.referrals, **names),
    }
    people = made.customers.merge(made.subscriptions[["customer_id", "end"]])
    people = people[["customer_id", "channel", "segment", "joined", "end"]]
    return cx.satisfaction.link(
        survey, score="recommend", logs=logs, customers=people, since="joined", until="end"
    )


HOW = "~ tenure + segment + channel"


def cx_link(material: Material) -> Work:
    made = _company(material)
    return Work(lambda: _linked(made), lambda found: {"answers": len(found.table)})


def cx_effects(material: Material) -> Work:
    linked = _linked(_company(material))

    def tell(found: cx.satisfaction.Effects) -> Facts:
        own = found.table.set_index("outcome").loc["orders", "controlled"]
        return {"answers": len(linked.table), "orders": round(float(own), 6)}

    return Work(lambda: cx.satisfaction.effects(linked, controls=HOW), tell)


def statsmodels_effects(material: Material) -> Work:
    """The same models with controls in statsmodels; nothing naive, nothing corrected."""
    import statsmodels.api as sm

    from cxmodels.satisfaction.fitting import outcomes_of, prepared

    given = prepared(_linked(_company(material)), HOW, None)
    families = {
        "YES_NO": sm.families.Binomial(),
        "COUNT": sm.families.Poisson(),
        "AMOUNT": sm.families.Gamma(sm.families.links.Log()),
    }

    def do() -> dict[str, float]:
        found = {}
        for outcome in outcomes_of(given.linked):
            x = np.column_stack([given.score[outcome.rows], given.columns[outcome.rows]])
            offset = None if outcome.exposure is None else np.log(outcome.exposure)
            model = sm.GLM(outcome.y, x, family=families[outcome.kind.name], offset=offset)
            groups = {"groups": given.cluster[outcome.rows]}
            fit = model.fit(cov_type="cluster", cov_kwds=groups)
            found[outcome.name] = float(fit.params[0])
        return found

    def tell(found: dict[str, float]) -> Facts:
        return {"answers": len(given.linked.table), "orders": round(found["orders"], 6)}

    return Work(do, tell)


def lifetimes_log_to_base(material: Material) -> Work:
    import pandas as pd
    from lifetimes.utils import summary_data_from_transaction_data

    def do() -> Any:
        return summary_data_from_transaction_data(
            pd.read_parquet(material.log), "customer_id", "time", "amount",
            observation_period_end=LOG_END, freq="D",
        )  # fmt: skip

    return Work(do, _counted)


def cx_import(material: Material) -> Work:
    return _import("cxmodels")


def lifetimes_import(material: Material) -> Work:
    return _import("lifetimes")


def pandas_scipy_import(material: Material) -> Work:
    return _import("pandas, scipy.special")


def _import(name: str) -> Work:
    """An import in a process of its own; its processor time, the interpreter's start left out."""
    import json
    import subprocess
    import sys

    program = (
        "import time, json; start = time.process_time(); before = time.perf_counter(); "
        f"import {name}; "
        "print(json.dumps([time.process_time() - start, time.perf_counter() - before]))"
    )

    def do() -> Any:
        ran = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program], capture_output=True, check=True
        )
        return json.loads(ran.stdout)

    return Work(do, lambda found: {"processor": found[0], "seconds": found[1]})


def quiet(function: Callable[..., Any]) -> Callable[..., Any]:
    """lifetimes warns on current NumPy and pandas; that is not what is measured."""

    def called(*arguments: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments)

    return called
