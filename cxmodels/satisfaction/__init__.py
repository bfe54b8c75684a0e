"""From satisfaction to behaviour: link answers with what followed; what does a point go with?"""

from cxmodels.satisfaction.acquisition import acquisition_cost
from cxmodels.satisfaction.checks import Checks, checks
from cxmodels.satisfaction.drivers import Drivers, drivers
from cxmodels.satisfaction.extrapolated import extrapolated
from cxmodels.satisfaction.levels import Levels, levels, promoters
from cxmodels.satisfaction.link import Linked, link
from cxmodels.satisfaction.outcomes import Effects, effects
from cxmodels.satisfaction.segments import effects_by
from cxmodels.satisfaction.spend import spend_effect
from cxmodels.satisfaction.within import effects_within

__all__ = [
    "Checks",
    "Drivers",
    "Effects",
    "Levels",
    "Linked",
    "acquisition_cost",
    "checks",
    "drivers",
    "effects",
    "effects_by",
    "effects_within",
    "extrapolated",
    "levels",
    "link",
    "promoters",
    "spend_effect",
]
