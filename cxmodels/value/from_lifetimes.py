"""Takes over models that were fitted with the lifetimes package, parameters and data.

The fitter is read, never called: its `params_` and `data` are all that is needed. The estimate
stays theirs; standard errors, posterior draws and the verdict on how good an optimum it is are
worked out anew.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from cxmodels.data.summaries import CustomerBase
from cxmodels.data.units import TimeUnit
from cxmodels.errors import DataError, OptionError, Problem
from cxmodels.likelihood.fitted import FittedModel
from cxmodels.likelihood.objective import RealScale
from cxmodels.numerics.arrays import Floats
from cxmodels.purchases.families import FAMILIES
from cxmodels.purchases.fitted import FittedPurchases, fit_purchases
from cxmodels.results.estimate import FLAT, Estimate, Outcome, Status
from cxmodels.spend.fitted import FittedSpend
from cxmodels.spend.gamma_gamma import GammaGamma

NOTHING = 0.01  # log likelihood by which their optimum may miss ours without a word


@dataclass(frozen=True)
class Peer:
    """A fitter of lifetimes: our family of the same model, and its parameters in our order."""

    family: str
    parameters: tuple[str, ...]


PEERS = {
    "BetaGeoFitter": Peer("BGNBD", ("r", "alpha", "a", "b")),
    "ModifiedBetaGeoFitter": Peer("MBGNBD", ("r", "alpha", "a", "b")),
    "ParetoNBDFitter": Peer("ParetoNBD", ("r", "alpha", "s", "beta")),
    "BetaGeoBetaBinomFitter": Peer("BGBB", ("alpha", "beta", "gamma", "delta")),
    "GammaGammaFitter": Peer("GammaGamma", ("p", "q", "v")),
}


def from_lifetimes(
    fitter: Any, *, unit: str | TimeUnit = "week", currency: str | None = None
) -> FittedPurchases | FittedSpend:
    """The fit of a lifetimes fitter as one of ours.

    Args: fitter: a fitted BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter,
    BetaGeoBetaBinomFitter or GammaGammaFitter; unit: the unit of its recency and T, which lifetimes
    does not know; currency: of a GammaGammaFitter's amounts.
    Returns: a fit whose parameters are the fitter's, whose `status` says how far its optimum lies
    below the maximum, and whose posterior is drawn from its data.

    Errors: OptionError for another object, or one that was not fitted; DataError where its data
    break the contract of a customer base.
    """
    kind = type(fitter).__name__
    peer = PEERS.get(kind)
    if peer is None or (peer.family != "GammaGamma" and peer.family not in FAMILIES):
        raise OptionError(f"from_lifetimes reads {', '.join(PEERS)}; this is of type {kind}")
    found, data = getattr(fitter, "params_", None), getattr(fitter, "data", None)
    if found is None or data is None:
        raise OptionError(f"this {kind} was not fitted: call its fit() first")
    theta = np.array([float(found[name]) for name in peer.parameters])
    base = _base(data, TimeUnit.parse(unit), currency)
    ours: FittedPurchases | FittedSpend
    if peer.family == "GammaGamma":
        ours = GammaGamma().fit(base)
    else:
        ours = fit_purchases(FAMILIES[peer.family](), base)
    penalty = float(getattr(fitter, "penalizer_coef", 0.0) or 0.0)
    return replace(ours, estimate=_taken_over(ours, theta, penalty))


def _base(data: pd.DataFrame, unit: TimeUnit, currency: str | None) -> CustomerBase:
    """The customer base behind a fitter: each row as many times as its weight says."""
    weight = data["weights"].to_numpy(dtype=np.float64)
    if not ((weight >= 1.0) & (weight == np.floor(weight))).all():
        wrong = ~((weight >= 1.0) & (weight == np.floor(weight)))
        first = f"row {int(np.argmax(wrong)) + 1}: {weight[np.argmax(wrong)]:g}"
        problem = Problem("weights are not whole numbers of customers", int(wrong.sum()), first)
        raise DataError("data of the fitter", [problem])
    table = data.rename(columns={"n_periods": "T"}).drop(columns="weights")
    if "T" not in table:  # a Gamma-Gamma fitter knows orders only, no times
        table = table.assign(recency=(table["frequency"] > 0).astype(float), T=1.0)
    rows = table.loc[table.index.repeat(weight.astype(np.int64))].reset_index(drop=True)
    return CustomerBase.from_summary(rows, unit=unit, currency=currency)


def _taken_over(ours: FittedModel, theta: Floats, penalty: float) -> Estimate:
    """Their parameters with our account of them."""
    if ours.objective is None:  # never: the fit was made just now
        raise OptionError("the fit has no data")
    view = RealScale(ours.objective)
    there = view.derivatives(view.real(theta))
    bends, axes = np.linalg.eigh(-there.hessian)
    level = (axes[:, bends <= FLAT] ** 2).sum(axis=1)
    return replace(
        ours.estimate,
        theta=theta,
        information=-there.hessian,
        log_likelihood=there.value,
        status=_status(ours.estimate.log_likelihood - there.value, penalty, ours.status),
        free=level < 0.01,
        limits=(),
    )


def _status(short: float, penalty: float, ours: Status) -> Status:
    if short <= NOTHING:
        return Status(ours.outcome, f"taken over from lifetimes, at the maximum; {ours}")
    why = f" (it was penalised: penalizer_coef {penalty:g})" if penalty else ""
    return Status(
        Outcome.STOPPED,
        f"taken over from lifetimes, {short:,.3f} of log likelihood below the maximum{why}; "
        "fit the data again for the maximum",
    )
