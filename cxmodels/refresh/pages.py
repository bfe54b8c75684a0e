"""The report of a run, drawn from its tables alone, so that it can be drawn again later."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from cxmodels.data.units import Span
from cxmodels.refresh.satisfaction import FOLDER, SAID
from cxmodels.refresh.settings import scored_over
from cxmodels.refresh.store import Workspace

if TYPE_CHECKING:
    from cxmodels.reports.document import Section

PAGE, PAPER = "report.html", "report.pdf"
_TABLES = {
    "parameters": "parameters.parquet",
    "reconciliation": "reconciliation.parquet",
    "equity": "equity.parquet",
    "tracking": "tables/tracking.parquet",
    "frequency": "tables/frequency.parquet",
    "holdout": "tables/holdout.parquet",
    "conditional": "tables/conditional.parquet",
    "recency_frequency": "tables/recency_frequency.parquet",
    "iso_value": "tables/iso_value.parquet",
    "lorenz": "tables/lorenz.parquet",
    "concentration": "tables/concentration.parquet",
    "posterior": "tables/posterior.parquet",
    "new_customer": "tables/new_customer.parquet",
    "assumptions": "tables/assumptions.parquet",
}
_CAUTIONS = (
    "In the hold-out the model expected",
    "matters for the total",
    "boundary:",
    "flat:",
    "infinite",
    "Left truncation",
)
_MOST_VALUABLE = 20  # customers listed where the settings ask for names
_LISTED = (
    "customer_id", "frequency", "last_date", "p_alive", "expected_purchases",
    "residual_value", "residual_value_lower", "residual_value_upper",
)  # fmt: skip


def _top(space: Workspace) -> pd.DataFrame:
    """The customers who are worth most."""
    every = space.table("customers.parquet")
    ordered = every.sort_values(["residual_value", "customer_id"], ascending=[False, True])
    return ordered.head(_MOST_VALUABLE)[list(_LISTED)].reset_index(drop=True)


def keep_pages(space: Workspace, settings: Mapping[str, Any]) -> list[str]:
    """Draw the report of the tables in `space`; returns the names of the files.

    settings: the configuration as the manifest holds it.
    """
    from cxmodels.reports.equity_report import equity_report
    from cxmodels.reports.equity_tables import EquityTables
    from cxmodels.reports.render import html, pdf

    tables: dict[str, Any] = {
        key: space.table(name) for key, name in _TABLES.items() if space.holds(name)
    }
    if "holdout" in tables:
        tables["holdout"] = _in_shares(tables["holdout"])
    asked, money = settings["report"], settings["value"]
    notes = space.json("tables/notes.json")
    document = equity_report(
        EquityTables(
            **tables,
            top_customers=_top(space) if asked["show_customers"] else None,
            notes=tuple(note for note in notes if not _bears_on_equity(note)),
            cautions=tuple(note for note in notes if _bears_on_equity(note)),
            title=asked["title"],
            subtitle=_subtitle(space, settings),
            currency=money["currency"],
            unit=settings["base"]["unit"],
            level=money["level"],
            simulated=asked["simulated"],
            horizon=f"next {Span.parse(scored_over(money['horizon']))}",
        )
    )
    if space.holds(SAID):
        *told, assumptions = document.sections
        more = _satisfaction(space, settings)
        document = replace(document, sections=(*told, *more, assumptions))
    space.put_bytes(PAGE, html(document).encode("utf-8"))
    space.put_bytes(PAPER, pdf(document))
    return [PAGE, PAPER]


def _satisfaction(space: Workspace, settings: Mapping[str, Any]) -> "tuple[Section, ...]":
    """The survey's part of the report."""
    from cxmodels.reports.satisfaction_report import SatisfactionTables, satisfaction_sections

    said, money = space.json(SAID), settings["value"]
    names = [item.name for item in fields(SatisfactionTables)]
    held = {name: f"{FOLDER}/{name}.parquet" for name in names}
    tables: dict[str, Any] = {
        name: space.table(file) for name, file in held.items() if space.holds(file)
    }
    return satisfaction_sections(
        SatisfactionTables(
            **tables,
            notes=tuple(said["notes"]),
            score=said["score"],
            verdict=said["verdict"],
            currency=money["currency"],
            level=money["level"],
            simulated=settings["report"]["simulated"],
        )
    )


def _bears_on_equity(note: str) -> bool:
    """Whether a remark belongs beside the equity rather than at the end."""
    return any(words in note for words in _CAUTIONS)


def _in_shares(measures: pd.DataFrame) -> pd.DataFrame:
    """Measures in per cent as shares of 1, the one form that the report writes as per cent."""
    percent = measures["unit"] == "per cent"
    numbers = ["value", "lower", "upper"]
    changed = measures.assign(unit=measures["unit"].mask(percent, "share"))
    changed[numbers] = measures[numbers].where(~percent, measures[numbers] / 100)
    return changed


def _subtitle(space: Workspace, settings: Mapping[str, Any]) -> str:
    """Which log, up to which day."""
    end = space.json("base/all/facts.json")["end"]
    return f"{space.json('input.json')['file']}, observed to {end}"
