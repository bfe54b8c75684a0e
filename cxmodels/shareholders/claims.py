"""What the literature says that satisfaction is worth to owners, and what each figure really is.

A gallery to hold one's own estimate against: by how it was estimated, never by its size.
Elasticities are per cent of value for a per cent of the score; a *point* is none of them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cxmodels.errors import OptionError
from cxmodels.results.shown_tables import Face, Faced
from cxmodels.shareholders.firm_value import WITHIN, ValueRelevance
from cxmodels.shareholders.rungs import LOG

if TYPE_CHECKING:
    import pandas as pd

OWN = "yours"


@dataclass(frozen=True)
class _Claim:
    """One figure: its size and unit as published, the elasticity of value it amounts to (None: it
    is none), what it compared, and what is known of it."""

    claim: str
    source: str
    figure: float
    unit: str
    elasticity: float | None
    estimated: str
    verdict: str


GALLERY = (
    _Claim("Tobin's q rises with satisfaction", "Anderson, Fornell, Mazvancheryl 2004", 1.016,
           "per cent of q, a per cent of the score", 1.016, "pooled levels",
           "an association of levels; differs by industry, and on public firm-years of 2011 to "
           "2020 nothing is left of it within firms"),
    _Claim("Cash flow grows faster", "Gruca, Rego 2005", 7.0,
           "per cent of cash-flow growth, a point", None, "levels with dynamics",
           "one point; often retold as 35 per cent for 5 per cent, which takes points for per "
           "cent"),
    _Claim("Cash flow varies less", "Gruca, Rego 2005", -4.0,
           "per cent of variability, a point", None, "levels with dynamics",
           "one point; often retold as 20 per cent for 5 per cent"),
    _Claim("Market value of equity rises", "Fornell and others 2006", 4.6,
           "per cent of market value, a per cent of the score", 4.6, "pooled levels",
           "confounded by size; quoted as 19 per cent for 5 per cent, which is 3.8"),
    _Claim("q rises", "ACSI ten-year report", 1.6, "per cent of q, a per cent of the score", 1.6,
           "levels within years", "holds with constants of years alone, not with those of firms"),
    _Claim("Shareholder value of technology firms rises", "rule of practitioners", 1.0,
           "per cent of value, a per cent of the score", 1.0, "none of its own",
           "neither borne out nor refuted by public data"),
    _Claim("Satisfied firms beat the market", "Fornell, Morgeson, Hult 2016", 518.0 - 31.0,
           "percentage points of return, 2000 to 2014", None, "a portfolio held by its authors",
           "portfolios neutral to factors find no convincing alpha (Bell, Ledoit, Wolf); .0053 a "
           "month with computer and internet firms, .0045 and not significant without them "
           "(Jacobson, Mizik 2009)"),
    _Claim("Loved firms beat the market", "Firms of Endearment, to 2006-06", 1026.0 - 122.0,
           "percentage points of return, ten years", None, "firms chosen at the end of the window",
           "a look into the future: whoever is chosen after ten good years has had ten good years"),
    _Claim("Retention is worth five times its per cent", "Gupta, Lehmann, Stuart 2004", 5.0,
           "per cent of firm value, a per cent of retention", None, "a formula",
           "takes one constant retention rate; 1 for margin and .1 for acquisition cost"),
    _Claim("Customer assets move firm value", "Edeling, Fischer 2016", 0.72,
           "per cent of firm value, a per cent of a customer-related asset", None,
           "mean of 83 studies", "a weak prior; few of the assets are satisfaction"),
    _Claim("Satisfaction goes with performance", "Otto, Szymanski, Varadarajan 2020", 0.101,
           "correlation", None, "mean of 96 studies", "a weak prior; a correlation has no size"),
    _Claim("A loss costs more than a gain brings", "Malshe, Colicev, Mittal 2020", -1.34,
           "points of abnormal return, a unit lost (gained: .56)", None, "abnormal returns",
           "an asymmetry of news"),
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Claims(Faced):
    """table: claim, source, figure, unit, elasticity (None: the figure is none), lower and upper
    (of one's own, in the unit of the figure), estimated (what was compared), verdict; `source` is
    "yours" for one's own rungs."""

    table: "pd.DataFrame"

    def face(self) -> Face:
        """Every claim with its verdict."""
        names = ["claim", "source", "figure", "unit", "elasticity", "verdict"]
        note = (
            "Elasticities: per cent of value for a per cent of the score. A point is none of them."
        )
        return Face("What is claimed of satisfaction, and what it is", self.table[names], (note,))


def claims(own: ValueRelevance | None = None) -> Claims:
    """The literature's figures, each with what it estimated and a verdict; one's own ladder beside.

    own: from `value_relevance`; its rungs are told as elasticities at the mean score.

    >>> int(claims().table["elasticity"].notna().sum())
    4
    """
    import pandas as pd

    if own is not None and not isinstance(own, ValueRelevance):
        raise OptionError(f"own is a ladder of value_relevance, got {type(own).__name__}")
    rows = [] if own is None else _of_own(own)
    order = ["claim", "source", "figure", "unit", "elasticity", "lower", "upper", "estimated",
             "verdict"]  # fmt: skip
    return Claims(pd.DataFrame([*rows, *map(vars, GALLERY)], columns=order))


def _of_own(own: ValueRelevance) -> list[dict[str, object]]:
    """One's own ladder, each rung as an elasticity at the mean score."""
    rows = [_by_the_point(own)] if own.unit == LOG else []
    for row in own.table.to_dict("records") if own.unit == LOG else ():
        best = row["naive"] if row["corrected"] is None or np.isnan(row["corrected"]) else row[
            "corrected"]  # fmt: skip
        at = row["elasticity"] / best if best else np.nan  # the mean score
        rows.append(
            {
                "claim": f"{own.outcome}, {row['rung']}",
                "source": OWN,
                "figure": row["elasticity"],
                "unit": f"per cent of {own.outcome}, a per cent of the score",
                "elasticity": row["elasticity"],
                "lower": row["lower"] * at,
                "upper": row["upper"] * at,
                "estimated": row["estimand"],
                "verdict": own.verdict,
            }
        )
    return rows


def _by_the_point(own: ValueRelevance) -> dict[str, object]:
    """One's own effect within firms in per cent, a point: beside claims that are by the point."""
    there = own.table[own.table["rung"] == WITHIN]
    row = (there if len(there) else own.table.tail(1)).iloc[0]
    return {"claim": f"{own.outcome}, {row['rung']}", "source": OWN, "figure": row["per_cent"],
            "unit": f"per cent of {own.outcome}, a point", "elasticity": None,
            "lower": 100.0 * np.expm1(row["lower"]), "upper": 100.0 * np.expm1(row["upper"]),
            "estimated": row["estimand"], "verdict": own.verdict}  # fmt: skip
