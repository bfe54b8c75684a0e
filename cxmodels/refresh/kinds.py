"""The kinds of values that settings may have, each with its own complaint."""

import difflib
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo

from cxmodels.data.units import Span, TimeUnit
from cxmodels.errors import OptionError

INFINITE = "infinite"
_LONGEST_NAME = 100  # characters of a run's name: file systems stop at 255 bytes


def _day(value: Any) -> Any:
    """A date as TOML writes it, or as text."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("is not a date like 1997-09-30") from None
    if type(value) is not date:
        raise ValueError("is not a date like 1997-09-30")
    return value


def _unit(value: str) -> str:
    choices = [unit.value for unit in TimeUnit]
    try:
        return TimeUnit.parse(value).value
    except OptionError:
        nearest = difflib.get_close_matches(value.lower(), choices, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise ValueError(f"is not one of {', '.join(choices)}{hint}") from None


def _horizon(value: str) -> str:
    if value.strip().lower() == INFINITE:
        return INFINITE
    try:
        span = Span.parse(value)
    except OptionError:
        raise ValueError('is not a span like "36M", "52W" or "2Y", nor "infinite"') from None
    if span.count <= 0:
        raise ValueError("is not a positive span of time")
    return value.strip().upper()


def _span(value: str) -> str:
    try:
        span = Span.parse(value)
    except OptionError:
        raise ValueError('is not a span like "3M", "13W" or "90D"') from None
    if span.count <= 0:
        raise ValueError("is not a positive span of time")
    return value.strip().upper()


def _run_name(value: str) -> str:
    if len(value) > _LONGEST_NAME:
        raise ValueError(f"is longer than {_LONGEST_NAME} characters")
    if ".." in value or re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value) is None:
        raise ValueError(
            "may hold letters, digits, '-', '_' and single dots only, and begins with a letter "
            "or digit (a run stays inside its folder)"
        )
    return value


def _filled(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value


def _currency(value: str) -> str:
    if re.fullmatch(r"[A-Z]{3}", value) is None:
        raise ValueError("is not a currency code of three capitals, such as USD")
    return value


def _from_here(value: Any, info: ValidationInfo) -> Path:
    """A path as seen from the folder of the configuration file."""
    if not isinstance(value, str | Path):
        raise ValueError("is not a path in quotes")
    return Path((info.context or {}).get("folder", "")) / Path(value).expanduser()


def _existing(value: Path) -> Path:
    if not value.is_file():
        raise ValueError(f"there is no file {value}")
    return value


Day = Annotated[date, BeforeValidator(_day)]
Name = Annotated[str, AfterValidator(_filled)]
Here = Annotated[Path, BeforeValidator(_from_here)]
Input = Annotated[Here, AfterValidator(_existing)]
Unit = Annotated[str, AfterValidator(_unit)]
Horizon = Annotated[str, AfterValidator(_horizon)]
Length = Annotated[str, AfterValidator(_span)]
RunName = Annotated[str, AfterValidator(_run_name)]
Currency = Annotated[str, AfterValidator(_currency)]


class Section(BaseModel):
    """Settings are refused rather than converted, and never change after they are read."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)
