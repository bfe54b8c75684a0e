"""Says which pip command to run when a library for pictures or pages is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from cxmodels.errors import OptionError


@contextmanager
def report_extra() -> Iterator[None]:
    """Turn a failed import inside the block into the pip command that mends it.

    >>> with report_extra():
    ...     import a_library_nobody_has
    Traceback (most recent call last):
    ...
    cxmodels.errors.OptionError: reports need the library a_library_nobody_has, which is not
    installed; run: pip install 'cxmodels[report]'
    """
    try:
        yield
    except ImportError as error:
        name = error.name or "of the report extra"
        raise OptionError(
            f"reports need the library {name}, which is not installed; "
            "run: pip install 'cxmodels[report]'"
        ) from error
