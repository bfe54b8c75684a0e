"""Demonstrations: CDNOW's sample of 2,357 customers, calibrated on 1997, tested on 1998; and a
simulated company, of which the truth is known."""

from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cxmodels.refresh.config import validated
from cxmodels.refresh.settings import Config


def sample_path() -> Path:
    """The file of the sample that ships with the package."""
    return Path(str(resources.files("cxmodels.data.samples") / "cdnow.csv.gz"))


def demo_config(folder: Path) -> Config:
    """The settings of the demonstration; its runs lie in `folder`."""
    settings = {
        "source": {
            "path": sample_path(),
            "customer": "customer_id",
            "time": "date",
            "amount": "amount",
        },
        "base": {"unit": "week", "end": "1997-09-30", "holdout_end": "1998-06-30"},
        "value": {"horizon": "36M", "discount_rate": 0.10, "margin": 0.30, "currency": "USD"},
        "run": {"folder": folder.absolute()},
        "report": {"title": "Customer equity of CDNOW"},
    }
    return validated(settings, folder=Path(), source="the demonstration")


COMPANY = "simulated-company"


def company_config(folder: Path, customers: int = 5_000) -> Config:
    """The settings of the demonstration on a simulated company, whose tables are written to
    `folder` first, all of them or none; a folder of tables that is there is kept."""
    tables = folder.absolute() / COMPANY
    if not tables.exists():
        _written(tables, customers)
    settings = {
        "source": {
            "path": tables / "transactions.parquet",
            "customer": "customer_id",
            "time": "date",
            "amount": "amount",
            "order": "order_id",
        },
        "base": {
            "unit": "week",
            "acquired_from": "2023-04-01",
            "end": "2024-06-30",
            "holdout_end": "2024-12-31",
        },
        "model": {"family": "MBGNBD"},
        "value": {"horizon": "24M", "discount_rate": 0.10, "margin": 0.30, "currency": "EUR"},
        "run": {"folder": folder.absolute()},
        "report": {"title": "Customer equity of a simulated company", "simulated": True},
        "survey": _survey(tables),
    }
    return validated(settings, folder=Path(), source="the demonstration")


def _survey(tables: Path) -> dict[str, Any]:
    """What is asked of the simulated answers."""
    return {
        "path": tables / "surveys.parquet",
        "score": "recommend",
        "scale": [0.0, 10.0],
        "attributes": ["quality", "service", "price", "delivery", "ease"],
        "customers": tables / "people.parquet",
        "since": "joined",
        "until": "end",
        "controls": "~ tenure + segment + channel",
        "end": "2024-12-31",
        "logs": {
            "cases": {"path": tables / "cases.parquet", "amount": "cost"},
            "referrals": {"path": tables / "referrals.parquet"},
        },
        "worth": {"leaving": -60.0, "referrals": 25.0},
    }


def _written(tables: Path, customers: int) -> None:
    """Every table of a simulated company as Parquet, and its truth: whole, or not at all."""
    from cxmodels.data.simulate import company

    tables.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=tables.parent, prefix=".company-") as place:
        own = Path(place) / COMPANY
        own.mkdir()
        made = company(customers, seed=1)
        people = made.customers.merge(made.subscriptions[["customer_id", "end"]])
        people = people.drop(columns="acquisition_cost")
        for name, table in (made.tables | {"people": people}).items():
            table.to_parquet(own / f"{name}.parquet", index=False)
        own.rename(tables)
