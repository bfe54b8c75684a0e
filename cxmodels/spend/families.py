"""Every spend model by name: what a saved fit is read back as, and which one a base asks for."""

from collections.abc import Callable

from cxmodels.data.summaries import CustomerBase
from cxmodels.spend.family import SpendFamily
from cxmodels.spend.fitted import FittedSpend
from cxmodels.spend.gamma_gamma import GammaGamma
from cxmodels.spend.normal_normal import NormalNormal

SPEND: dict[str, Callable[[], SpendFamily]] = {
    "GammaGamma": GammaGamma,
    "NormalNormal": NormalNormal,
}


def fit_amounts(base: CustomerBase) -> FittedSpend:
    """Normal-Normal where the amounts of a base are margins, else Gamma-Gamma."""
    return NormalNormal().fit(base) if base.losses else GammaGamma().fit(base)
