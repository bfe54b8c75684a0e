"""Columns of a frame as Arrow: what is missing stays missing, whichever pandas made the frame."""

import numpy as np
import pandas as pd
import pytest

from cxmodels.data.frames import arrow_columns


@pytest.mark.parametrize("gone", [np.nan, None, pd.NA, pd.NaT])
def test_a_missing_text_is_missing(gone):
    """pandas 2 keeps texts as objects and a missing one as NaN, which is not the text 'nan'."""
    frame = pd.DataFrame({"arm": pd.Series(["call", gone, "as now"], dtype=object)})
    (array,) = arrow_columns(frame).arrays
    assert array.to_pylist() == ["call", None, "as now"]


def test_a_text_that_says_nan_is_a_text():
    frame = pd.DataFrame({"arm": pd.Series(["nan", np.nan], dtype=object)})
    assert arrow_columns(frame).arrays[0].to_pylist() == ["nan", None]


def test_nan_among_numbers_stays_to_be_told():
    frame = pd.DataFrame({"paid": pd.Series([1.5, np.nan, None], dtype=object)})
    found = arrow_columns(frame).arrays[0].to_pylist()
    assert np.isnan(found[1]) and found[2] is None
