"""Simulated companies whose truth is known: the test bed of what is said of satisfaction.

Every table has a column `simulated`.
"""

from cxmodels.data.simulate.company import Company, company
from cxmodels.data.simulate.market import MarketTruth, market
from cxmodels.data.simulate.truth import Truth

__all__ = ["Company", "MarketTruth", "Truth", "company", "market"]
