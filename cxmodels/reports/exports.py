"""Tables for a spreadsheet, with no cell that a spreadsheet would run as a formula."""

import pandas as pd

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


def safe_csv(frame: pd.DataFrame) -> str:
    """The frame as CSV text; text that begins with = + - @, tab or return gets an apostrophe.

    Numbers stay numbers: only text cells and headings are changed (OWASP, CSV injection).

    >>> print(safe_csv(pd.DataFrame({"id": ["=1+1", "ann"], "n": [-1, 2]})), end="")
    id,n
    '=1+1,-1
    ann,2
    """
    safe = frame.copy()
    for place, name in enumerate(frame.columns):
        if not pd.api.types.is_numeric_dtype(frame[name].dtype):
            safe.isetitem(place, frame.iloc[:, place].map(_harmless).to_numpy(dtype=object))
    safe.columns = pd.Index([_harmless(name) for name in frame.columns])
    return safe.to_csv(index=False, lineterminator="\n")


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_DANGEROUS) else cell
