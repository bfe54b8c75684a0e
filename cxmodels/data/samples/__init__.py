"""Sample data that ship with the package.

CDNOW: purchases of compact discs by the tenth part of the customers who first bought in the first
quarter of 1997 (Fader and Hardie; distributed under the MIT licence in the `lifetimes` package).
"""

from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def cdnow() -> "pd.DataFrame":
    """The CDNOW 1/10 sample: 6,919 purchases of 2,357 customers, January 1997 to June 1998.

    Columns customer_id (that of the full data), date, quantity (discs), amount (US dollars).
    Source: Fader and Hardie,
    "A note on deriving the BG/NBD model and the CDNOW data", brucehardie.com.

    >>> cdnow().head(2)
       customer_id       date  quantity  amount
    0            4 1997-01-01         2   29.33
    1            4 1997-01-18         2   29.73
    """
    import pandas as pd

    path = resources.files(__name__).joinpath("cdnow.csv.gz")
    with resources.as_file(path) as file:
        return pd.read_csv(file, parse_dates=["date"], compression="gzip")
