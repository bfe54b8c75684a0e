"""Change of the treated against that of controls, given covariates: one comparison, with influence.

Outcome regression, inverse probability weighting with weights that sum to 1, and doubly robust, as
in Sant'Anna and Zhao (2020), "Doubly robust difference-in-differences estimators", Journal of
Econometrics 219: equations 2.2 (regression), 2.3 (weighting, in Hajek's form) and 3.1 with 2.6
(doubly robust, panel), the influence functions those of their appendix and of the package DRDID.
"""

import numpy as np

from cxmodels.errors import FitError
from cxmodels.numerics.arrays import Bools, Floats
from cxmodels.regression.generalised_linear import Kind, independent, regress, solve

METHODS = ("dr", "reg", "ipw")
OVERLAP = 0.999  # probability of treatment of a control beyond which it stands for a thousand


def compared(
    change: Floats, treated: Bools, x: Floats, names: tuple[str, ...], method: str
) -> tuple[float, Floats]:
    """The effect on the treated, and each unit's influence on it (m,).

    change: (m,) of the outcome; treated: (m,); x: (m, k), a constant first.
    Raises: FitError where covariates repeat each other, tell treated and controls apart, or leave
    no overlap.
    """
    m = float(change.size)
    d = treated.astype(np.float64)
    left, line = change, np.zeros_like(x)
    if method != "ipw":
        left, line = _regressed(change, treated, x, names)
    share = d.mean()
    eta = float((d * left).mean() / share)
    of_treated = d * (left - eta) / share - line @ x[treated].mean(axis=0)
    if method == "reg":
        return eta, of_treated / m
    p, score = _propensity(d, x, names)
    w = np.where(treated, 0.0, p / (1.0 - p))
    total = w.mean()
    other = float((w * left).mean() / total)
    of_controls = w * (left - other) / total
    of_controls += score @ ((w * (left - other)) @ x / m) / total
    of_controls -= line @ (w @ x / m) / total
    return eta - other, (of_treated - of_controls) / m


def _regressed(
    change: Floats, treated: Bools, x: Floats, names: tuple[str, ...]
) -> tuple[Floats, Floats]:
    """(m,) changes less what controls with the same covariates would have seen, and (m, k) the
    influence of each unit on the coefficients, m times over."""
    own = x[~treated]
    independent(own, names)
    gram = own.T @ own / change.size
    b = solve(gram, own.T @ change[~treated] / change.size)
    left = change - x @ b
    scores = np.where(treated, 0.0, left)[:, None] * x
    return left, scores @ solve(gram, np.eye(len(names)))


def _propensity(d: Floats, x: Floats, names: tuple[str, ...]) -> tuple[Floats, Floats]:
    """(m,) probability of being treated, and (m, k) influence on its coefficients, m times over."""
    fit = regress(d, x, names, Kind.YES_NO)
    p = np.asarray(Kind.YES_NO.mean(x @ fit.coefficients))
    if p[d == 0.0].max() > OVERLAP:
        raise FitError(
            "treated and controls do not overlap: some control is as good as certain to be "
            "treated, given its covariates"
        )
    return p, (d - p)[:, None] * x @ solve(fit.information / d.size, np.eye(len(names)))
