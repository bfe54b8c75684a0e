"""What a test shows: each metric of each arm beside the control, with its interval and its odds.

Means, proportions, ratios, the NPS and hurdle revenue from one pass of counts, means and
cross-products; noise taken out by what was known before the test; errors by Welch, HC2 or HC3,
clusters (CR2) or permutation; p-values that allow for the number of questions.
"""

# ruff: noqa: PLR0913 - the door says everything by keyword

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from cxmodels.chance import generator
from cxmodels.data import tables
from cxmodels.errors import DataError, OptionError
from cxmodels.experiments.adjustment import ANCOVA, CUPED, LIN, PLAIN
from cxmodels.experiments.answer_tables import (
    ASKEW,
    ODD,
    effects,
    guardrails,
    label_of,
    notes_of,
    ratio_of,
)
from cxmodels.experiments.comparison import (
    ADJUST,
    ERRORS,
    Choices,
    Compared,
    compared,
    joint_covariance,
)
from cxmodels.experiments.families import JOINT, WAYS, adjusted, jointly
from cxmodels.experiments.measured_before import measured_before
from cxmodels.experiments.metric_kinds import Asked, asked_of, metrics_of
from cxmodels.experiments.metrics import Metric
from cxmodels.experiments.moment_problems import problems_of
from cxmodels.experiments.moments import WHAT, Moments, named, read_moments
from cxmodels.experiments.plan import Registered, TestPlan
from cxmodels.experiments.planned import EXPLORATORY, NONE, PLANNED, Said, by_plan
from cxmodels.experiments.trial_contract import TrialColumns, layout
from cxmodels.experiments.trial_rows import Rowwise
from cxmodels.numerics.arrays import Floats, Ints
from cxmodels.results.estimate import check_level
from cxmodels.results.shown_tables import Face, Faced

if TYPE_CHECKING:
    import pandas as pd


JOINT_DRAWS = 4_999


@dataclass(frozen=True, eq=False, repr=False)
class TestResult(Faced):
    """What a test shows.

    table: one row a metric and arm: metric, arm, n, n_control, mean, mean_control (both adjusted),
    estimate (their difference), std_error, lower, upper, p_value, adjusted (of the family), lift
    with its interval, method, estimand, standing ("planned", "exploratory" or "no plan"; each is a
    family of its own). guardrails: metrics with a margin: estimate, worst, margin,
    p_value, holds. sample_ratio: p-value of the arms' sizes; moments: what all is made of.
    """

    __test__ = False  # no test of the test runner's

    table: "pd.DataFrame"
    guardrails: "pd.DataFrame"
    sample_ratio: float
    control: str
    level: float
    multiplicity: str
    notes: tuple[str, ...]
    moments: Moments
    plan: TestPlan | None = None

    @property
    def askew(self) -> str:
        """What is to be said first where the arms' sizes are not as drawn; else nothing."""
        return ASKEW.format(self.sample_ratio) if self.sample_ratio < ODD else ""

    def face(self) -> Face:
        """Effects, then guardrails and remarks."""
        shown = ["metric", "arm", "n", "mean_control", "estimate", "lower", "upper", "p_value",
                 "adjusted", "lift", "standing"][: 10 if self.plan is None else 11]  # fmt: skip
        held = [
            f"{row['metric']}, {row['arm']}: at worst {row['worst']:+.4g} against a margin of "
            f"{row['margin']:g}, which {'holds' if row['holds'] else 'does not hold'}."
            for row in self.guardrails.to_dict("records")
        ]
        ways = dict.fromkeys(self.table["method"])
        head = (f"Effects beside {self.control}, intervals of {self.level:.0%}, p-values adjusted "
                f"by {self.multiplicity}")  # fmt: skip
        return Face(head, self.table[shown], (*ways, *held, *self.notes))


def analyse(
    source: Any,
    *,
    arm: str,
    control: Any = None,
    metrics: Iterable[str | Metric] | str | Metric = (),
    plan: TestPlan | Registered | None = None,
    covariates: str | Iterable[str] | None = None,
    strata: str | Iterable[str] | None = None,
    cluster: str | None = None,
    unit: str | None = None,
    assigned: str | None = None,
    measured: str | None = None,
    adjust: str | None = None,
    errors: str | None = None,
    weights: str | None = None,
    multiplicity: str = "holm",
    shares: Mapping[Any, float] | None = None,
    level: float | None = None,
    draws: int = 999,
    seed: int = 1,
    table: str | None = None,
) -> TestResult:
    """Every metric of every arm beside the control, from one row a unit.

    source, table: a frame, an Arrow table, a Parquet or CSV path, a DuckDB table; arm: its column
    of arms, of which `control` is one; metrics: columns (their means) or `Metric`; plan: says all
    that it says where not given, and what is beyond it is exploratory; covariates: columns from
    before the test that take out noise; strata: columns within which arms were drawn,
    or to weigh by; cluster: whole clusters were drawn; unit: if given, none may occur twice;
    assigned, measured: columns of dates, of which none may be measured before it was assigned.
    adjust: "none", "cuped" (by default where there is anything from before), "lin" or "ancova";
    errors: "welch", "hc2" or "hc3" (Lin, ANCOVA), "cr2" (clusters), "permutation"; weights:
    "response" weighs strata by all their units, not by those who answered; multiplicity: "holm",
    "hochberg", "benjamini-hochberg", "romano-wolf", "none", over all metrics without a margin and
    all arms; shares: of the arms as drawn, by default equal; draws, seed: of permutations.
    A unit without an outcome is left out of that metric alone; one without a value from before the
    test gets the mean of the others.
    Errors: DataError with every problem; OptionError for choices that do not go together.

    >>> import pandas as pd
    >>> seen = pd.DataFrame({"arm": ["A"] * 4 + ["B"] * 4, "spend": [1, 2, 3, 4, 3, 4, 5, 6]})
    >>> found = analyse(seen, arm="arm", control="A", metrics=["spend"])
    >>> found.table[["estimate", "std_error", "p_value"]].round(4).to_dict("records")
    [{'estimate': 2.0, 'std_error': 0.9129, 'p_value': 0.071}]
    """
    own = Said(
        control, metrics_of(metrics, plan is not None), named(strata, "strata"), cluster, unit,
        shares, float("nan") if level is None else level,
    )  # fmt: skip
    of = by_plan(own, plan)
    if (assigned is None) != (measured is None):
        raise OptionError("assigned= and measured= go together: both are columns of dates")
    asked = asked_of(of.metrics, named(covariates, "covariates"))
    numbers = tuple(dict.fromkeys(term.column for item in asked for term in item.terms))
    columns = TrialColumns(arm, of.strata, of.cluster, of.unit, numbers)
    given = (of.control, adjust, errors, weights)
    choices = _choices(given, (of.level, draws, seed), asked, columns)
    _check_multiplicity(multiplicity, columns)
    with tables.open_log(source, table) as opened:
        what = f"{WHAT} ({opened.what})"
        try:
            moments, problems = read_moments(opened, columns, asked)
            if moments is not None:
                problems += [*of.problems(moments.arms), *problems_of(moments, choices.control)]
            if assigned is not None and measured is not None:
                problems += measured_before(opened, assigned, measured, unit=of.unit)
            if moments is None or problems:
                raise DataError(what, problems)
            rowwise = Rowwise(opened, layout(opened, columns, of.metrics), asked, moments.arms)
            return _answer(moments, choices, multiplicity, of, rowwise)
        except duckdb.Error as error:
            raise DataError(what, [tables.unreadable(error)]) from None


def analyse_moments(
    moments: Moments,
    *,
    control: Any = None,
    plan: TestPlan | Registered | None = None,
    adjust: str | None = None,
    errors: str | None = None,
    weights: str | None = None,
    multiplicity: str = "holm",
    shares: Mapping[Any, float] | None = None,
    level: float | None = None,
) -> TestResult:
    """The same from moments alone, as merged over days or warehouses.

    What needs rows (HC2 of Lin and ANCOVA, permutation, Romano-Wolf) is refused in an OptionError.

    >>> import pandas as pd
    >>> from cxmodels.experiments.moments import moments
    >>> day = pd.DataFrame({"arm": ["A", "A", "B", "B"], "spend": [1.0, 3.0, 2.0, 5.0]})
    >>> one = moments(day, arm="arm", metrics=["spend"])
    >>> analyse_moments(one.merged(one), control="A").table["estimate"].tolist()
    [1.5]
    """
    if not isinstance(moments, Moments):
        raise OptionError(f"analyse_moments takes moments, got {type(moments).__name__}")
    metrics = tuple(dict.fromkeys(asked.metric for asked in moments.asked))
    columns = moments.columns
    own = Said(control, metrics, columns.strata, columns.cluster, columns.unit, shares,
               float("nan") if level is None else level)  # fmt: skip
    of = by_plan(own, plan)
    if (of.strata, of.cluster) != (columns.strata, columns.cluster):
        raise OptionError("these moments were read without the plan's strata or cluster")
    choices = _choices((of.control, adjust, errors, weights), (of.level, 999, 1), moments.asked,
                       columns)  # fmt: skip
    _check_multiplicity(multiplicity, columns)
    problems = [*of.problems(moments.arms), *problems_of(moments, choices.control)]
    if problems:
        raise DataError(WHAT, problems)
    return _answer(moments, choices, multiplicity, of, None)


def _answer(
    moments: Moments, choices: Choices, multiplicity: str, of: Said, rowwise: Rowwise | None
) -> TestResult:
    of = of if of.plan is None else of.among(moments.arms)
    sizes = ratio_of(moments, of.shares)
    found = compared(moments, choices, rowwise)
    standing = [of.standing(item.asked.metric) for item in found]
    own = [-1 if item.asked.metric.margin is not None else (PLANNED, EXPLORATORY, NONE).index(name)
           for item, name in zip(found, standing, strict=True)]  # fmt: skip
    if multiplicity == JOINT and rowwise is None:
        raise OptionError("romano-wolf needs the rows themselves: call analyse on the source")
    joint = (
        joint_covariance(moments, choices, rowwise) if multiplicity == JOINT and rowwise else None
    )
    p = _adjusted(found, np.array(own), multiplicity, joint, choices.seed)
    return TestResult(
        table=effects(found, moments, choices, p).assign(standing=standing),
        guardrails=guardrails(found),
        sample_ratio=sizes,
        control=choices.control,
        level=choices.level,
        multiplicity=multiplicity,
        notes=tuple(dict.fromkeys([*of.notes, *notes_of(found, moments, choices, sizes)])),
        moments=moments,
        plan=of.plan,
    )


def _adjusted(
    found: list[Compared], family: Ints, multiplicity: str, joint: Floats | None, seed: int
) -> Floats:
    """p-values (m,) that allow for all questions of the same family (m,); NaN of guardrails, -1."""
    p = np.full(len(found), np.nan)
    for name in np.unique(family[family >= 0]):
        here = family == name
        own = [item for item, kept in zip(found, here, strict=True) if kept]
        if joint is None:
            p[here] = adjusted([item.p_value for item in own], multiplicity)
            continue
        p[here] = jointly(
            np.array([float(item.contrast.estimate) for item in own]),
            np.sqrt([float(item.contrast.variance) for item in own]),
            joint[np.ix_(here, here)], JOINT_DRAWS, seed,
        )  # fmt: skip
    return p


def _choices(
    given: tuple[Any, str | None, str | None, str | None], numbers: tuple[float, int, int],
    asked: tuple[Asked, ...], columns: TrialColumns,
) -> Choices:  # fmt: skip
    """What was chosen, with what is usual where nothing was."""
    (control, adjust, errors, weights), (level, draws, seed) = given, numbers
    before = any(item.covariates for item in asked)
    adjust = (CUPED if before else PLAIN) if adjust is None else adjust
    sloped = adjust in (LIN, ANCOVA)
    if errors is None:
        errors = "cr2" if columns.cluster is not None else "hc2" if sloped else "welch"
    for name, value, allowed in (("adjust", adjust, ADJUST), ("errors", errors, ERRORS),
                                 ("weights", weights, (None, "response"))):  # fmt: skip
        if value not in allowed:
            listed = ", ".join(str(item) for item in allowed if item is not None)
            raise OptionError(f"{name} {value!r} is not one of {listed}")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 99:
        raise OptionError(f"draws {draws!r} is a whole number, 99 or more")
    generator(seed)
    _go_together(adjust, errors, weights, before, columns)
    return Choices(label_of(control), adjust, errors, check_level(level), draws, seed,
                   weights is not None)  # fmt: skip


def _go_together(
    adjust: str, errors: str, weights: str | None, before: bool, columns: TrialColumns
) -> None:
    """OptionError for choices that do not go together, with what does."""
    sloped, clustered = adjust in (LIN, ANCOVA), columns.cluster is not None
    strata = bool(columns.strata)
    for wrong, said in (
        (adjust != PLAIN and not before, f"adjust {adjust!r} needs covariates=, or before="),
        (clustered and errors not in ("cr2", "permutation"),
         f"errors {errors!r} would take units of one cluster for strangers: take cr2"),
        (errors == "cr2" and not clustered, "errors 'cr2' needs cluster="),
        (sloped and strata, f"adjust {adjust!r} goes without strata: take cuped, or give strata "
         "as columns of 0 and 1 among the covariates"),
        (sloped and errors in ("welch", "permutation"),
         f"adjust {adjust!r} goes with errors hc2, hc3 or clusters"),
        (weights is not None and not strata, "weights 'response' needs strata="),
    ):  # fmt: skip
        if wrong:
            raise OptionError(said)


def _check_multiplicity(multiplicity: str, columns: TrialColumns) -> None:
    if multiplicity not in WAYS:
        raise OptionError(f"multiplicity {multiplicity!r} is not one of {', '.join(WAYS)}")
    if multiplicity == JOINT and (columns.strata or columns.cluster is not None):
        raise OptionError("romano-wolf goes without strata and clusters: take holm")
