"""The words of every table: what a column means and in which unit it is counted.

Tables of all rooms take their column names from here; a test holds them to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

TIME = "time, in the unit of the base"
MONEY = "money, in the currency of the base"
COUNT = "count"
SHARE = "share, 0 to 1"
DATE = "date"
TEXT = "text"
MIXED = "the unit stated in the row"


@dataclass(frozen=True)
class Column:
    """One column: its name, what it means, and its unit."""

    name: str
    meaning: str
    unit: str


_CUSTOMERS = (
    Column("customer_id", "who the customer is, as in the log", TEXT),
    Column("frequency", "repeat occasions: occasions after the first", COUNT),
    Column("recency", "time from the first occasion to the last one", TIME),
    Column("T", "time from the first occasion to the end of the window", TIME),
    Column("monetary_value", "mean amount of the paid repeat occasions", MONEY),
    Column("paid_frequency", "repeat occasions with an amount above 0", COUNT),
    Column("first_date", "first occasion", DATE),
    Column("last_date", "last occasion inside the window", DATE),
    Column("cohort", "month of the first occasion", TEXT),
    Column("holdout_frequency", "occasions in the hold-out", COUNT),
    Column("holdout_amount", "amount bought in the hold-out", MONEY),
)
_RECONCILIATION = (
    Column("item", "what the row is about", TEXT),
    Column("rows", "rows of the log", COUNT),
    Column("customers", "customers concerned", COUNT),
    Column("amount", "money of these rows", MONEY),
    Column("note", "what to know about the row, in words", TEXT),
)
_TRACKING = (
    Column("period", "number of the period, from 1", COUNT),
    Column("period_start", "first day of the period", DATE),
    Column("period_end", "last day of the period", DATE),
    Column("part", "calibration or hold-out", TEXT),
    Column("repeat_purchases", "repeat occasions in the period", COUNT),
    Column("buyers_new", "customers whose first occasion lies in the period", COUNT),
    Column("actual", "what happened", MIXED),
    Column("expected", "what the model expects", MIXED),
    Column("cumulative_actual", "what happened, up to the end of the period", COUNT),
    Column("cumulative_expected", "what the model expects, up to the end of the period", COUNT),
    Column("cumulative_lower", "lower end of the interval of the cumulative count", COUNT),
    Column("cumulative_upper", "upper end of the interval of the cumulative count", COUNT),
    Column("metric", "name of a measure of accuracy", TEXT),
    Column("value", "value of what the row names", MIXED),
    Column("unit", "unit of the row", TEXT),
)
_ESTIMATES = (
    Column("parameter", "name of a model parameter, in the paper's letters", TEXT),
    Column("window", "data behind the estimate: calibration, or all", TEXT),
    Column("estimate", "the best single answer", MIXED),
    Column("std_error", "standard error of the estimate", MIXED),
    Column("mean", "mean of the posterior draws", MIXED),
    Column("std_dev", "standard deviation of the posterior draws", MIXED),
    Column("lower", "lower end of the interval at the level asked for", MIXED),
    Column("upper", "upper end of the interval at the level asked for", MIXED),
    Column("draw", "number of a posterior draw, from 0", COUNT),
    Column("log_likelihood", "log of the likelihood, the others refitted", "log units"),
    Column("process", "what a covariate moves: purchase, or dropout", TEXT),
    Column("covariate", "column of a design, as in channel[web]", TEXT),
    Column("effect_per_cent", "what one unit of the covariate adds to what it moves", "per cent"),
    Column("moves", "what a covariate multiplies, in words", TEXT),
    Column("statistic", "twice the gain of log likelihood", "log units"),
    Column("degrees_of_freedom", "coefficients that the statistic tests", COUNT),
    Column("p_value", "probability of as large a statistic by chance alone", SHARE),
    Column("below_maximum", "log likelihood lost against the best fit", "log units"),
)
_PREDICTIONS = (
    Column("p_alive", "probability to be still a customer at the end of the window", SHARE),
    Column("p_alive_at_horizon", "probability to be still a customer at the horizon", SHARE),
    Column("expected_purchases", "expected occasions within the horizon", COUNT),
    Column("purchases_lower", "lower end of the predictive interval of the count", COUNT),
    Column("purchases_upper", "upper end of the predictive interval of the count", COUNT),
    Column("p_no_purchase", "probability of no occasion within the horizon", SHARE),
    Column("discounted_purchases", "expected occasions, each discounted to today", COUNT),
    Column("expected_spend", "expected amount per paid occasion", MONEY),
    Column("spend_lower", "lower end of the predictive interval of the next amount", MONEY),
    Column("spend_upper", "upper end of the predictive interval of the next amount", MONEY),
    Column("population_mean", "mean amount over all customers of the population", MONEY),
)
_VALUES = (
    Column("residual_value", "discounted margin that a present customer still brings", MONEY),
    Column("residual_value_lower", "lower end of the interval of the residual value", MONEY),
    Column("residual_value_upper", "upper end of the interval of the residual value", MONEY),
    Column("p_below", "probability that the residual value stays below the stated amount", SHARE),
    Column("lifetime_value", "discounted margin of a new customer, over the whole life", MONEY),
    Column("variance_share", "share of the interval's variance from this source", SHARE),
    Column("estimand", "what exactly is estimated, in words", TEXT),
    Column("outcome_lower", "lower end of the interval of one customer's outcome", MONEY),
    Column("outcome_upper", "upper end of the interval of one customer's outcome", MONEY),
    Column("first_purchase", "margin of a new customer's first purchase", MONEY),
    Column("repeat_purchases_value", "discounted margin of a new customer's later ones", MONEY),
    Column("correlation", "rank correlation of order count and mean order", "-1 to 1"),
    Column("by_chance", "rank correlation that independence itself would show", "-1 to 1"),
    Column("sentence", "what it means, in words", TEXT),
    Column("group", "a part of the customers, as in top 5 per cent", TEXT),
    Column("share", "share of the total", SHARE),
    Column("customers_share", "share of customers, from the least valuable up", SHARE),
    Column("value_share", "share of value they hold", SHARE),
)

GLOSSARY = {
    column.name: column
    for column in (
        *_CUSTOMERS,
        *_RECONCILIATION,
        *_TRACKING,
        *_ESTIMATES,
        *_PREDICTIONS,
        *_VALUES,
    )
}


def unexplained(columns: Iterable[str], own: Iterable[str] = ()) -> tuple[str, ...]:
    """Column names that the glossary does not explain.

    Args: columns: of a table, index names included; own: names the user brought (covariates).

    >>> unexplained(["customer_id", "p_alive", "p_dead"])
    ('p_dead',)
    """
    known = {*GLOSSARY, *own}
    return tuple(name for name in columns if name not in known)
