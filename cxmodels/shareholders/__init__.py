"""What a change in satisfaction means to the owners of a firm."""

from cxmodels.data.release_days import Aligned, aligned
from cxmodels.shareholders.claims import Claims, claims
from cxmodels.shareholders.event_study import EventStudy, event_study
from cxmodels.shareholders.factor_model import Alphas, Grs, factor_alphas, grs
from cxmodels.shareholders.family import Family, outcome_family
from cxmodels.shareholders.firm_returns import firm_returns
from cxmodels.shareholders.firm_value import ValueRelevance, value_relevance
from cxmodels.shareholders.portfolios import Portfolios, satisfaction_portfolios
from cxmodels.shareholders.score_error import ScoreError, score_error
from cxmodels.shareholders.specifications import SpecificationCurve, specification_curve
from cxmodels.shareholders.stock_response import StockResponse, stock_response
from cxmodels.shareholders.survivors import SurvivorBounds, survivor_bounds

__all__ = [
    "Aligned",
    "Alphas",
    "Claims",
    "EventStudy",
    "Family",
    "Grs",
    "Portfolios",
    "ScoreError",
    "SpecificationCurve",
    "StockResponse",
    "SurvivorBounds",
    "ValueRelevance",
    "aligned",
    "claims",
    "event_study",
    "factor_alphas",
    "firm_returns",
    "grs",
    "outcome_family",
    "satisfaction_portfolios",
    "score_error",
    "specification_curve",
    "stock_response",
    "survivor_bounds",
    "value_relevance",
]
