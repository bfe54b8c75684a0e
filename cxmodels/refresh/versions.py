"""Which versions of the package and of its libraries are at work."""

import hashlib
import platform
from importlib import metadata, resources
from importlib.resources.abc import Traversable

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


def source_digest() -> str:
    """SHA-256 of the package's own code, so that a changed formula is another version."""
    whole = hashlib.sha256()
    for name, file in sorted(_code(resources.files("cxmodels"), "")):
        whole.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return whole.hexdigest()


def _code(folder: Traversable, path: str) -> list[tuple[str, Traversable]]:
    """The Python files and templates below a folder, by their names inside the package."""
    found = []
    for item in folder.iterdir():
        name = f"{path}/{item.name}"
        if item.is_dir():
            found += _code(item, name)
        elif not item.name.endswith((".pyc", ".pyo")):
            found.append((name, item))
    return found


def versions() -> dict[str, str | None]:
    """Python, cxmodels and the libraries that numbers and pages come from."""
    found = {name: _version(name) for name in _LIBRARIES}
    own = {"cxmodels": package_version(), "cxmodels_source": source_digest()}
    return {"python": platform.python_version(), **own, **found}
