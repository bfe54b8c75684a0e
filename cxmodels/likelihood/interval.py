"""Three ways to say how far a parameter may lie from its estimate."""

from collections.abc import Callable

import pandas as pd

from cxmodels.errors import OptionError
from cxmodels.likelihood.objective import Objective
from cxmodels.likelihood.profile import profile
from cxmodels.results.draws import Draws
from cxmodels.results.estimate import Estimate

METHODS = ("wald", "profile", "posterior")


def intervals(
    objective: Objective | None,
    estimate: Estimate,
    posterior: Callable[[], Draws],
    *,
    method: str,
    level: float,
) -> pd.DataFrame:
    """lower and upper of each parameter.

    method: "wald" (curvature at the maximum, on the log scale), "profile" (where the likelihood
    has fallen by half a chi-square quantile, the others re-fitted) or "posterior" (of draws).
    """
    if method == "wald":
        return estimate.parameters(level)[["lower", "upper"]]
    if method == "posterior":
        return posterior().interval(level)[["lower", "upper"]]
    if method != "profile":
        raise OptionError(f"method {method!r} is not one of {', '.join(METHODS)}")
    if objective is None:
        raise OptionError(
            "this fit holds no data for a profile (it was loaded, or is of one kind): fit again"
        )
    names = estimate.space.names
    found = [profile(objective, estimate, name, level=level) for name in names]
    ends = {"lower": [curve.lower for curve in found], "upper": [curve.upper for curve in found]}
    return pd.DataFrame(ends, index=pd.Index(names, name="parameter"))
