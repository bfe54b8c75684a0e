"""The list of benchmarks: what is done, who does it, and what was promised."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks import panels, trials, works
from tests.benchmarks.material import Material
from tests.benchmarks.works import Work


@dataclass(frozen=True)
class Case:
    """One benchmark. sides: cxmodels first, then those it is compared with.

    promise: the target in words; inner: works per process, of which the median counts (short
    works only; a first one is left out as a warm-up).
    """

    name: str
    what: str
    promise: str
    sides: dict[str, Callable[[Material], Work]]
    inner: int = 1


CASES = (
    Case(
        "fit_million",
        "BG/NBD fit, 1 million customers",
        "50 times faster than lifetimes",
        {
            "cxmodels": works.cx_fit_million,
            "cxmodels, door and fit": works.cx_fit_million_with_door,
            "lifetimes": works.lifetimes_fit_million,
        },
    ),
    Case(
        "fit_cdnow",
        "BG/NBD fit, CDNOW",
        "faster than lifetimes",
        {"cxmodels": works.cx_fit_cdnow, "lifetimes": works.lifetimes_fit_cdnow},
        inner=7,
    ),
    Case(
        "draws_cdnow",
        "4,000 posterior draws, CDNOW",
        "under .5 s",
        {"cxmodels": works.cx_draws_cdnow},
        inner=5,
    ),
    Case(
        "pareto_cdnow",
        "Pareto/NBD fit, CDNOW",
        "faster than lifetimes",
        {"cxmodels": works.cx_pareto_cdnow, "lifetimes": works.lifetimes_pareto_cdnow},
        inner=3,
    ),
    Case(
        "pareto_100k",
        "Pareto/NBD fit, 100,000 customers",
        "50 times faster than lifetimes",
        {"cxmodels": works.cx_pareto_100k, "lifetimes": works.lifetimes_pareto_100k},
    ),
    Case(
        "pareto_draws_cdnow",
        "4,000 posterior draws of Pareto/NBD, CDNOW",
        "under 2 s",
        {"cxmodels": works.cx_pareto_draws_cdnow},
        inner=3,
    ),
    Case(
        "over_time",
        "covariates over time, 1,000 customers, 150 weeks",
        "fit under 60 s",
        {"cxmodels, fit": works.cx_over_time, "cxmodels, forecast": works.cx_over_time_ahead},
    ),
    Case(
        "value_million",
        "CLV of 1 million customers, 12 months",
        "with intervals, faster than lifetimes without",
        {"cxmodels": works.cx_value_million, "lifetimes": works.lifetimes_value_million},
    ),
    Case(
        "log_to_base",
        "10 million log rows (Parquet) to a base",
        "within 1.3 times of the same SQL by hand",
        {
            "cxmodels": works.cx_log_to_base,
            "SQL by hand": works.sql_log_to_base,
            "lifetimes": works.lifetimes_log_to_base,
        },
    ),
    Case(
        "cohorts",
        "10 million log rows (Parquet) to C(cohort, period), and to an audit",
        "the table within 2 times of its own SQL without checks",
        {
            "cxmodels": works.cx_cohorts,
            "SQL by hand": works.sql_cohorts,
            "cxmodels, audit": works.cx_audit,
        },
    ),
    Case(
        "satisfaction",
        "1 million answers of 200,000 customers: doors and link, and all effects",
        "5 million answers in under 120 s; effects faster than the same models in statsmodels",
        {
            "cxmodels, effects": works.cx_effects,
            "statsmodels, controlled alone": works.statsmodels_effects,
            "cxmodels, doors and link": works.cx_link,
        },
    ),
    Case(
        "two_ways",
        "two-way effects, errors clustered by firm, 1 million rows",
        "within 1.2 times of pyfixest",
        {"cxmodels": panels.cx_two_ways, "pyfixest": panels.pyfixest_two_ways},
        inner=5,
    ),
    Case(
        "dynamic_panel",
        "difference GMM, two steps, 1,000 firms by 10 years",
        "under 2 s",
        {"cxmodels": panels.cx_dynamic},
        inner=3,
    ),
    Case(
        "wild_bootstrap",
        "1,000 wild cluster bootstrap draws, 2,000 firms by 10 years, two-way effects",
        "under 2 s",
        {"cxmodels": panels.cx_wild},
        inner=3,
    ),
    Case(
        "trial_cuped",
        "a test of 5 million units, CUPED on revenue before",
        "within 1.5 times of tea-tasting",
        {"cxmodels": trials.cx_cuped, "tea-tasting": trials.tea_cuped},
        inner=3,
    ),
    Case(
        "group_times",
        "group-time effects, 100,000 units by 12 periods",
        "within 1.5 times of diff-diff",
        {"cxmodels": trials.cx_group_times, "diff-diff": trials.diff_group_times},
        inner=3,
    ),
    Case(
        "honest_bounds",
        "honest bounds of both restrictions, 12 event times, 4 sizes each",
        "under 1 s",
        {"cxmodels": trials.cx_honest},
        inner=3,
    ),
    Case(
        "placebos",
        "synthetic difference in differences with 200 placebos, 39 units by 31 periods",
        "under 2 s",
        {"cxmodels": trials.cx_placebos},
        inner=3,
    ),
    Case(
        "import",
        "import, fresh process (processor time)",
        "under .5 s",
        {
            "cxmodels": works.cx_import,
            "lifetimes": works.lifetimes_import,
            "pandas and scipy.special": works.pandas_scipy_import,
        },
        inner=5,
    ),
)


def case_named(name: str) -> Case:
    """The benchmark of that name."""
    return next(case for case in CASES if case.name == name)
