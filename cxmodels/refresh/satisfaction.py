"""The survey of a run: answers linked with what followed, and every table that is told of them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from cxmodels import satisfaction
from cxmodels.data.event_log import EventLog, event_log
from cxmodels.data.summaries import CustomerBase
from cxmodels.data.surveys import SurveyBase, survey_base
from cxmodels.errors import CxError, FitError, OptionError
from cxmodels.measures.survey_scores import survey_scores
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.refresh.settings import Config
from cxmodels.refresh.store import Workspace, digest
from cxmodels.refresh.survey_settings import Survey
from cxmodels.satisfaction.link import Linked
from cxmodels.spend.fitted import FittedSpend
from cxmodels.value.change import value_change

FOLDER = "tables/satisfaction"
SAID, FILES = f"{FOLDER}/said.json", "survey.json"
NET_PROMOTER = [0.0, 10.0]


def keep_files(survey: Survey, space: Workspace) -> None:
    """Record which files are read, by their SHA-256."""
    space.put_json(FILES, {
        name: {"file": path.name, "sha256": digest(path), "bytes": path.stat().st_size}
        for name, path in survey.files.items()
    })  # fmt: skip


def linked_of(config: Config, survey: Survey) -> tuple[SurveyBase, Linked]:
    """The survey and its answers with what followed; DataError where a table breaks its contract.

    The log of orders is that of [source], over the days that it speaks of.
    """
    days: dict[str, Any] = {"start": survey.start, "end": survey.end}
    scale = (survey.scale[0], survey.scale[1])
    scores = dict.fromkeys([survey.score, *survey.attributes], scale)
    base = survey_base(survey.path, customer=survey.customer, time=survey.time, scores=scores)
    source = config.source
    logs: dict[str, EventLog] = {
        "orders": event_log(
            source.file, table=source.table, customer=source.customer, time=source.time,
            amount=source.amount, order=source.order, time_format=source.time_format,
            timezone=source.timezone, **days,
        )
    }  # fmt: skip
    for name, log in survey.logs.items():
        logs[name] = event_log(
            log.path, customer=log.customer, time=log.time, amount=log.amount, **days
        )
    return base, satisfaction.link(
        base, score=survey.score, logs=logs, customers=survey.customers,
        customer=survey.customers_id, since=survey.since, until=survey.until,
        window=survey.window,
    )  # fmt: skip


def satisfaction_step(config: Config, space: Workspace) -> str:
    """Link the answers with what followed them; keep scores, effects, levels and the verdict."""
    survey = config.survey
    if survey is None:
        raise CxError("no [survey] was asked for")
    base, linked = linked_of(config, survey)
    for name, path in survey.files.items():
        if digest(path) != space.json(FILES)[name]["sha256"]:
            raise CxError(f"{path} changed while it was read: start the run again")
    level, notes = config.value.level, list[str]()
    scores = survey_scores(base, level=level)
    tables = {"answers": linked.reconciliation, "scores": scores[scores["score"] == survey.score]}
    said: dict[str, Any] = {"score": survey.score, "controls": survey.controls}
    try:
        found = satisfaction.effects(
            linked, controls=survey.controls, worth=survey.worth, level=level
        )
    except FitError as error:  # too few answers to tell anything: said, not fatal
        space.put_json(SAID, said | {"verdict": str(error), "notes": notes})
        _keep(space, tables)
        return f"{len(linked.table):,} answers linked; {error}"
    tables["effects"] = found.table
    notes += found.notes
    said["verdict"] = _checked(linked, found, tables)
    tables |= _more(survey, base, linked, level, notes)
    _keep(space, tables)
    space.put_json(SAID, said | {"notes": list(dict.fromkeys(notes))})
    return f"{len(linked.table):,} answers linked. {said['verdict']}"


def keep_change(
    config: Config, space: Workspace, fits: tuple[FittedPurchases, FittedSpend], base: CustomerBase
) -> list[str]:
    """Where the score is a covariate of the purchase model: what a point more from now on is worth.

    Scores at the top of the scale stay there. Effects are divided by the reliability of the score
    that repeated answers show, if they do. Returns what kept it from being told, in a sentence.
    """
    survey, told = config.survey, config.value
    if survey is None or survey.score not in {*base.covariates}:
        return []
    seen = base.table[survey.score]
    if not pd.api.types.is_numeric_dtype(seen) or not space.holds(f"{FOLDER}/effects.parquet"):
        return []
    moved = (seen + 1.0).clip(upper=survey.scale[1]).astype(np.float64)
    shown = space.table(f"{FOLDER}/effects.parquet")["reliability"].dropna()
    before, after = (
        replace(base, table=base.table.assign(**{survey.score: scores}))
        for scores in (seen.astype(np.float64), moved)
    )
    try:
        found = value_change(
            fits[0], before, after, spend_fit=fits[1], horizon=told.span,
            discount_rate=told.discount_rate, margin=told.margin, level=told.level,
            reliability=float(shown.iloc[0]) if len(shown) else 1.0, seed=config.run.seed,
        )  # fmt: skip
    except OptionError as error:  # the formulas use no covariate, or the family cannot be moved
        return [f"What a point of {survey.score} is worth in value is not told: {error}."]
    _keep(space, {"value": found.table})
    return []


def _keep(space: Workspace, tables: dict[str, pd.DataFrame]) -> None:
    for name, table in tables.items():
        space.put_table(f"{FOLDER}/{name}.parquet", table)


def _checked(linked: Linked, found: satisfaction.Effects, tables: dict[str, pd.DataFrame]) -> str:
    """The verdict; without placebos it stays with association."""
    try:
        checks = satisfaction.checks(linked, found)
    except FitError as error:
        return f"Association only: {error}."
    tables["checks"] = checks.table
    return checks.verdict


def _more(
    survey: Survey, base: SurveyBase, linked: Linked, level: float, notes: list[str]
) -> dict[str, pd.DataFrame]:
    """Levels, groups and attributes, as far as the answers tell them; else a note."""
    tables: dict[str, pd.DataFrame] = {}
    terms: dict[str, Any] = {"controls": survey.controls, "level": level}
    try:
        levels = satisfaction.levels(linked, **terms)
        tables |= {"by_level": levels.by_level, "curvature": levels.curvature}
        if survey.scale == NET_PROMOTER and (linked.table["score"] % 1 == 0).all():
            tables["promoters"] = satisfaction.promoters(linked, **terms)
        if len(survey.attributes) > 1:
            drivers = satisfaction.drivers(
                base, score=survey.score, items=survey.attributes, level=level
            )
            tables["drivers"] = drivers.table
    except FitError as error:
        notes.append(f"Left out: {error}.")
    return tables
