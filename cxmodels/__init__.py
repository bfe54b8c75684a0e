"""Customer lifetime value, customer equity and what satisfaction is worth, with intervals."""

from cxmodels import satisfaction
from cxmodels.data import samples, simulate
from cxmodels.data.cohorts import cohort_table
from cxmodels.data.event_log import event_log
from cxmodels.data.firms import firm_panel
from cxmodels.data.returns import returns_of
from cxmodels.data.subscriptions import SubscriptionBase
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.summary_query import cohort_sql, summary_sql
from cxmodels.data.surveys import survey_base
from cxmodels.data.transactions import customer_base
from cxmodels.errors import CxError, DataError, FitError, OptionError
from cxmodels.experiments.plan import TestPlan
from cxmodels.likelihood.posterior import NormalPrior
from cxmodels.measures.audit import audit
from cxmodels.measures.survey_scores import survey_index, survey_scores
from cxmodels.purchases.backtest import conditional_expectation, holdout_summary
from cxmodels.purchases.bg_bb import BGBB
from cxmodels.purchases.bg_cnbd import BGCNBD, MBGCNBD
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.dependent_pareto_nbd import DependentParetoNBD
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.ggompertz_nbd import GGompertzNBD
from cxmodels.purchases.maps import recency_frequency_map
from cxmodels.purchases.mbg_nbd import MBGNBD
from cxmodels.purchases.nbd import NBD
from cxmodels.purchases.pareto_nbd import ParetoNBD
from cxmodels.purchases.rate_dependence import rate_dependence
from cxmodels.purchases.regularity import regularity
from cxmodels.purchases.selection import Selection, select
from cxmodels.purchases.tracking import frequency_table, tracking
from cxmodels.shareholders import (
    claims,
    event_study,
    satisfaction_portfolios,
    stock_response,
    value_relevance,
)
from cxmodels.spend.drift import order_drift
from cxmodels.spend.fitted import FittedSpend
from cxmodels.spend.gamma_gamma import GammaGamma
from cxmodels.spend.independence import independence
from cxmodels.spend.normal_normal import NormalNormal
from cxmodels.subscriptions.bdw import BDW
from cxmodels.subscriptions.fitted import FittedSubscriptions
from cxmodels.subscriptions.kaplan_meier import kaplan_meier
from cxmodels.subscriptions.sbg import SBG
from cxmodels.subscriptions.tracking import retention_tracking
from cxmodels.subscriptions.weibull_gamma import WeibullGamma
from cxmodels.value.averaging import average_value
from cxmodels.value.change import value_change
from cxmodels.value.contract_value import residual_lifetime, subscription_value
from cxmodels.value.discounted_purchases import discounted_purchases
from cxmodels.value.from_lifetimes import from_lifetimes
from cxmodels.value.iso_value import iso_value
from cxmodels.value.lifetime_value import Value, lifetime_value
from cxmodels.value.saved import load
from cxmodels.value.spend_dependence import spend_dependence

__version__ = "0.1.0"

__all__ = [
    "BDW",
    "BGBB",
    "BGCNBD",
    "BGNBD",
    "MBGCNBD",
    "MBGNBD",
    "NBD",
    "SBG",
    "CustomerBase",
    "CxError",
    "DataError",
    "DependentParetoNBD",
    "FitError",
    "FittedPurchases",
    "FittedSpend",
    "FittedSubscriptions",
    "GGompertzNBD",
    "GammaGamma",
    "NormalNormal",
    "NormalPrior",
    "OptionError",
    "ParetoNBD",
    "Selection",
    "SubscriptionBase",
    "TestPlan",
    "Value",
    "WeibullGamma",
    "__version__",
    "audit",
    "average_value",
    "claims",
    "cohort_sql",
    "cohort_table",
    "conditional_expectation",
    "customer_base",
    "discounted_purchases",
    "event_log",
    "event_study",
    "firm_panel",
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
    "residual_lifetime",
    "retention_tracking",
    "returns_of",
    "samples",
    "satisfaction",
    "satisfaction_portfolios",
    "select",
    "simulate",
    "spend_dependence",
    "stock_response",
    "subscription_value",
    "summary_sql",
    "survey_base",
    "survey_index",
    "survey_scores",
    "tracking",
    "value_change",
    "value_relevance",
]
