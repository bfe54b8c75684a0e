"""Customer lifetime value, customer equity and what satisfaction is worth, with intervals."""

from cxmodels.data import samples
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.summary_query import summary_sql
from cxmodels.data.transactions import customer_base
from cxmodels.errors import CxError, DataError, FitError, OptionError
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.spend.fitted import FittedSpend, GammaGamma
from cxmodels.value.lifetime_value import Value, lifetime_value
from cxmodels.value.saved import load

__version__ = "0.1.0"

__all__ = [
    "BGNBD",
    "CustomerBase",
    "CxError",
    "DataError",
    "FitError",
    "FittedPurchases",
    "FittedSpend",
    "GammaGamma",
    "OptionError",
    "Value",
    "__version__",
    "customer_base",
    "lifetime_value",
    "load",
    "samples",
    "summary_sql",
]
