"""The rows of a test a piece at a time, where sums alone do not do: leverage, permutation."""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxmodels.data.readings import quoted
from cxmodels.data.tables import LOG, Source
from cxmodels.experiments.adjustment import Contrast, Recipe
from cxmodels.experiments.metric_kinds import Asked, Term
from cxmodels.experiments.robust_errors import spread
from cxmodels.experiments.trial_contract import Layout
from cxmodels.numerics.arrays import Bools, Floats, Ints

VECTORS = 200  # of 2,048 rows each that are worked on at once


@dataclass(frozen=True, eq=False)
class Rows:
    """arm (n,): place among the arms; stratum, cluster (n,): labels; terms: values by term, NaN
    where missing."""

    arm: Ints
    stratum: Any
    cluster: Any
    terms: dict[Term, Floats]

    def known(self, asked: Asked) -> Bools:
        """Where the outcome is known."""
        lost = np.isnan(np.stack([self.terms[t] for t in asked.terms[: asked.outcomes]]))
        return np.asarray(~lost.any(axis=0))

    def columns(self, asked: Asked, fill: Floats) -> Floats:
        """Terms (n, k) of an outcome; where anything from before is missing, means `fill` (k,)."""
        found = np.stack([self.terms[term] for term in asked.terms], axis=1)
        gap = np.isnan(found[:, asked.outcomes :]).any(axis=1)
        found[gap, asked.outcomes :] = fill[asked.outcomes :]
        return found


@dataclass(frozen=True, eq=False)
class Rowwise:
    """How to go through the rows: the source, how it is read, and what is wanted of it."""

    source: Source
    plan: Layout
    asked: tuple[Asked, ...]
    arms: tuple[str, ...]

    def pieces(self) -> Iterator[Rows]:
        """The rows, in the source's own order, a piece at a time."""
        terms = list(dict.fromkeys(term for asked in self.asked for term in asked.terms))
        arms = ", ".join(quoted(arm) for arm in self.arms)
        shown = [f"LIST_POSITION([{arms}], {self.plan.arm}) - 1 AS arm"]
        shown += [f"{self.plan.term(term)} AS t{place}" for place, term in enumerate(terms)]
        labels = {"stratum": self.plan.stratum, "cluster": self.plan.cluster}
        shown += [f"{sql} AS {name}" for name, sql in labels.items() if sql is not None]
        self.source.connection.execute(f"SELECT {', '.join(shown)} FROM {LOG}")
        while len(found := self.source.connection.fetch_df_chunk(VECTORS)):
            nothing = np.zeros(len(found), dtype=np.int64)
            stratum, cluster = (
                found[name].to_numpy() if name in found else nothing for name in labels
            )
            values = {t: found[f"t{i}"].to_numpy(np.float64).copy() for i, t in enumerate(terms)}
            yield Rows(found["arm"].to_numpy(np.int64), stratum, cluster, values)

    def whole(self) -> Rows:
        """All rows at once."""
        pieces = list(self.pieces())
        return Rows(
            np.concatenate([piece.arm for piece in pieces]),
            np.concatenate([piece.stratum for piece in pieces]),
            np.concatenate([piece.cluster for piece in pieces]),
            {t: np.concatenate([piece.terms[t] for piece in pieces]) for t in pieces[0].terms},
        )


@dataclass(frozen=True, eq=False)
class Job:
    """A comparison that needs the rows: its outcome, the two arms' places, its least squares
    problem, the power of 1 - h, and means to fill gaps with."""

    asked: Asked
    pair: tuple[int, int]
    recipe: Recipe
    power: int
    fill: Floats


def by_leverage(rowwise: Rowwise, jobs: Sequence[Job]) -> list[Contrast]:
    """Contrasts with HC2 or HC3 errors, all from one further pass over the rows."""
    found = [np.zeros_like(job.recipe.bread) for job in jobs]
    for rows in rowwise.pieces():
        for place, job in enumerate(jobs):
            known = rows.known(job.asked)
            for arm, own in enumerate(job.pair):
                here = known & (rows.arm == own)
                if here.any():
                    columns = rows.columns(job.asked, job.fill)[here]
                    u, e = job.recipe.rows(columns, arm)
                    found[place] += spread(u, e, job.recipe.bread, job.power)
    return [
        Contrast(job.recipe.coefficients[:2], v[:2, :2], np.float64(job.recipe.degrees))  # type: ignore[arg-type]
        for job, v in zip(jobs, found, strict=True)
    ]


def by_influence(rowwise: Rowwise, jobs: Sequence[Job]) -> Floats:
    """Covariance (m, m) of effects that share units: sums of what each unit adds to two of them,
    c'M u e with c the arm less the control."""
    found = np.zeros((len(jobs), len(jobs)))
    for rows in rowwise.pieces():
        adds = np.zeros((rows.arm.size, len(jobs)))
        for place, job in enumerate(jobs):
            known = rows.known(job.asked)
            contrast = job.recipe.bread[1] - job.recipe.bread[0]
            for arm, own in enumerate(job.pair):
                here = known & (rows.arm == own)
                u, e = job.recipe.rows(rows.columns(job.asked, job.fill)[here], arm)
                adds[here, place] = (u @ contrast) * e
        found += adds.T @ adds
    return found
