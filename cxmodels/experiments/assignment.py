"""Who gets what: an arm for every unit, by a salted hash that any engine can repeat.

A unit's arm depends on its id, the salt and, within strata, on who else is there: not on the order
of rows, the engine or the day. Another salt gives another, independent assignment. The hold-out
is drawn first, by a salt of its own, so that it stays the same from test to test.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sqlglot import exp

from cxmodels.data.summary_query import DIALECTS
from cxmodels.errors import OptionError
from cxmodels.experiments.assignment_query import (
    HOLDOUT,
    Draw,
    Parts,
    arms_query,
    hash_sql,
    printed,
)
from cxmodels.experiments.assignment_table import UNITS, Roles, checked_units
from cxmodels.experiments.pairing import paired
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import duckdb

HOLDOUT_SALT = "hold-out"
PAIR = "pair"


@dataclass(frozen=True, eq=False, repr=False)
class Assigned(Faced):
    """Units with their arms, in the order they were given.

    table: the unit's column, those of cluster, strata and `pair` where there are any, and `arm`;
    counts: arm, share (probability of a unit to be in it), units, and clusters if there are any;
    draw: arms, shares and salts; unit, cluster, strata: names of columns; sentence: how it went.
    """

    table: pd.DataFrame
    counts: pd.DataFrame
    draw: Draw
    unit: str
    cluster: str | None
    strata: tuple[str, ...]
    sentence: str
    notes: tuple[str, ...] = ()

    def face(self) -> Face:
        """Arms and how many units are in each."""
        return Face(f"{len(self.table):,} units in {len(self.counts)} arms", self.counts,
                    (self.sentence, *self.notes))  # fmt: skip

    def sql(self, table: str, dialect: str = "duckdb") -> str:
        """The query that gives the same arms from a table that holds the same units.

        Pairs are read from its column `pair`, as in the table of this record.
        """
        more = {"strata": self.strata} if self.strata else {}
        return assignment_sql(
            dialect, table=table, arms=self.draw.arms, salt=self.draw.salt, unit=self.unit,
            cluster=self.cluster, shares=self.draw.shares, holdout=self.draw.holdout,
            holdout_salt=self.draw.holdout_salt, **more,
        )  # fmt: skip


def assign(  # noqa: PLR0913 - what a design is made of
    units: Any,
    *,
    arms: Sequence[str],
    salt: str,
    unit: str = "customer_id",
    strata: str | Iterable[str] | None = None,
    pairs: str | Iterable[str] | None = None,
    cluster: str | None = None,
    shares: Mapping[str, float] | Sequence[float] | None = None,
    holdout: float = 0.0,
    holdout_salt: str = HOLDOUT_SALT,
) -> Assigned:
    """An arm for every unit.

    units: anything tabular, or a list of ids (text or whole numbers); unit: the column of ids.
    arms: two or more names; shares: of each, by name or in order, equal if None; salt: words of
    this test alone. strata: columns, within whose combinations each arm gets its share to within
    one unit; pairs: numeric columns on which units nearest to one another are paired, one of each
    pair in either of two arms; cluster: a column whose units all get one arm. holdout: share that
    is drawn first, by `holdout_salt`, and stays out.
    Errors: DataError for ids that are missing or not unique, clusters split across strata, strata
    with one unit; OptionError for shares that do not sum to 1, and designs that are none.

    >>> found = assign(range(1000), arms=["control", "call"], salt="welcome call 2026")
    >>> found.counts["units"].tolist()
    [529, 471]
    >>> found.table["arm"].tolist()[:3]
    ['control', 'call', 'call']
    """
    draw = checked_draw(arms, shares, salt, (holdout, holdout_salt))
    roles = Roles(unit, cluster, _names("strata", strata), _names("pairs", pairs))
    _check_roles(roles, draw)
    with checked_units(units, roles) as connection:
        notes: tuple[str, ...] = ()
        if roles.covariates:
            notes = _paired(connection, draw, len(roles.covariates))
        made = drawn_arms(connection, draw, roles)
    return recorded(made, draw, roles, notes)


def assignment_sql(  # noqa: PLR0913 - the arguments of assign
    dialect: str = "duckdb",
    *,
    table: str,
    arms: Sequence[str],
    salt: str,
    unit: str = "customer_id",
    strata: str | Iterable[str] | None = None,
    cluster: str | None = None,
    shares: Mapping[str, float] | Sequence[float] | None = None,
    holdout: float = 0.0,
    holdout_salt: str = HOLDOUT_SALT,
) -> str:
    """The assignment as one SQL query: the same arms as `assign` gives the same units.

    dialect: duckdb, spark, databricks, snowflake, bigquery or postgres; table: as in "customers" or
    "crm.customers"; the others as in `assign`, whose contract is not checked. Ids are text in UTF-8
    or whole numbers. For pairs give the column of pairs as strata.

    >>> print(assignment_sql(table="customers", arms=["control", "call"], salt="call"))
    WITH cxmodels_hashed AS (
      SELECT
        "customer_id" AS kept_0,
        MD5('call|' || CAST("customer_id" AS TEXT)) AS drawn,
        0 AS held
      FROM "customers"
    )
    SELECT
      kept_0 AS "customer_id",
      CASE WHEN drawn < '800000000000000' THEN 'control' ELSE 'call' END AS arm
    FROM cxmodels_hashed
    """
    if dialect not in DIALECTS:
        raise OptionError(f"dialect {dialect!r} is not one of {', '.join(DIALECTS)}")
    draw = checked_draw(arms, shares, salt, (holdout, holdout_salt))
    roles = Roles(unit, cluster, _names("strata", strata))
    _check_roles(roles, draw)
    kept = list(dict.fromkeys([unit, roles.key]))
    return printed(draw, kept, roles.strata, _table_tree(table), dialect)


def _table_tree(name: str) -> exp.Table:
    """crm.customers as a table, each part quoted."""
    if not isinstance(name, str) or not 1 <= len(name.split(".")) <= 3 or not all(name.split(".")):
        raise OptionError(f"table {name!r} is no name of one to three parts")
    parts = [exp.to_identifier(part, quoted=True) for part in reversed(name.split("."))]
    return exp.Table(**dict(zip(("this", "db", "catalog"), parts, strict=False)))


def checked_draw(
    arms: Sequence[str],
    shares: Mapping[str, float] | Sequence[float] | None,
    salt: str,
    holdout: tuple[float, str],
) -> Draw:
    """Arms, shares and salts, or OptionError."""
    names = () if isinstance(arms, str) or not isinstance(arms, Iterable) else tuple(arms)
    if len(names) < 2 or not all(isinstance(name, str) and name.strip() for name in names):
        raise OptionError(f"arms are two names or more, as in ['control', 'call'], got {arms!r}")
    if len(set(names)) < len(names) or HOLDOUT in names:
        raise OptionError(f"arms {list(names)} are not all different, or one is {HOLDOUT!r}")
    share, other = holdout
    for what, text in (("salt", salt), ("holdout_salt", other)):
        if not isinstance(text, str) or not text.strip() or "|" in text or not _utf8(text):
            raise OptionError(f"{what} {text!r} is a text without '|': words of this test alone")
    if salt == other:
        raise OptionError("salt is that of the hold-out: another, or who is held out decides arms")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share < 1.0:
        raise OptionError(f"holdout {share!r} is no share from 0 to below 1")
    return Draw(names, _shares(names, shares), salt, float(share), other)


def _utf8(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _shares(
    names: tuple[str, ...], shares: Mapping[str, float] | Sequence[float] | None
) -> tuple[float, ...]:
    """A share for each arm; they sum to 1."""
    if shares is None:
        return tuple(1.0 / len(names) for _ in names)
    if isinstance(shares, Mapping):
        if set(shares) != set(names):
            raise OptionError(f"shares are of {list(shares)}, arms are {list(names)}")
        given = [shares[name] for name in names]
    else:
        given = list(shares)
    numbers = [x for x in given if isinstance(x, int | float) and not isinstance(x, bool) and x > 0]
    if len(numbers) != len(names) or len(given) != len(names):
        raise OptionError(f"shares {given} are not {len(names)} numbers above 0, one an arm")
    if abs(fsum(numbers) - 1.0) > 1e-9:
        raise OptionError(f"shares {given} sum to {fsum(numbers):g}, not to 1")
    return tuple(float(x) for x in numbers)


def _names(what: str, given: str | Iterable[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names or not all(isinstance(name, str) for name in names):
        raise OptionError(f"{what} {given!r} are names of columns")
    return tuple(dict.fromkeys(names))


def _check_roles(roles: Roles, draw: Draw) -> None:
    if not isinstance(roles.unit, str) or not isinstance(roles.cluster, str | None):
        raise OptionError("unit and cluster are names of columns")
    if roles.unit in (*roles.strata, roles.cluster) or roles.cluster in roles.strata:
        raise OptionError("unit, cluster and strata are different columns")
    if roles.covariates and (roles.strata or len(draw.arms) != 2 or draw.shares[0] != 0.5):
        raise OptionError("pairs are for two arms of equal shares, without strata")
    taken = {"arm", PAIR} if roles.covariates else {"arm"}
    clash = taken & {roles.unit, roles.cluster, *roles.strata}
    if clash:
        raise OptionError(f"the column {min(clash)!r} is one that assign makes: rename yours")


def _paired(connection: "duckdb.DuckDBPyConnection", draw: Draw, width: int) -> tuple[str, ...]:
    """Makes s0, the pair, of those that are not held out; a cluster counts with its means."""
    means = ", ".join(f"avg(x{i}) AS x{i}" for i in range(width))
    key = exp.column("key")
    drawn, out = hash_sql(draw.salt, key).sql("duckdb"), hash_sql(draw.holdout_salt, key)
    found = connection.execute(
        # only this package's own names are written into it
        f"SELECT key, {means}, {drawn} AS drawn, {out.sql('duckdb')} AS out FROM {UNITS}"  # noqa: S608
        " GROUP BY key ORDER BY drawn"
    ).fetchdf()
    inside = ~held_out(found["out"], draw)
    x = found.loc[inside, [f"x{i}" for i in range(width)]].to_numpy(dtype=np.float64)
    pair, distance = paired(x)
    found[PAIR] = np.int64(-1)
    found.loc[inside, PAIR] = pair
    connection.register("cxmodels_pairs", found[["key", PAIR]])
    connection.execute(  # names of ours alone
        # only this package's own names are written into it
        f"CREATE OR REPLACE TEMP TABLE {UNITS} AS SELECT {UNITS}.*, pair AS s0 FROM {UNITS}"  # noqa: S608
        " JOIN cxmodels_pairs USING (key)"
    )
    notes = [f"Units of a pair lie {distance:.3g} standard deviations apart, on average."]
    if len(x) % 2:
        notes.append("Their number is odd: the last joined the pair nearest to it.")
    return tuple(notes)


def held_out(hashes: "pd.Series[str]", draw: Draw) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Which of the hashes lie below the share of the hold-out."""
    from cxmodels.experiments.assignment_query import threshold

    if draw.holdout <= 0.0:
        return np.zeros(len(hashes), dtype=np.bool_)
    return (hashes < threshold(draw.holdout)).to_numpy(dtype=np.bool_)


def drawn_arms(connection: "duckdb.DuckDBPyConnection", draw: Draw, roles: Roles) -> pd.DataFrame:
    """The checked units with their arms, in their order."""
    strata = roles.strata or ((PAIR,) if roles.covariates else ())
    names = [roles.unit] + ([roles.cluster] if roles.cluster else []) + list(strata)
    places = ["id"] + (["key"] if roles.cluster else []) + [f"s{i}" for i in range(len(strata))]
    kept = [("cxmodels_place", exp.column("place"))]
    kept += [(name, exp.column(place)) for name, place in zip(names, places, strict=True)]
    parts = Parts(
        tuple(kept), exp.column("key"), tuple(exp.column(f"s{i}") for i in range(len(strata)))
    )
    query = arms_query(draw, parts, exp.to_table(UNITS)).order_by("1")
    made = connection.execute(query.sql("duckdb")).fetchdf()
    return made.drop(columns="cxmodels_place")


def recorded(made: pd.DataFrame, draw: Draw, roles: Roles, notes: tuple[str, ...]) -> Assigned:
    """The record of an assignment."""
    strata = roles.strata or ((PAIR,) if roles.covariates else ())
    by = made.groupby("arm", observed=True)
    counts = pd.DataFrame({"arm": draw.names, "share": draw.chances})
    counts["units"] = counts["arm"].map(by.size()).fillna(0).astype(np.int64)
    if roles.cluster is not None:
        counts["clusters"] = counts["arm"].map(by[roles.cluster].nunique()).fillna(0)
        counts["clusters"] = counts["clusters"].astype(np.int64)
    empty = counts.loc[counts["units"] == 0, "arm"].tolist()
    if empty:
        notes = (*notes, f"No unit is in {', '.join(map(repr, empty))}: there are too few.")
    return Assigned(made, counts, draw, roles.unit, roles.cluster, strata,
                    _sentence(draw, roles), notes)  # fmt: skip


def _sentence(draw: Draw, roles: Roles) -> str:
    what = f"clusters ({roles.cluster})" if roles.cluster else "units"
    how = f"{what} drawn one by one, so that numbers differ from shares by chance"
    if roles.strata:
        how = f"{what} drawn within strata ({', '.join(roles.strata)}), shares exact to one"
    if roles.covariates:
        how = f"{what} drawn within pairs nearest on {', '.join(roles.covariates)}"
    held = f"; {draw.holdout:.1%} were held out first" if draw.holdout > 0.0 else ""
    return f"By the hash of the salt {draw.salt!r}: {how}{held}."
