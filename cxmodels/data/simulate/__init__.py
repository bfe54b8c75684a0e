"""Simulated companies and markets whose truth is known: the test bed of what is said of them.

Every table has a column `simulated`.
"""

from cxmodels.data.simulate.company import Company, company
from cxmodels.data.simulate.lever import Lever
from cxmodels.data.simulate.market import MarketTruth, market
from cxmodels.data.simulate.stocks import Stocks, StocksTruth, stocks
from cxmodels.data.simulate.truth import Truth

__all__ = [
    "Company",
    "Lever",
    "MarketTruth",
    "Stocks",
    "StocksTruth",
    "Truth",
    "company",
    "market",
    "stocks",
]
