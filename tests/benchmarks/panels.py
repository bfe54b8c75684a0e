"""Panel regressions: two-way effects against pyfixest, dynamic panels, wild bootstrap."""

from typing import Any

import numpy as np
import pandas as pd

from cxmodels.regression.dynamic_panel import DynamicPanel, dynamic_panel
from cxmodels.regression.panel import PanelFit, panel_fit
from cxmodels.regression.resampling import Resampled, wild_bootstrap
from tests.benchmarks.material import SMALL, Material
from tests.benchmarks.works import Facts, Work, quiet

KEYS = {"unit": "firm", "period": "year"}


def _firms(units: int, periods: int) -> pd.DataFrame:
    """SIMULATED: effects of firms that go with x, a season, errors that grow with x."""
    rng = np.random.default_rng(1)
    firm, year = np.divmod(np.arange(units * periods), periods)
    own, season = rng.normal(size=units), rng.normal(size=periods)
    x, z = rng.normal(size=firm.size) + own[firm], rng.normal(size=firm.size)
    e = rng.normal(size=firm.size) * (1 + 0.3 * np.abs(x))
    y = 0.5 * x - 0.2 * z + own[firm] + season[year] + e
    return pd.DataFrame({"firm": firm, "year": year, "y": y, "x": x, "z": z})


def sized(material: Material, full: int) -> int:
    """As many as at full size, or a thousandth, and enough to tell anything."""
    small = material.facts["log_rows"] < 1_000_000
    return max(full // SMALL, 60) if small else full


def cx_two_ways(material: Material) -> Work:
    table = _firms(sized(material, 100_000), 10)

    def do() -> PanelFit:
        return panel_fit(table, "y", ["x", "z"], estimator="two-way", convention="fixest", **KEYS)

    def tell(found: PanelFit) -> Facts:
        return {"rows": found.rows, "error of x": round(float(found.table["std_error"][0]), 9)}

    return Work(do, tell)


def pyfixest_two_ways(material: Material) -> Work:
    import pyfixest

    table = _firms(sized(material, 100_000), 10).assign(who=lambda t: t["firm"])

    def do() -> Any:
        return pyfixest.feols("y ~ x + z | year + firm", data=table, vcov={"CRV1": "who"})

    def tell(found: Any) -> Facts:
        return {"rows": int(found._N), "error of x": round(float(found.se().iloc[0]), 9)}

    return Work(quiet(do), tell)


def cx_dynamic(material: Material) -> Work:
    table = _firms(sized(material, 1_000), 10)

    def do() -> DynamicPanel:
        return dynamic_panel(table, "y", ["x"], instruments={"x": (1, 3)}, **KEYS)

    return Work(do, lambda found: {"rows": found.rows, "instruments": found.instruments})


def cx_wild(material: Material) -> Work:
    fit = panel_fit(
        _firms(sized(material, 2_000), 10), "y", ["x", "z"], estimator="two-way", **KEYS
    )

    def tell(found: Resampled) -> Facts:
        return {"draws": found.draws, "clusters": found.clusters}

    return Work(lambda: wild_bootstrap(fit, "x", draws=1_000), tell)
