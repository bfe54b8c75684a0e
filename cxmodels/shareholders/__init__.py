"""What a change in satisfaction means to the owners of a firm."""

from cxmodels.shareholders.event_study import EventStudy, event_study
from cxmodels.shareholders.firm_value import ValueRelevance, value_relevance
from cxmodels.shareholders.score_error import ScoreError, score_error

__all__ = [
    "EventStudy",
    "ScoreError",
    "ValueRelevance",
    "event_study",
    "score_error",
    "value_relevance",
]
