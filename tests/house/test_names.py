"""The public face is frozen: a name is added or taken away on purpose, here and in an issue."""

import cxmodels as cx

FACE = {
    "event_log",
    "satisfaction",
    "simulate",
    "survey_base",
    "survey_index",
    "survey_scores",
    "AveragedValue",
    "Audit",
    "BGCNBD",
    "BGBB",
    "BDW",
    "BGNBD",
    "CohortTable",
    "CustomerBase",
    "CxError",
    "DataError",
    "DependentParetoNBD",
    "FitError",
    "FittedPurchases",
    "FittedSpend",
    "GGompertzNBD",
    "FittedSubscriptions",
    "GammaGamma",
    "NBD",
    "MBGCNBD",
    "MBGNBD",
    "NormalNormal",
    "NormalPrior",
    "OptionError",
    "ParetoNBD",
    "Selection",
    "SBG",
    "SubscriptionBase",
    "SubscriptionValue",
    "Value",
    "WeibullGamma",
    "__version__",
    "average_value",
    "audit",
    "cohort_sql",
    "cohort_table",
    "conditional_expectation",
    "customer_base",
    "discounted_purchases",
    "frequency_table",
    "from_lifetimes",
    "holdout_summary",
    "independence",
    "iso_value",
    "kaplan_meier",
    "lifetime_value",
    "load",
    "order_drift",
    "rate_dependence",
    "recency_frequency_map",
    "regularity",
    "samples",
    "select",
    "spend_dependence",
    "residual_lifetime",
    "retention_tracking",
    "subscription_value",
    "summary_sql",
    "tracking",
}
FIT = {
    "aic",
    "at",
    "bic",
    "conditional_pmf",
    "covariance",
    "covariates",
    "estimate",
    "interval",
    "log_likelihood",
    "new_customer",
    "notes",
    "parameters",
    "pmf",
    "posterior",
    "predict",
    "rows",
    "save",
    "simulate",
    "status",
    "theta",
}


def test_the_face_is_as_agreed():
    assert set(cx.__all__) == FACE
    assert len(FACE) <= 70
    assert all(hasattr(cx, name) for name in FACE)


def test_a_fit_can_be_asked_what_was_agreed():
    annotated = {name for kind in cx.FittedPurchases.__mro__ for name in vars(kind)}
    annotated |= set(cx.FittedPurchases.__dataclass_fields__)
    assert annotated >= FIT
