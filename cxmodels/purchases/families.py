"""Every purchase family by name: what a saved fit is read back as, and what `select` compares."""

from collections.abc import Callable

from cxmodels.purchases.bg_bb import BGBB
from cxmodels.purchases.bg_cnbd import BGCNBD, MBGCNBD
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.dependent_pareto_nbd import DependentParetoNBD
from cxmodels.purchases.fitting import FittableFamily
from cxmodels.purchases.ggompertz_nbd import GGompertzNBD
from cxmodels.purchases.mbg_nbd import MBGNBD
from cxmodels.purchases.nbd import NBD
from cxmodels.purchases.pareto_nbd import ParetoNBD

FAMILIES: dict[str, Callable[..., FittableFamily]] = {
    "BGBB": BGBB,
    "BGCNBD": BGCNBD,
    "BGNBD": BGNBD,
    "DependentParetoNBD": DependentParetoNBD,
    "GGompertzNBD": GGompertzNBD,
    "MBGCNBD": MBGCNBD,
    "MBGNBD": MBGNBD,
    "NBD": NBD,
    "ParetoNBD": ParetoNBD,
}
COMPARED = ("BGNBD", "MBGNBD", "ParetoNBD", "GGompertzNBD", "NBD")  # times need not be regular
REGULAR = ("BGCNBD", "MBGCNBD")  # compared too where the base keeps the logs of intervals
