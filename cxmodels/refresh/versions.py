"""Which versions of the package and of its libraries are at work."""

import platform
from importlib import metadata

_LIBRARIES = (
    "numpy", "scipy", "pandas", "pyarrow", "duckdb", "sqlglot", "emcee", "pydantic",
    "altair", "vl-convert-python", "jinja2", "typst",
)  # fmt: skip


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def package_version() -> str:
    """The version of cxmodels itself; "unknown" where it was never installed."""
    return _version("cxmodels") or "unknown"


def versions() -> dict[str, str | None]:
    """Python, cxmodels and the libraries that numbers and pages come from."""
    found = {name: _version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), "cxmodels": package_version(), **found}
