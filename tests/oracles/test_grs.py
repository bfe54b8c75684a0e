"""The exact test of Gibbons, Ross and Shanken on 25 portfolios by size and value."""

import os
from pathlib import Path

import pandas as pd
import pytest

from cxmodels.shareholders import grs

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))
THREE = ["RM_RF", "SMB", "HML"]


@pytest.mark.parametrize(
    ("months", "factors", "printed"),
    [(342, THREE[:1], 2.2165), (342, THREE, 1.6047), (630, THREE[:1], 4.4121),
     (630, THREE, 3.6123)],
)  # fmt: skip
def test_published(months, factors, printed):
    path = DATA / "factors" / "GRStest_data.csv"
    if not path.is_file():
        pytest.skip("the GRS data are not here: set CXMODELS_DATA")
    table = pd.read_csv(path).head(months)
    portfolios = table[[name for name in table if name.startswith("P")]].to_numpy()
    found = grs(portfolios, table[factors].to_numpy())
    assert found.statistic == pytest.approx(printed, abs=6e-5)
    assert found.degrees_of_freedom == (25, months - 25 - len(factors))
    if months == 342 and len(factors) == 3:
        assert round(found.p_value, 4) == 0.0359
