"""Replaces characters that no page and no drawing can hold, such as control characters.

XML 1.0 (section 2.2) names the characters that a document may contain. The drawing library ends
the whole process on any other, so they are replaced before anything is drawn.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARK = "\ufffd"  # the sign for a character that cannot be shown

Content = TypeVar("Content")


def printable(value: Content) -> Content:
    r"""The value with every text in it made printable; lists, mappings and records are walked.

    >>> printable({"id": "a\x0bb", "n": 3})
    {'id': 'a�b', 'n': 3}
    """
    cleaned: Any = _printable(value)
    result: Content = cleaned
    return result


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNPRINTABLE.sub(_MARK, value)
    if isinstance(value, Mapping):
        return {_printable(name): _printable(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_printable(part) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{part.name: _printable(getattr(value, part.name)) for part in fields(value)}
        )
    return value
