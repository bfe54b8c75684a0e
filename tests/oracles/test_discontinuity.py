"""Jumps at a cutoff as the authors' own program has them (rdrobust 2.1.1, its defaults)."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxmodels.experiments.discontinuity import discontinuity

DATA = Path(os.environ.get("CXMODELS_DATA", Path(__file__).parents[3] / "shared" / "data"))


def test_senate():
    """Incumbency in the US Senate: all values on record, those of rdrobust(vote, margin)."""
    path = DATA / "experiments" / "rdrobust_senate.csv"
    if not path.is_file():
        pytest.skip("rdrobust_senate.csv is not here: set CXMODELS_DATA")
    found = discontinuity(
        pd.read_csv(path), running="margin", cutoff=0.0, outcome="vote", level=0.95
    )
    plain = found.table.iloc[0]
    assert (plain["estimate"], plain["std_error"]) == pytest.approx((7.414131, 1.458716), abs=1e-6)
    assert (found.estimate, found.std_error) == pytest.approx((7.506502, 1.741258), abs=1e-6)
    assert (found.lower, found.upper) == pytest.approx((4.093699, 10.919306), abs=2e-6)
    assert (found.bandwidth, found.bias_bandwidth) == pytest.approx(
        (17.754398, 28.028089), abs=1e-6
    )
    assert found.sides["near"].tolist() == [360, 323]
    assert found.density().p_value > 0.1
    narrow = discontinuity(pd.read_csv(path), running="margin", cutoff=0.0, outcome="vote",
                           bandwidth="coverage", level=0.95)  # fmt: skip
    # rdrobust(vote, margin, bwselect="cerrd")
    assert narrow.bandwidth == pytest.approx(12.4067764534, abs=1e-6)
    assert narrow.sides["near"].tolist() == [284, 248]
    assert narrow.table["estimate"].tolist() == pytest.approx([7.6315618316, 7.6816941598])
    assert narrow.table["std_error"].tolist() == pytest.approx([1.6800610495, 1.8405819439])


def made(count, step):
    """A curve with a jump at 400 and errors that need no generator; scores in steps, if any."""
    i = np.arange(1, count + 1)
    x = 1000.0 * np.mod(i * 0.6180339887498949, 1.0) ** 1.5
    x = np.floor(x / step) * step + 0.5 * step if step else x
    y = 4.0 * (x / 1000.0) ** 3 + 0.3 * (x >= 400.0) + np.sin(1.0 * i * i) * 0.3
    return pd.DataFrame({"x": x, "y": y})


@pytest.mark.parametrize(("asked", "widths", "jumps", "errors", "near"), [
    ((400, None, "error"), (117.8217537, 214.2127005), (0.05017585819, 0.01950344523),
     (0.08909793159, 0.1023029323), [44, 42]),
    ((900, 10.0, "error"), (149.7663254, 234.0896724), (0.2391841684, 0.2295833353),
     (0.05710484543, 0.06810157558), [131, 117]),
    ((400, None, 150.0), (150.0, 150.0), (0.07317379963, 0.002411677992),
     (0.07776582363, 0.1173718603), [58, 53]),
])  # fmt: skip
def test_made_scores(asked, widths, jumps, errors, near):
    """rdrobust(y, x, c=400), with h=150 in the last: smooth, in steps of ten, and a given width."""
    count, step, width = asked
    found = discontinuity(made(count, step), running="x", cutoff=400, outcome="y", bandwidth=width)
    # rounding of scores in their own units, where the program divides by their spread first
    assert (found.bandwidth, found.bias_bandwidth) == pytest.approx(widths, rel=1e-7)
    assert found.table["estimate"].tolist() == pytest.approx(jumps, abs=1e-8)
    assert found.table["std_error"].tolist() == pytest.approx(errors, rel=1e-7)
    assert found.sides["near"].tolist() == near
