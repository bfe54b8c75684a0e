"""Reads the configuration of a refresh and lists everything that is wrong with it at once.

Each problem is one line: the key, why it cannot be, the value that was given; a key that
does not exist names the nearest one that does.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cxmodels.errors import CxError, DataError, OptionError, Problem
from cxmodels.refresh.settings import Config

_NEAR = 0.75  # likeness above which a key of another section is worth naming
_LONGEST_VALUE = 60  # characters of a refused value that are repeated


def _section(kind: Any) -> type[BaseModel] | None:
    """The section that an annotation stands for, optional or one of several; None for others."""
    for inner in (kind, *get_args(kind)):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner
    return None


def _keys(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Every key there is, with its section: "value.margin"."""
    for name, field in model.model_fields.items():
        yield path + name
        kind = _section(field.annotation)
        if kind is not None:
            yield from _keys(kind, f"{path}{name}.")


def _nearest(key: str) -> str:
    """The existing key that was probably meant, as a hint; "" where none is near."""
    keys = list(_keys(Config))
    section, _, last = key.rpartition(".")
    elsewhere = [name for name in keys if name.rpartition(".")[2] == last]
    sisters = [name for name in keys if name.rpartition(".")[0] == section]
    close = elsewhere or difflib.get_close_matches(key, sisters, n=1)
    close = close or difflib.get_close_matches(key, keys, n=1, cutoff=_NEAR)
    return f"; did you mean {close[0]}?" if close else ""


def _given(value: Any) -> str:
    text = str(value) if isinstance(value, bool | int | float) else repr(value)
    text = {"True": "true", "False": "false"}.get(text, text)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _meaning(location: tuple[int | str, ...]) -> str:
    """What the setting at `location` is for; "" where it needs no words."""
    kind: type[BaseModel] | None = Config
    field = None
    for name in location:
        found = None if kind is None else kind.model_fields.get(str(name))
        if found is None:  # a log's name, or a place in a list
            continue
        field, kind = found, _section(found.annotation)
    if field is None:
        return ""
    if kind is not None:
        needed = [name for name, inner in kind.model_fields.items() if inner.is_required()]
        return f": it must say {', '.join(needed)}"
    return f": {field.description}" if field.description else ""


_KINDS = {
    "string_type": "is not text in quotes",
    "int_type": "is not a whole number",
    "float_type": "is not a number",
    "bool_type": "is neither true nor false",
    "finite_number": "is not a finite number",
    "model_type": "is not a section",
    "model_attributes_type": "is not a section",
}
_VALUES = {"value_error", "literal_error", *_KINDS}
_LIMITS = {"greater_than": "not above", "greater_than_equal": "below",
           "less_than": "not below", "less_than_equal": "above"}  # fmt: skip


def _line(problem: ErrorDetails) -> str:
    """One problem in one line."""
    kind, location = problem["type"], problem["loc"]
    key = ".".join(str(part) for part in location)
    if kind == "missing":
        name = f"[{key}]" if len(location) == 1 else key
        return f"{name} is missing{_meaning(location)}"
    if kind == "extra_forbidden":
        return f"{key} is not a setting{_nearest(key)}"
    given = f" (given: {_given(problem['input'])})"
    if kind == "value_error":
        reason = str(problem["ctx"]["error"])
        whole = isinstance(problem["input"], Mapping)
        if not key:  # settings of several sections that do not go together
            return reason
        return f"[{key}] {reason}" if whole else f"{key}: {reason}{given}"
    if kind in _LIMITS:
        limit = next(iter(problem["ctx"].values()))
        return f"{key}: is {_LIMITS[kind]} {limit:g}{_meaning(location)}{given}"
    if kind == "literal_error":
        choices = str(problem["ctx"]["expected"]).replace("'", "")
        return f"{key}: is not {choices}{given}"
    return f"{key}: {_KINDS.get(kind, problem['msg'])}{given}"


def _complaint(source: str, problems: list[ErrorDetails]) -> CxError:
    """Every problem in one error: of the log's contract where only [base] cannot be.

    [base] says how the log is counted (unit, start, end); a value there that cannot be breaks the
    same contract as an end before the first purchase, which only the log can show.
    """
    lines = [_line(problem) for problem in problems]
    if all(item["loc"][:1] == ("base",) and item["type"] in _VALUES for item in problems):
        return DataError(source, [Problem(line) for line in lines])
    count = f"{len(lines)} problem{'' if len(lines) == 1 else 's'}"
    numbered = [f"  {place}. {line}" for place, line in enumerate(lines, start=1)]
    return OptionError("\n".join([f"{source} cannot be used, {count}:", *numbered]))


def validated(settings: Mapping[str, Any], *, folder: Path, source: str) -> Config:
    """Settings as one checked, frozen record.

    settings: section -> key -> value; folder: what relative paths are relative to; source:
    what to call the settings in a complaint. Raises OptionError listing every problem, or
    DataError where every one of them is a value in [base].
    """
    try:
        return Config.model_validate(dict(settings), context={"folder": folder})
    except ValidationError as error:
        raise _complaint(source, error.errors(include_url=False)) from None


def read_config(path: Path, *, out: Path | None = None) -> Config:
    """The settings in a TOML file; paths in it are relative to the file itself.

    out: where the runs go instead of [run] folder, relative to the working folder. Raises
    OptionError where the file cannot be read, is not TOML, or holds a setting that cannot be:
    then every problem is listed (as a DataError where every one of them is a value in [base]).
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise OptionError(f"there is no configuration file {path}") from None
    except OSError as error:
        raise OptionError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OptionError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{path} is not valid TOML: {error}") from None
    if out is not None and isinstance(settings.setdefault("run", {}), dict):
        settings["run"]["folder"] = out.absolute()
    return validated(settings, folder=path.parent, source=path.name)
