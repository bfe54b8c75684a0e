"""A small shop's log, a configuration for it, and the command as a person runs it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cxmodels.cli import app
from cxmodels.refresh import steps
from cxmodels.refresh.store import Workspace

END, HOLDOUT_END = "2024-06-30", "2024-12-31"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        """The one JSON line on standard output."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        answer: dict[str, Any] = json.loads(lines[0])
        return answer


def command(*arguments: str | Path) -> Said:
    """Run `cxmodels` with these arguments in this process."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(result.exit_code, result.stdout, result.stderr)


def shop_log(customers: int = 240, seed: int = 7) -> pd.DataFrame:
    """Purchases of a simulated shop in 2024: Poisson buyers, some of whom leave."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        first = rng.integers(0, 120)
        rate, leaving = rng.gamma(0.8, 1 / 30), rng.beta(1.0, 4.0)
        day, mean = float(first), rng.gamma(6.0, 7.0)
        while day < 366:
            rows.append(
                (f"shopper-{customer:04d}", int(day), round(float(rng.gamma(6.0, mean / 6.0)), 2))
            )
            if rng.random() < leaving:
                break
            day += 1 + rng.exponential(1 / rate)
    log = pd.DataFrame(rows, columns=["customer_id", "day", "amount"])
    log["date"] = (pd.Timestamp("2024-01-01") + pd.to_timedelta(log["day"], "D")).dt.strftime(
        "%Y-%m-%d"
    )
    return log[["customer_id", "date", "amount"]]


def _toml(value: Any) -> str:
    return json.dumps(value) if not isinstance(value, float) else repr(value)


def write_config(folder: Path, changes: Mapping[str, Mapping[str, Any]] | None = None) -> Path:
    """A configuration beside `log.csv`; a change to None takes the key out."""
    settings: dict[str, dict[str, Any]] = {
        "source": {
            "path": "log.csv",
            "customer": "customer_id",
            "time": "date",
            "amount": "amount",
        },
        "base": {"unit": "week", "end": END, "holdout_end": HOLDOUT_END},
        "value": {"horizon": "12M", "discount_rate": 0.1, "margin": 0.3, "currency": "EUR"},
        "run": {"draws": 200},
    }
    for section, values in (changes or {}).items():
        settings[section] = {**settings.get(section, {}), **values}
    lines = []
    for section, values in settings.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
    path = folder / "run.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def plain_pages(space: Workspace, settings: Mapping[str, Any]) -> list[str]:
    """In place of the drawn report, where a test is not about pages: drawing takes seconds."""
    space.put_bytes("report.html", json.dumps(settings, sort_keys=True).encode())
    space.put_bytes("report.pdf", b"%PDF")
    return ["report.html", "report.pdf"]


@pytest.fixture
def without_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs leave a page of plain text."""
    monkeypatch.setattr(steps, "keep_pages", plain_pages)


@pytest.fixture(scope="session")
def shop() -> pd.DataFrame:
    """The small shop's log."""
    return shop_log()


@pytest.fixture
def refresh(tmp_path: Path) -> Callable[..., Said]:
    """Write a log and a configuration, and run the command on them."""

    def run(
        log: pd.DataFrame | str,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
        *options: str,
    ) -> Said:
        text = log if isinstance(log, str) else log.to_csv(index=False)
        (tmp_path / "log.csv").write_text(text, encoding="utf-8")
        return command("refresh", write_config(tmp_path, changes), *options)

    return run


def everything_in(folder: Path) -> list[str]:
    """The names of all files and folders, hidden ones too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
