"""The words of every table: what a column means and in which unit it is counted.

Tables of all rooms take their column names from here; a test holds them to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cxmodels.results.glossary_tests import TESTS

TIME = "time, in the unit of the base"
MONEY = "money, in the currency of the base"
COUNT = "count"
SHARE = "share, 0 to 1"
DATE = "date"
TEXT = "text"
NUMBER = "a pure number"
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
    Column("log_interval_sum", "natural logs of the intervals between occasions, summed", NUMBER),
    Column("interval_share", "last but one interval over the sum of the last two", SHARE),
    Column("first_date", "first occasion", DATE),
    Column("last_date", "last occasion inside the window", DATE),
    Column("cohort", "month, quarter or year of the first occasion; sorts by time", TEXT),
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
    Column("period", "the period: its number from 1 in tracking, else its calendar name", COUNT),
    Column("period_start", "first day of the period", DATE),
    Column("period_end", "last day of the period", DATE),
    Column("part", "calibration or hold-out; of an effect, direct, through others or in all", TEXT),
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
_SUBSCRIPTIONS = (
    Column("age", "time since the contract began, or the age reached", "periods of the base"),
    Column("window", "time over which the contract could be observed", "periods of the base"),
    Column("entry", "age from which the contract was observed", "periods of the base"),
    Column("lasted", "age at which the contract was still active", "periods of the base"),
    Column("ended", "age by which it had ended, infinite if still active", "periods of the base"),
    Column("acquired", "customers acquired", COUNT),
    Column("previous", "customers who were up for renewal one period ago", COUNT),
    Column("renewed", "those of them who renewed", COUNT),
    Column("active", "whether the contract is active", "yes or no"),
    Column("at_risk", "customers just before the age who could leave at it", COUNT),
    Column("lost", "customers who left at the age or in the period", COUNT),
    Column("survival", "probability to be active at the age", SHARE),
    Column("survival_lower", "lower end of the interval of survival", SHARE),
    Column("survival_upper", "upper end of the interval of survival", SHARE),
    Column("survival_actual", "share active at the age, by Kaplan and Meier", SHARE),
    Column("survival_actual_lower", "lower end of Kaplan and Meier's band", SHARE),
    Column("survival_actual_upper", "upper end of Kaplan and Meier's band", SHARE),
    Column("survival_naive", "share active if everybody renewed at one mean rate", SHARE),
    Column("retention_rate", "probability to renew at the age, if active before", SHARE),
    Column("retention_lower", "lower end of the interval of the retention rate", SHARE),
    Column("retention_upper", "upper end of the interval of the retention rate", SHARE),
    Column("retention_actual", "share that renewed at the age", SHARE),
    Column("p_active", "probability to be active at the horizon, if active now", SHARE),
    Column("expected_customers", "customers expected to be active at the horizon", COUNT),
    Column("customers_lower", "lower end of the predictive interval of the count", COUNT),
    Column("customers_upper", "upper end of the predictive interval of the count", COUNT),
    Column("expected_lifetime", "expected renewals still to come", COUNT),
    Column("discounted_lifetime", "expected renewals still to come, each discounted", COUNT),
    Column("value_lower", "lower end of the interval of the expected value", MONEY),
    Column("value_upper", "upper end of the interval of the expected value", MONEY),
    Column("naive_value", "value if everybody renewed at one constant rate", MONEY),
    Column("difference", "residual value less naive value", MONEY),
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

_AUDIT = (
    Column("age", "periods since the period of acquisition, which is 0", COUNT),
    Column("active_customers", "customers with an occasion in the period", COUNT),
    Column("new_customers", "customers whose first occasion lies in the period", COUNT),
    Column("orders", "occasions, as the door counts them: by default a customer's day", COUNT),
    Column("revenue", "amount of the orders, refunds netted", MONEY),
    Column("complete", "whether the window holds the whole period", TEXT),
    Column("n", "how many customers stand behind the row", COUNT),
    Column("basis", "census: all counted; or estimate, and how its interval is made", TEXT),
    Column("quantile", "share of customers who lie at the value or below", SHARE),
    Column("decile", "tenth of the customers by revenue, 1 the largest", COUNT),
    Column("orders_per_customer", "orders per active customer", "orders per customer"),
    Column("value_per_order", "revenue per order", MONEY),
    Column("revenue_per_customer", "revenue per active customer", MONEY),
    Column("revenue_share", "share of the revenue of all", SHARE),
    Column("least", "smallest revenue of a customer of the row", MONEY),
    Column("most", "largest revenue of a customer of the row", MONEY),
    Column("orders_before", "orders in the earlier period", COUNT),
    Column("orders_after", "orders in the later period", COUNT),
    Column("revenue_before", "revenue in the earlier period", MONEY),
    Column("revenue_after", "revenue in the later period", MONEY),
    Column("change", "revenue gained from the earlier period to the later", MONEY),
    Column("driver", "what changed: customers, orders per customer, value per order", TEXT),
    Column("before", "the driver in the earlier period", MIXED),
    Column("after", "the driver in the later period", MIXED),
    Column("stayed_share", "share of the earlier period's customers who bought again", SHARE),
    Column("active_share", "active customers per customer acquired; 1 at age 0", SHARE),
    Column("active_share_lower", "lower end of the interval of the active share", SHARE),
    Column("active_share_upper", "upper end of the interval of the active share", SHARE),
    Column("revenue_per_acquired", "revenue per customer acquired", MONEY),
    Column("cumulative_per_acquired", "revenue so far per customer acquired", MONEY),
    Column("days", "days since the first occasion", "days"),
    Column("at_risk", "customers followed so far without a second occasion", COUNT),
    Column("events", "customers whose second occasion is on this day", COUNT),
    Column("revenue_new", "revenue of customers acquired in the period", MONEY),
    Column("new_revenue_share", "share of revenue from customers acquired in the period", SHARE),
    Column("growth", "change relative to the row before, whole periods only", SHARE),
    Column("revenue_first_period", "revenue in the period of acquisition", MONEY),
    Column("revenue_last_period", "revenue in the last period of the window", MONEY),
    Column("returned_share", "share that bought again so far; the young had less time", SHARE),
    Column("returned_share_lower", "lower end of the interval of the returned share", SHARE),
    Column("returned_share_upper", "upper end of the interval of the returned share", SHARE),
)

_POINTS = "log or log odds, a point of the score"
_SATISFACTION = (
    Column("outcome", "what customers did after an answer", TEXT),
    Column("naive", "effect of the score alone", _POINTS),
    Column("naive_error", "standard error of the naive effect", _POINTS),
    Column("controlled", "effect beside controls", _POINTS),
    Column("controlled_error", "standard error of the controlled effect", _POINTS),
    Column("corrected", "the same for a score read without error", _POINTS),
    Column("per_cent", "change with one point more", "per cent"),
    Column("per_cent_lower", "lower end of the interval of the change", "per cent"),
    Column("per_cent_upper", "upper end of the interval of the change", "per cent"),
    Column("money_a_year", "change with one point more, a customer and year", MONEY),
    Column("money_a_year_lower", "lower end of its interval", MONEY),
    Column("money_a_year_upper", "upper end of its interval", MONEY),
    Column("per_sd", "effect of a standard deviation of the score", "log or log odds"),
    Column("reliability", "share of the score's variance that is no error", SHARE),
    Column("score_level", "answers of this score", "as the score"),
    Column("against", "level or group that it is compared with", TEXT),
    Column("answers", "answers behind the row", COUNT),
    Column("moved", "a point gained or lost since the answer before", TEXT),
    Column("per", "what a mean is told by, as in a year", TEXT),
    Column("raw", "mean of the group as it is", "the outcome's, by `per`"),
    Column("raw_lower", "lower end of the interval of the raw mean", "the outcome's, by `per`"),
    Column("raw_upper", "upper end of the interval of the raw mean", "the outcome's, by `per`"),
    Column("adjusted_lower", "lower end of the interval of the adjusted mean", "as raw"),
    Column("adjusted_upper", "upper end of the interval of the adjusted mean", "as raw"),
    Column("effect", "effect of the first score beside the next", _POINTS),
    Column("placebo", "effect of the next score on what came before it", _POINTS),
    Column("fires", "whether the placebo is significant, shared out over outcomes", TEXT),
    Column("e_value", "ratio by which a cause left out would go with both", "ratio"),
    Column("e_value_interval", "the same for the interval's end nearest to none", "ratio"),
    Column(
        "robustness_value",
        "share of what is left of score and outcome that a cause left out would have to explain "
        "to bring the effect to 0 (of a linear model)",
        SHARE,
    ),
    Column("strongest", "the control that would cost most, were a cause as strong left out", TEXT),
    Column("left_by_strongest", "share of the effect that such a cause would leave", SHARE),
    Column("attribute", "a question on one side of the product or service", TEXT),
    Column("performance", "mean answer", "as the attribute's scale"),
    Column("point", "points of the score, a point of the attribute, corrected", "points a point"),
    Column("point_lower", "lower end of its interval", "points a point"),
    Column("point_upper", "upper end of its interval", "points a point"),
    Column("point_naive", "the same as answered", "points a point"),
    Column("point_naive_lower", "lower end of its interval", "points a point"),
    Column("point_naive_upper", "upper end of its interval", "points a point"),
    Column("share_lower", "lower end of the interval of the share", SHARE),
    Column("share_upper", "upper end of the interval of the share", SHARE),
    Column("share_naive", "share of what is explained, as answered", SHARE),
    Column("share_naive_lower", "lower end of its interval", SHARE),
    Column("share_naive_upper", "upper end of its interval", SHARE),
    Column("score", "question that was answered", TEXT),
    Column("measure", "mean, top box, top two boxes or NPS", TEXT),
    Column("response_rate", "answers over invitations", SHARE),
    Column("alpha", "Cronbach's, of items; of portfolios, beyond what exposures pay", SHARE),
    Column("simex", "effect extrapolated to no error", _POINTS),
    Column("simulation_error", "of simex, by its draws alone", _POINTS),
    Column("effect_1", "effect with the score's own error added once", _POINTS),
    Column("effect_2", "effect with the score's own error added twice", _POINTS),
    Column("alike_p_value", "probability of such differences over groups by chance", SHARE),
    Column("cells", "channels by quarters", COUNT),
    Column("left_out", "customers without a known cost or score before them", COUNT),
)

_OWNERS = (
    Column("rung", "what is compared with what, from the loosest comparison to the tightest", TEXT),
    Column("per_within_sd", "effect of a standard deviation of a firm's scores", "as the effect"),
    Column("elasticity", "per cent of the outcome, a per cent of the score at its mean", "ratio"),
    Column("money", "of a point more, at the median firm", MONEY),
    Column("power", "smallest effect that is found four times in five", "as the effect"),
    Column("firms", "distinct firms", COUNT),
    Column("column", "column of the regression", TEXT),
    Column(
        "of_satisfaction",
        "a point of satisfaction, should the market see that",
        "percentage points of return",
    ),
    Column("of_satisfaction_error", "its standard error", "percentage points of return"),
    Column("of", "what is foreseen: score or earnings", TEXT),
    Column("lag", "periods before, or between two scores", COUNT),
    Column("persistence", "what a unit then goes with now", "ratio"),
    Column("claim", "what is said of satisfaction", TEXT),
    Column("source", "who says it; yours for your own", TEXT),
    Column("figure", "its size, in its own unit", "as said"),
    Column("estimated", "what was compared to get it", TEXT),
    Column("verdict", "what is known of it", TEXT),
    Column("portfolio", "group of firms by their scores, best less worst, or all of them", TEXT),
    Column("factors", "what returns are explained by", TEXT),
    Column("t", "estimate over its standard error", "ratio"),
    Column("a_year", "alpha a year", "per cent"),
    Column("detectable", "smallest that is found four times in five", "as what stands before it"),
    Column("r_squared", "share of the variance that factors explain", SHARE),
    Column("periods", "months or days used", COUNT),
    Column("market", "months in which the market rose, or fell", TEXT),
    Column("months", "how many", COUNT),
    Column("month", "the month", TIME),
    Column("turnover", "share of a portfolio that is bought anew", SHARE),
    Column("day", "trading days from the event", COUNT),
    Column("patell", "Patell's (1976) test, standardised by each firm's forecast error", "z"),
    Column("bmp", "Boehmer, Musumeci and Poulsen's (1991): the event may change variances", "z"),
    Column("kolari_pynnonen", "Kolari and Pynnonen's (2010): firms may move together", "z"),
    Column("rank", "Corrado's (1989) rank test", "z"),
    Column("sign", "Cowan's (1992) generalised sign test", "z"),
    *(
        Column(f"{name}_p", f"p-value of {name}", SHARE)
        for name in ("t", "patell", "bmp", "kolari_pynnonen", "rank", "sign")
    ),
    Column("asset", "firm or index whose returns these are", TEXT),
    Column("date", "the day", TIME),
    Column("day0", "first trading day on or after it", TIME),
    Column("car", "cumulative abnormal return of the window", SHARE),
    Column("bhar", "bought and held, less what was expected", SHARE),
    Column("scar", "cumulative abnormal return over its forecast error", "z"),
    Column("estimation_returns", "returns before the event that expectations are from", COUNT),
    Column("adjusted", "mean if all were of the group; p-value of a family", "as raw; a share"),
    Column("compares", "firms with others, or with themselves", TEXT),
    Column("significant", "whether the interval leaves out 0", TEXT),
    Column("controls", "held fixed", TEXT),
    Column("specifications", "ways of asking", COUNT),
    Column("median", "of their estimates", "as the estimates"),
    Column("lowest", "of their estimates", "as the estimates"),
    Column("highest", "of their estimates", "as the estimates"),
    Column("share_positive", "of estimates above 0", SHARE),
    Column("share_significant", "of intervals that leave out 0", SHARE),
    Column("p_median", "how often shuffled scores have a median as far from 0", SHARE),
    Column("p_significant", "how often they have as many significant", SHARE),
    Column("seen", "half the mean square of the difference of two scores", "points squared"),
    Column("fitted", "by the curve", "points squared"),
    Column("pairs", "pairs of scores", COUNT),
)

GLOSSARY = {
    column.name: column
    for column in (
        *_CUSTOMERS,
        *_RECONCILIATION,
        *_TRACKING,
        *_ESTIMATES,
        *_PREDICTIONS,
        *_SUBSCRIPTIONS,
        *_VALUES,
        *_AUDIT,
        *_SATISFACTION,
        *_OWNERS,
        *(Column(*row) for row in TESTS),
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
