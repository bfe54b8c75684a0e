"""What a refresh can be told of a survey: where answers, customers and further logs lie."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from cxmodels.refresh.kinds import Day, Input, Length, Name, Section


class Log(Section):
    """A further log of what customers did: support cases, referrals."""

    path: Input = Field(description="the file of the log, Parquet or CSV")
    customer: Name = "customer_id"
    time: Name = "date"
    amount: Name | None = None


class Survey(Section):
    """Answers, and what is asked of them: which score, beside which controls, over which window."""

    path: Input = Field(description="the file of the answers, Parquet or CSV")
    score: Name = Field(description="the column of the answers to explain outcomes with")
    scale: list[float] = Field(
        description="the lowest and the highest possible answer, as in [0, 10]",
        min_length=2,
        max_length=2,
    )
    customer: Name = "customer_id"
    time: Name = "date"
    attributes: list[Name] = Field(default_factory=list)
    window: Length = "3M"
    controls: Name = "~ tenure"
    start: Day | None = None
    end: Day | None = None
    customers: Input | None = None
    customers_id: Name = "customer_id"
    since: Name | None = None
    until: Name | None = None
    logs: dict[str, Log] = Field(default_factory=dict)
    worth: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not self.scale[0] < self.scale[1]:
            raise ValueError("has a scale whose lowest answer is not below the highest")
        if self.customers is None and (self.since or self.until):
            raise ValueError("has since or until, columns of a table of customers: give customers")
        if "orders" in self.logs:
            raise ValueError("has a log called orders, which is that of [source]: rename it")
        return self

    @property
    def files(self) -> dict[str, Path]:
        """Every file that is read, by what it holds."""
        own = {"answers": self.path}
        if self.customers is not None:
            own["customers"] = self.customers
        return own | {name: log.path for name, log in self.logs.items()}

    def names(self) -> dict[str, Any]:
        """The settings that hold paths, with names of files in their place."""
        logs = {
            name: log.model_dump(mode="json") | {"path": log.path.name}
            for name, log in self.logs.items()
        }
        customers = None if self.customers is None else self.customers.name
        return {"path": self.path.name, "customers": customers, "logs": logs}
