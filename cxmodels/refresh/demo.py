"""The demonstration: CDNOW's sample of 2,357 customers, calibrated on 1997, tested on 1998."""

from importlib import resources
from pathlib import Path

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
