"""Scores of a survey as estimates: NPS, CSAT, customer effort, and an index of several items.

A score is the mean of something that each answer is worth: 1, 0 or -1 for promoters, passives and
detractors, 1 or 0 for a top box. Its interval counts customers, not answers, where some answered
twice, and the answers that a stratum's non-response made rarer count for more.

Sources: Rocks (2016), "Interval estimation for the Net Promoter Score", The American Statistician
70(4), for the interval with 3 answers added; Wilson (1927) for shares; Cronbach (1951), alpha.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy

from cxmodels.data.given_summaries import as_pandas
from cxmodels.data.surveys import Scale, SurveyBase, several
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.results.estimate import check_level

if TYPE_CHECKING:
    import pandas as pd

ADDED = (0.75, 1.5, 0.75)  # answers added to detractors, passives and promoters
ALL = "all"
ROUNDING = 1e-12  # below it an error is of arithmetic


@dataclass(frozen=True, eq=False)
class _Answers:
    """Answers of one group to one question: values (n,), weights, whose they are, the stratum of
    each from 0, and how many customers were asked."""

    values: Floats
    weights: Floats
    customer: Any
    stratum: Ints
    asked: int


def survey_scores(
    surveys: SurveyBase,
    *,
    by: str | None = None,
    customers: Any = None,
    strata: Iterable[str] = (),
    level: float = 0.9,
) -> "pd.DataFrame":
    """Every score of a survey as an estimate with its interval.

    by: "month", "quarter" or "year" of the answer, or a column of `customers` (one row each, with
    customer_id); strata: columns of it within which those who answered stand for all who were
    asked: each answer then counts as invitations over answers of its stratum.
    Returns: group, score, measure (mean; top box, top two boxes; NPS, on a scale of 0 to 10 in
    whole numbers), estimate, std_error, lower, upper, unit, answers, customers, response_rate. Of
    one customer std_error is empty and the interval is the whole scale, as it is where nobody
    answered.

    >>> import pandas as pd
    >>> from cxmodels.data.surveys import survey_base
    >>> told = pd.DataFrame({"who": range(10), "when": "2024-01-05",
    ...                      "nps": [10, 9, 9, 8, 8, 7, 6, 3, 10, 9]})
    >>> base = survey_base(told, customer="who", time="when", scores={"nps": (0, 10)})
    >>> survey_scores(base).set_index("measure").loc["NPS", ["estimate", "answers"]].tolist()
    [30.0, 10.0]
    """
    import pandas as pd

    check_level(level)
    if not isinstance(surveys, SurveyBase):
        raise OptionError(f"survey_scores takes a survey_base, got {type(surveys).__name__}")
    if isinstance(strata, str):
        raise OptionError(f"strata are columns of customers=, as in [{strata!r}]")
    strata = list(strata)
    if by == "customer_id" or "customer_id" in strata:
        raise OptionError("customer_id makes a group of every customer: take one of several")
    table = _with_facts(surveys, customers, [*strata, *([by] if by else [])])
    group = _groups(table, by)
    weight, stratum = _weights(table, list(strata)), _strata(table, list(strata))
    rows: list[dict[str, Any]] = []
    for name in sorted(group.unique()):
        here = (group == name).to_numpy()
        asked = int(here.sum())
        for score, scale in surveys.scales.items():
            told = here & table[score].notna().to_numpy()
            if not told.any():
                rows.append({"group": name, "score": score, **_silent(scale), "response_rate": 0.0})
                continue
            own = _Answers(
                table[score].to_numpy()[told], weight[told], table["customer_id"].to_numpy()[told],
                stratum[told], int(table["customer_id"][here].nunique()),
            )  # fmt: skip
            rate = int(told.sum()) / asked if surveys.response_rate is not None else None
            rows += [
                {"group": name, "score": score, **row, "response_rate": rate}
                for row in _measures(own, scale, level)
            ]
    return pd.DataFrame(rows)


def _with_facts(surveys: SurveyBase, customers: Any, wanted: list[str]) -> "pd.DataFrame":
    """The survey with the columns of customers that are wanted."""
    names = [name for name in dict.fromkeys(wanted) if name not in ("month", "quarter", "year")]
    if not names:
        return surveys.table
    if customers is None:
        raise OptionError(f"{names[0]!r} is a column of customers=: give that table")
    facts = as_pandas(customers)
    missing = [name for name in ("customer_id", *names) if name not in facts]
    if missing:
        listed = ", ".join(map(str, facts.columns))
        raise OptionError(f"customers has no column {missing[0]!r}. Columns: {listed}")
    if facts["customer_id"].duplicated().any():
        twice = facts["customer_id"].duplicated()
        first = f"customer {facts['customer_id'][twice].iloc[0]}"
        problem = Problem("customer_id occurs more than once", int(twice.sum()), first)
        raise DataError("customers", [problem])
    found = surveys.table.merge(facts[["customer_id", *names]], on="customer_id", how="left")
    gaps = found[names].isna().any(axis=1)
    if gaps.any():
        first = f"customer {found['customer_id'][gaps].iloc[0]}"
        what = f"rows of the survey without {', '.join(names)}"
        raise DataError("customers", [Problem(what, int(gaps.sum()), first)])
    return found


def _groups(table: "pd.DataFrame", by: str | None) -> "pd.Series[Any]":
    import pandas as pd

    if by is None:
        return pd.Series(ALL, index=table.index)
    if by in ("month", "quarter", "year"):
        return pd.Series(table["date"].dt.to_period(by[0].upper()).astype(str))
    return table[by].astype(str)


def _weights(table: "pd.DataFrame", strata: list[str]) -> Floats:
    """(n,) invitations over answers of each row's stratum; 1 without strata."""
    if not strata:
        return np.ones(len(table))
    if table["answered"].all():
        raise OptionError(
            "strata need the invitations that nobody answered: rows of the survey whose scores are "
            "empty"
        )
    share = table.groupby(strata)["answered"].transform("mean").to_numpy(dtype=np.float64)
    silent = table[share == 0.0]
    if len(silent):
        own = ", ".join(f"{name} {silent[name].iloc[0]}" for name in strata)
        what = "nobody answered in a stratum: nothing can stand for it"
        raise DataError("survey", [Problem(what, len(silent), own, "Join it with another")])
    return np.asarray(1.0 / share)


def _strata(table: "pd.DataFrame", strata: list[str]) -> Ints:
    """(n,) stratum of each row from 0."""
    if not strata:
        return np.zeros(len(table), dtype=np.int64)
    return np.asarray(table.groupby(strata, sort=False).ngroup(), dtype=np.int64)


def _measures(own: _Answers, scale: Scale, level: float) -> Iterator[dict[str, Any]]:
    """All measures of one score."""
    values, whole = own.values, bool((own.values % 1 == 0).all())
    mean = _row("mean", _mean(own, scale, level), own, f"points, {scale}")
    yield _alone(mean, scale.low, scale.high)
    if whole and (scale.high - scale.low) % 1 == 0:
        for name, least in (("top box", scale.high), ("top two boxes", scale.high - 1.0)):
            share = _share(own, (values >= least).astype(np.float64), level)
            yield _alone(_row(name, share, own, "share of answers"), 0.0, 1.0)
    if whole and (scale.low, scale.high) == (0.0, 10.0):
        nps = _row("NPS", _promoters(own, level), own, "points, -100 to 100")
        yield _alone(nps, -100.0, 100.0)


def _row(
    name: str, found: tuple[float, float, float, float], own: _Answers, unit: str
) -> dict[str, Any]:
    value, error, lower, upper = found
    return {
        "measure": name,
        "estimate": value,
        "std_error": error if error > ROUNDING else 0.0,
        "lower": lower,
        "upper": upper,
        "unit": unit,
        "answers": own.values.size,
        "customers": int(np.unique(own.customer).size),
    }


def _silent(scale: Scale) -> dict[str, Any]:
    """The mean of a group in which nobody answered: anything on the scale."""
    none = {"measure": "mean", "estimate": None, "std_error": None}
    ends = {"lower": scale.low, "upper": scale.high, "unit": f"points, {scale}"}
    return none | ends | {"answers": 0, "customers": 0}


def _alone(row: dict[str, Any], low: float, high: float) -> dict[str, Any]:
    """The row where one customer answered, who says nothing of how others differ: no error, and an
    interval of all that the measure can be."""
    return row | ({"std_error": None, "lower": low, "upper": high} if row["customers"] == 1 else {})


def _error(own: _Answers, worth: Floats) -> tuple[float, float, float]:
    """Weighted mean of what answers are worth, its error over customers, and the number of simple
    random answers that would be as sure.

    Within strata those who answered vary; how large strata are is known from all who were asked
    (Cochran 1977, "Sampling Techniques", section 12.2: double sampling for stratification).
    """
    import pandas as pd

    total = own.weights.sum()
    mean = float(own.weights @ worth / total)
    share = np.bincount(own.stratum, weights=own.weights) / total
    sums = np.bincount(own.stratum, weights=own.weights * worth) / total
    means = np.divide(sums, share, out=np.full_like(sums, mean), where=share > 0)
    cluster, ids = pd.factorize(own.customer)
    left = own.weights * (worth - means[own.stratum])
    parts = np.bincount(cluster, weights=left, minlength=ids.size) / total
    g = ids.size
    between = float(share @ (means - mean) ** 2) / max(own.asked, 1)
    error = float(np.sqrt(g / max(g - 1.0, 1.0) * (parts @ parts) + between))
    spread = float(own.weights @ (worth - mean) ** 2 / total)
    alike = float(total**2 / (own.weights**2).sum())
    if spread == 0.0 or error <= ROUNDING or g == 1:
        return mean, error, min(alike, float(g))
    return mean, error, min(spread / error**2 * g / max(g - 1.0, 1.0), float(own.values.size))


def _mean(own: _Answers, scale: Scale, level: float) -> tuple[float, float, float, float]:
    """Mean on a scale, with Wilson's interval stretched to it.

    Answers between the ends vary less than answers at them: by phi = variance / (p (1 - p)) at the
    mean's place p on the scale; n / phi answers at the ends would be as sure. Where all answers are
    the same, half an answer at each end is added before phi is taken.
    """
    width = scale.high - scale.low
    p, error, n = _error(own, (own.values - scale.low) / width)
    spread = error**2 * n
    if spread <= ROUNDING or not 0.0 < p < 1.0:
        m = (n * p + 0.5) / (n + 1.0)
        spread = (n * (p - m) ** 2 + 0.5 * (m**2 + (1.0 - m) ** 2)) / (n + 1.0)
        phi = spread / (m * (1.0 - m))
    else:
        phi = spread / (p * (1.0 - p))
    t2 = float(scipy.special.stdtrit(max(n - 1.0, 1.0), (1.0 + level) / 2.0)) ** 2
    low, high = _wilson(p, n / phi, t2)
    return scale.low + width * p, width * error, scale.low + width * low, scale.low + width * high


def _wilson(p: float, n: float, z2: float) -> tuple[float, float]:
    """Wilson's interval of a share p of n answers."""
    middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n)
    half = float(np.sqrt(z2 * (p * (1.0 - p) / n + z2 / (4.0 * n**2)))) / (1.0 + z2 / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _share(own: _Answers, worth: Floats, level: float) -> tuple[float, float, float, float]:
    """Wilson's interval at the effective number of answers."""
    p, error, n = _error(own, worth)
    z2 = float(scipy.special.ndtri((1.0 + level) / 2.0)) ** 2
    return p, error, *_wilson(p, n, z2)


def _promoters(own: _Answers, level: float) -> tuple[float, float, float, float]:
    """100 (promoters - detractors), with the interval of 3 answers more: Rocks (2016)."""
    kind = np.digitize(own.values, [7.0, 9.0])  # 0 to 6, 7 and 8, 9 and 10
    nps, error, n = _error(own, kind.astype(np.float64) - 1.0)
    shares = np.bincount(kind, weights=own.weights, minlength=3) / own.weights.sum()
    shares = (n * shares + ADDED) / (n + sum(ADDED))
    middle = shares[2] - shares[0]
    spread = np.sqrt((shares[2] + shares[0] - middle**2) / (n + sum(ADDED)))
    half = float(scipy.special.ndtri((1.0 + level) / 2.0)) * float(spread)
    lower, upper = max(middle - half, -1.0), min(middle + half, 1.0)
    return 100.0 * nps, 100.0 * error, 100.0 * lower, 100.0 * upper


@dataclass(frozen=True)
class Index:
    """An index of several items, 0 to 100: the weighted mean of their places on their scales.

    table: estimate, std_error, lower, upper, alpha (Cronbach's, of the items), answers, customers.
    """

    table: "pd.DataFrame"
    items: tuple[str, ...]
    note: str


def survey_index(
    surveys: SurveyBase,
    items: Iterable[str],
    *,
    weights: Iterable[float] | None = None,
    level: float = 0.9,
) -> Index:
    """An ACSI-type index: 100 times the weighted mean place of the items on their scales.

    items: two or more scores of the survey; weights: of each, alike by default, scaled to sum to 1;
    only answers that have all items count. alpha is the reliability of the mean if items err
    independently; a mood that colours a whole questionnaire makes it too high.
    """
    import pandas as pd

    check_level(level)
    names = tuple(several(surveys, items, "items"))
    if len(names) < 2:
        raise OptionError(f"items are two or more of {', '.join(surveys.scales)}, got {names}")
    told = surveys.table[surveys.table[list(names)].notna().all(axis=1)]
    if len(told) < 2:
        problem = Problem("fewer than two answers have all items", len(told))
        raise DataError("survey", [problem])
    try:
        part = np.array([1.0] * len(names) if weights is None else [float(w) for w in weights])
    except (TypeError, ValueError):
        raise OptionError(f"weights are {len(names)} numbers, got {weights!r}") from None
    if part.size != len(names) or not (part >= 0.0).all() or part.sum() <= 0.0:
        raise OptionError(f"weights are {len(names)} numbers, none below 0")
    placed = np.stack(
        [(told[name] - surveys.scales[name].low).to_numpy()
         / (surveys.scales[name].high - surveys.scales[name].low) for name in names], axis=1,
    )  # fmt: skip
    own = _Answers(100.0 * placed @ (part / part.sum()), np.ones(len(told)),
                   told["customer_id"].to_numpy(), np.zeros(len(told), np.int64),
                   told["customer_id"].nunique())  # fmt: skip
    mean, error, lower, upper = _mean(own, Scale(0.0, 100.0), level)
    row = {"estimate": mean, "std_error": error, "lower": lower, "upper": upper,
           "alpha": alpha(placed), "answers": len(told),
           "customers": int(told["customer_id"].nunique())}  # fmt: skip
    note = (
        f"{len(surveys.answers) - len(told):,} answers lack an item and are left out. alpha takes "
        "the errors of items for independent; repeated answers show what a mood adds to it."
    )
    return Index(pd.DataFrame([row]), names, note)


def alpha(items: Floats) -> float:
    """Cronbach's alpha of items (n, k): k/(k-1) (1 - sum of variances / variance of the sum).

    >>> alpha(np.array([[1.0, 2.0], [2.0, 2.0], [3.0, 4.0], [4.0, 5.0]])).__round__(3)
    0.967
    """
    k, whole = items.shape[1], float(items.sum(axis=1).var(ddof=1))
    if whole == 0.0:
        return 0.0
    return float(k / (k - 1.0) * (1.0 - items.var(axis=0, ddof=1).sum() / whole))
