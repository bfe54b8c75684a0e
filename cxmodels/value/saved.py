"""Reads back a fitted model that was saved as JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cxmodels.errors import DataError, Problem
from cxmodels.likelihood.fitted import FORMAT, VERSION
from cxmodels.purchases.families import FAMILIES
from cxmodels.purchases.fitted import FittedPurchases, read_purchases
from cxmodels.spend.families import SPEND
from cxmodels.spend.fitted import FittedSpend, read_spend
from cxmodels.subscriptions.bdw import BDW
from cxmodels.subscriptions.family import SubscriptionFamily
from cxmodels.subscriptions.fitted import FittedSubscriptions, read_subscriptions
from cxmodels.subscriptions.sbg import SBG
from cxmodels.subscriptions.weibull_gamma import WeibullGamma

KINDS = ("purchases", "spend", "subscriptions")
SUBSCRIPTIONS: dict[str, Callable[[], SubscriptionFamily]] = {
    "BDW": BDW,
    "SBG": SBG,
    "WeibullGamma": WeibullGamma,
}


def load(path: str | Path) -> FittedPurchases | FittedSpend | FittedSubscriptions:
    """The fit that `fit.save(path)` wrote; it has posterior draws in place of the data.

    Raises: DataError where the file is missing, no model, or of a newer version.
    """
    source = Path(path)
    stored = _read(source)
    problem = _problem(stored)
    if problem is None:
        try:
            if stored["kind"] == "spend":
                return read_spend(SPEND[stored["family"]](), stored)
            if stored["kind"] == "subscriptions":
                return read_subscriptions(SUBSCRIPTIONS[stored["family"]](), stored)
            return read_purchases(FAMILIES[stored["family"]](**stored.get("choices", {})), stored)
        except (KeyError, TypeError, ValueError) as error:
            problem = Problem(f"a part of the model is missing or broken: {error}")
    raise DataError(source.name, [problem])


def _read(source: Path) -> Any:
    try:
        return json.loads(source.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(source.name, [Problem("the file does not exist")]) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(source.name, [Problem(f"not a JSON file: {error}")]) from None


def _problem(stored: Any) -> Problem | None:
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        return Problem("not a model saved by cxmodels", remedy="Save one with fit.save(path).")
    if not isinstance(stored.get("version"), int) or stored["version"] > VERSION:
        newer = f"written in format version {stored.get('version')}, this is version {VERSION}"
        return Problem(newer, remedy="Update cxmodels to read it.")
    if stored.get("kind") not in KINDS:
        return Problem(f"holds a model of kind {stored.get('kind')!r}, not {', '.join(KINDS)}")
    return None
