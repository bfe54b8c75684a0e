"""Hard customer bases: every fit ends in a sentence, at a likelihood that no other start beats."""

import numpy as np
import pytest

from cxmodels.errors import DataError
from cxmodels.likelihood.objective import RealScale
from cxmodels.numerics.optimise import climb
from cxmodels.purchases.bg_nbd import BGNBD
from cxmodels.purchases.mbg_nbd import MBGNBD
from cxmodels.purchases.nbd import NBD
from cxmodels.results.estimate import Outcome
from tests.laws.hard_inputs import hard_bases
from tests.laws.test_purchase_laws import CONTINUOUS

QUICK = (BGNBD(), MBGNBD(), NBD())  # the others take minutes: see the slow test
SEEN = 20.0  # |log of a parameter against its scale| up to which a likelihood keeps its digits
SHORT = 0.01  # log likelihood by which a fit may miss the best of the other starts


def complaints(family, name, base, starts: int) -> list[str]:
    """What is wrong with the fit of a family to a base: nothing, it is hoped."""
    try:
        fit = family.fit(base)
    except DataError as refusal:
        said = str(refusal)
        return [] if "bought a second time" in said else [f"{name}: refused, {said}"]
    found = []
    if not (np.isfinite(fit.theta).all() and np.isfinite(fit.log_likelihood)):
        found.append(f"{name}: not finite, {fit.theta}")
    if fit.status.outcome is Outcome.STOPPED or len(str(fit.status)) < 20:
        found.append(f"{name}: {fit.status}")
    table = fit.parameters
    if np.isnan(table["std_error"][fit.estimate.free]).any():
        found.append(f"{name}: a standard error is missing, {table}")
    best = best_of_random_starts(fit.objective, starts)
    if best > fit.log_likelihood + SHORT:
        found.append(f"{name}: {fit.log_likelihood:.4f} is below {best:.4f}; {fit.status}")
    return found


def best_of_random_starts(objective, starts: int) -> float:
    """The highest log likelihood that a search from random starts reaches.

    A climb that ran further than e^20 from the data's scale does not count: with parameters of 1e9
    and more, a double's rounding of a whole base passes for a gain of up to several units.
    """
    view, rng = RealScale(objective), np.random.default_rng(starts)
    points = rng.normal(0.0, 2.0, (starts, objective.space.size))
    climbs = [climb(view.derivatives, point, most_steps=60) for point in points]
    reached = [found.value for found in climbs if np.abs(found.point).max() <= SEEN]
    return max(reached, default=-np.inf)


def told(family, many: int, starts: int) -> list[str]:
    return [
        complaint
        for name, base in hard_bases(many)
        for complaint in complaints(family, name, base, starts)
    ]


@pytest.mark.parametrize("family", QUICK, ids=lambda family: family.name)
def test_hard_inputs(family):
    assert told(family, many=15, starts=4) == []


@pytest.mark.slow
@pytest.mark.parametrize("family", CONTINUOUS, ids=lambda family: family.name)
def test_two_hundred_hard_inputs(family):
    found = told(family, many=210, starts=50)
    assert found == [], "\n".join(found)
