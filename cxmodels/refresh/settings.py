"""What a refresh can be told: every setting, its kind, its limits and its usual value."""

from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from cxmodels.refresh.kinds import (
    INFINITE,
    Currency,
    Day,
    Here,
    Horizon,
    Input,
    Name,
    RunName,
    Section,
    Unit,
)
from cxmodels.refresh.survey_settings import Survey

_SCORED = "12M"  # how far purchases are expected where the value's own horizon has no end


def scored_over(horizon: str) -> str:
    """The horizon of expected purchases: that of the value, or a year where that has no end.

    >>> scored_over("36M"), scored_over("infinite")
    ('36M', '12M')
    """
    return _SCORED if horizon == INFINITE else horizon


class Source(Section):
    """Where the transaction log lies and what its columns are called."""

    customer: Name = Field(description="the column that says whose purchase it is")
    time: Name = Field(description="the column that says when")
    amount: Name = Field(description="the column that says how much money")
    order: Name | None = None
    path: Input | None = None
    database: Input | None = None
    table: Name | None = None
    time_format: Name | None = None
    timezone: Name | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.path is not None and (self.database or self.table):
            raise ValueError("has a path and a database: keep one of the two")
        if self.path is None and (self.database is None or self.table is None):
            raise ValueError("needs a path (Parquet or CSV), or a database (DuckDB) and its table")
        return self

    @property
    def file(self) -> Path:
        """The file that is read."""
        return self.path or self.database or Path()


class Base(Section):
    """The window that is observed and how purchases are counted in it."""

    unit: Unit = "week"
    start: Day | None = None
    end: Day | None = None
    holdout_end: Day | None = None
    acquired_from: Day | None = None
    collapse: Literal["none", "hour", "day", "week", "month", "quarter", "year"] = "day"
    duplicates: Literal["keep", "drop"] = "keep"
    negative: Literal["refund", "loss"] = "refund"
    covariates: list[Name] = Field(default_factory=list)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.holdout_end is not None and self.end is None:
            raise ValueError("has a holdout_end but no end: say where the calibration ends")
        if self.start is not None and self.acquired_from is not None:
            raise ValueError("has start and acquired_from, which both open the window: give one")
        keys = ("start", "acquired_from", "end", "holdout_end")
        named = [(key, getattr(self, key)) for key in keys]
        given = [(key, day) for key, day in named if day is not None]
        for (first, day), (second, later) in pairwise(given):
            if later <= day:
                raise ValueError(f"has {second} {later}, which is not after {first} {day}")
        return self


class Model(Section):
    """Which family of models, and which covariates move buying and leaving in it: formulas over
    columns kept by [base]."""

    family: Literal[
        "BGNBD", "MBGNBD", "ParetoNBD", "DependentParetoNBD", "GGompertzNBD", "NBD", "BGCNBD",
        "MBGCNBD", "BGBB",
    ] = "BGNBD"  # fmt: skip
    purchase: Name | None = None
    dropout: Name | None = None
    equal: list[Name] = Field(default_factory=list)
    penalty: float = Field(default=0.0, ge=0)

    @property
    def terms(self) -> dict[str, Any]:
        """What the family is fitted with."""
        return self.model_dump(exclude={"family"})

    @property
    def regular(self) -> bool:
        """Whether the family learns from how regular intervals are."""
        return self.family in ("BGCNBD", "MBGCNBD")


class Value(Section):
    """What a purchase is worth: margin, discounting, horizon."""

    discount_rate: float = Field(
        ge=0, lt=1, description="the annual effective rate, 0.10 for ten per cent"
    )
    margin: float = Field(gt=0, le=1, description="the share of revenue that is profit, 0.30 say")
    currency: Currency = Field(description="three capitals, such as USD")
    horizon: Horizon = "36M"
    payment: Literal["continuous", "start", "middle", "end"] = "continuous"
    level: float = Field(default=0.9, gt=0, lt=1)
    below: float = 0.0
    discount_rate_sd: float = Field(default=0.0, ge=0, lt=0.5)

    @property
    def span(self) -> str | None:
        """The horizon as the models take it: None is infinite."""
        return None if self.horizon == INFINITE else self.horizon


class Run(Section):
    """Where the answer goes, and the seed and number of draws of its intervals."""

    folder: Here = Field(default=Path("runs"), validate_default=True)
    name: RunName | None = None
    seed: int = Field(default=1, ge=0, lt=2**63)
    draws: int = Field(default=1000, ge=200, le=20_000)


class Report(Section):
    """What the report is called and whom it may name."""

    title: Name = "Customer equity"
    show_customers: bool = False
    simulated: bool = False


class Config(Section):
    """Every setting of a refresh, read and checked."""

    source: Source
    value: Value
    base: Base = Base()
    model: Model = Model()
    run: Run = Field(default_factory=dict, validate_default=True)
    report: Report = Report()
    survey: Survey | None = None

    @model_validator(mode="after")
    def _opportunities(self) -> Self:
        unit, collapse = self.base.unit, self.base.collapse
        if self.model.family == "BGBB" and unit != collapse:
            raise ValueError(
                f"model.family BGBB counts opportunities: base.unit {unit!r} and base.collapse "
                f"{collapse!r} must be one and the same"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """The settings that the answer depends on: not where it is put or found."""
        every: dict[str, Any] = self.model_dump(mode="json")
        every["run"] = {key: every["run"][key] for key in ("seed", "draws")}
        for key in ("path", "database"):
            found = getattr(self.source, key)
            every["source"][key] = None if found is None else found.name
        if self.survey is None:
            del every["survey"]  # a run without one is what it was before surveys were
        else:
            every["survey"] |= self.survey.names()
        return every
