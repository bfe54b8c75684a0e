"""Which arm a unit is in, as one SQL query that gives the same arm in every engine.

A unit's draw is the MD5 of "salt|unit" in UTF-8 as 32 hexadecimal digits, which every warehouse
computes. Without strata an arm is read from its first 15 digits, 60 bits: they are compared as text
with the cumulative shares times 2^60, so that no engine turns a hash into a number. Within a block
(stratum or pair) of m units, the unit of rank r = 0, 1, ... by hash lies at (r + u) / m, u being
read from digits 17 to 22 of the block's smallest hash: each arm gets its share of m to within one
unit, and each unit an arm with exactly its share as probability. Units of a cluster have the
cluster's hash and rank. MD5 is no secret here: the salt keeps tests apart, not out of sight.
"""

# ruff: noqa: S608 - only this package's own names are written into SQL, a user's enter as trees

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlglot import exp

from cxmodels.data.sql_time import Tree, fill

HOLDOUT = "hold-out"
BITS, DIGITS = 60, 15
OFFSET_DIGITS, OFFSET_START = 6, 17
HASHED, DRAWN, RANKED, BLOCKS = (
    "cxmodels_hashed", "cxmodels_drawn", "cxmodels_ranked", "cxmodels_blocks",
)  # fmt: skip


@dataclass(frozen=True)
class Draw:
    """How arms are drawn.

    arms, shares: of those that are not held out, in order; salt, holdout_salt: of the hashes;
    holdout: share of all that is held out first.
    """

    arms: tuple[str, ...]
    shares: tuple[float, ...]
    salt: str
    holdout: float
    holdout_salt: str

    @property
    def cuts(self) -> list[float]:
        """Cumulative shares of all arms but the last."""
        return list(accumulate(self.shares))[:-1]

    @property
    def names(self) -> tuple[str, ...]:
        """Arms, the hold-out last where there is one."""
        return (*self.arms, HOLDOUT) if self.holdout > 0.0 else self.arms

    @property
    def chances(self) -> tuple[float, ...]:
        """Probability of each of `names`."""
        inside = tuple(share * (1.0 - self.holdout) for share in self.shares)
        return (*inside, self.holdout) if self.holdout > 0.0 else inside


@dataclass(frozen=True)
class Parts:
    """Columns as trees: kept under their names, what is hashed, and what blocks are made of."""

    kept: tuple[tuple[str, Tree], ...]
    key: Tree
    strata: tuple[Tree, ...] = ()


def arms_query(draw: Draw, parts: Parts, source: Tree) -> exp.Select:
    """One row a unit: the kept columns, and `arm`."""
    hashed = exp.select(
        *(exp.alias_(tree.copy(), f"kept_{i}") for i, (_, tree) in enumerate(parts.kept)),
        *(exp.alias_(tree.copy(), f"stratum_{i}") for i, tree in enumerate(parts.strata)),
        exp.alias_(hash_sql(draw.salt, parts.key), "drawn"),
        exp.alias_(_held_sql(draw, parts.key), "held"),
    ).from_(source.copy())
    steps, last = {HASHED: hashed}, HASHED
    if parts.strata:
        steps |= _ranked(len(parts.strata))
        last = BLOCKS
    query = exp.select(
        *(
            exp.alias_(exp.column(f"kept_{i}"), n, quoted=True)
            for i, (n, _) in enumerate(parts.kept)
        ),
        exp.alias_(_arm_sql(draw, bool(parts.strata)), "arm"),
    ).from_(last)
    for name, step in steps.items():
        query = query.with_(name, as_=step)
    return query


def hash_sql(salt: str, key: Tree) -> Tree:
    """MD5 of "salt|key" as 32 lower-case hexadecimal digits."""
    return fill("MD5(_salt || CAST(_key AS TEXT))", salt=exp.Literal.string(f"{salt}|"), key=key)


def threshold(share: float) -> str:
    """A cumulative share as 15 hexadecimal digits: a hash below it as text is below it as a number.

    >>> threshold(0.5), threshold(0.1)
    ('800000000000000', '1999999999999a0')
    """
    return f"{min(round(share * 2**BITS), 2**BITS - 1):0{DIGITS}x}"


def _held_sql(draw: Draw, key: Tree) -> Tree:
    if draw.holdout <= 0.0:
        return exp.Literal.number(0)
    return fill(
        "CASE WHEN _hash < _cut THEN 1 ELSE 0 END",
        hash=hash_sql(draw.holdout_salt, key),
        cut=exp.Literal.string(threshold(draw.holdout)),
    )


def _ranked(strata: int) -> dict[str, exp.Select]:
    """Rank, size and smallest hash of each block; those held out stand apart."""
    block = ", ".join(["held", *(f"stratum_{i}" for i in range(strata))])
    ranked = fill(
        f"SELECT *, DENSE_RANK() OVER (PARTITION BY {block} ORDER BY drawn) - 1 AS place,"
        f" MIN(drawn) OVER (PARTITION BY {block}) AS opening FROM {HASHED}"
    )
    digits = " + ".join(
        f"(STRPOS('0123456789abcdef', SUBSTRING(opening, {OFFSET_START + i}, 1)) - 1)"
        f" * {16 ** (OFFSET_DIGITS - 1 - i)}"
        for i in range(OFFSET_DIGITS)
    )
    drawn = fill(
        f"SELECT *, MAX(place) OVER (PARTITION BY {block}) + 1 AS size,"
        f" CAST({digits} AS DOUBLE) AS offset_digits FROM {RANKED}"
    )
    spread = fill(
        "SELECT *, CAST(place AS DOUBLE) + (offset_digits + CAST(0.5 AS DOUBLE))"
        f" / CAST({16**OFFSET_DIGITS} AS DOUBLE) AS point FROM {DRAWN}"
    )
    return {RANKED: ranked, DRAWN: drawn, BLOCKS: spread}  # type: ignore[dict-item]


def _arm_sql(draw: Draw, blocks: bool) -> Tree:
    """The arm of a hash, or of a place in a block."""
    case = exp.Case()
    if draw.holdout > 0.0:
        case = case.when(fill("held = 1"), exp.Literal.string(HOLDOUT))
    for arm, cut in zip(draw.arms, draw.cuts, strict=False):
        if blocks:
            edge = exp.cast(exp.Literal.number(repr(cut)), "double")
            below = fill("point < _edge * CAST(size AS DOUBLE)", edge=edge)
        else:
            below = fill("drawn < _edge", edge=exp.Literal.string(threshold(cut)))
        case = case.when(below, exp.Literal.string(arm))
    return case.else_(exp.Literal.string(draw.arms[-1]))


def column(name: str) -> exp.Column:
    """A column of the user's, quoted."""
    return exp.column(name, quoted=True)


def printed(
    draw: Draw, names: Sequence[str], strata: Sequence[str], table: Tree, dialect: str
) -> str:
    """The query for a table of the user's: `names` are the unit and, where there is one, the
    cluster, the last of which is hashed."""
    parts = Parts(
        tuple((name, column(name)) for name in names),
        column(names[-1]),
        tuple(column(name) for name in strata),
    )
    return str(arms_query(draw, parts, table).sql(dialect, pretty=True))
