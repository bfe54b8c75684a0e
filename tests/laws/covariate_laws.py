"""Laws of covariates that every family obeys whose processes they move.

Written once, run over all families (test_covariate_laws.py) and over formulas broken on purpose
(test_covariate_planted_errors.py), which some law must catch.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from cxmodels.data.summaries import CustomerBase
from cxmodels.purchases.covariate_likelihood import CovariatesObjective
from cxmodels.purchases.covariates import WithCovariates
from cxmodels.purchases.design import design_of
from cxmodels.purchases.family import PurchaseFamily
from tests.laws.purchase_laws import histories, thetas

CUSTOMERS = 240


def base_of(family: PurchaseFamily, seed: int = 3, columns: dict | None = None) -> CustomerBase:
    """Simulated customers with a category of three levels and two numbers, none of them special."""
    seen = histories(family, thetas(family)[0], 6.3, seed)
    rng = np.random.default_rng(seed)
    few = slice(0, CUSTOMERS)
    frame = pd.DataFrame(
        {"frequency": seen.frequency[few], "recency": seen.recency[few], "T": seen.T[few]}
    )
    frame["channel"] = rng.choice(["web", "store", "phone"], CUSTOMERS, p=[0.5, 0.3, 0.2])
    frame["satisfaction"] = rng.normal(7.3, 1.7, CUSTOMERS).round(1)
    frame["age"] = rng.integers(19, 83, CUSTOMERS)
    if columns:
        frame = frame.assign(**columns)
    names = [name for name in frame if name not in ("frequency", "recency", "T")]
    return CustomerBase.from_summary(frame, unit="week", covariates=names)


def formulas(family: PurchaseFamily, purchase: str, dropout: str) -> dict[str, str]:
    """The formulas for the processes that the family has."""
    asked = {"purchase": purchase, "dropout": dropout}
    has = {"purchase": family.purchase_moved, "dropout": family.dropout_moved}
    return {process: text for process, text in asked.items() if has[process] is not None}


def objective_of(
    family: PurchaseFamily, base: CustomerBase, asked: dict[str, str], equal: tuple[str, ...] = ()
) -> CovariatesObjective:
    """The likelihood of a base under formulas."""
    design = design_of(base, asked, equal)
    assert design is not None
    model = WithCovariates.of(family, design)
    link, seen = model.link.on(base)
    return CovariatesObjective.of(replace(model, link=link), seen)


def points(objective: CovariatesObjective, count: int = 2) -> np.ndarray:
    """Parameters in general position with effects of up to half a unit a standard deviation."""
    plain = objective.family.plain
    rng = np.random.default_rng(objective.space.size)
    effects = rng.normal(0.0, 0.4, (count, objective.space.size - plain.space.size))
    effects = effects * objective.scales[plain.space.size :]
    return np.concatenate([thetas(plain)[:count], effects], axis=1)


def both(family: PurchaseFamily) -> dict[str, str]:
    return formulas(family, "~ channel + satisfaction", "~ channel * age")


def no_effect_is_no_covariate(family: PurchaseFamily) -> None:
    base = base_of(family)
    objective, plain = objective_of(family, base, both(family)), family.objective(base.profiles)
    k = family.space.size
    for theta in points(objective):
        none = np.concatenate([theta[:k], np.zeros(theta.size - k)])
        found, expected = objective.derivatives(none), plain.derivatives(theta[:k])
        assert abs(objective.log_likelihood(none) / expected.value - 1.0) < 1e-11
        assert abs(found.value / expected.value - 1.0) < 1e-11
        np.testing.assert_allclose(found.gradient[:k], expected.gradient, rtol=1e-7, atol=1e-7)
        size = np.abs(expected.hessian).max()
        assert np.abs(found.hessian[:k, :k] - expected.hessian).max() < 1e-8 * size


def each_customer_has_own_parameters(family: PurchaseFamily) -> None:
    """The likelihood is the sum over customers of the plain one at parameters worked out by hand:
    a rate times exp(-eta), or a beta mean with its log odds moved by eta and its weight kept."""
    base = base_of(family)
    asked = formulas(family, "~ channel + satisfaction", "~ age")
    objective = objective_of(family, base, asked)
    table, k = base.table, family.space.size
    web, store = ((table["channel"] == name).to_numpy(float) for name in ("web", "store"))
    columns = {
        "purchase": np.stack([store, web, table["satisfaction"]], axis=1),
        "dropout": table[["age"]].to_numpy(float),
    }
    for theta in points(objective):
        own = np.tile(theta[:k], (len(table), 1))
        start = k
        for process in asked:
            X = columns[process]
            eta = (X - X.mean(axis=0)) @ theta[start : start + X.shape[1]]
            start += X.shape[1]
            move(family, process, own, eta)
        x, t_x, T = (table[name].to_numpy(float) for name in ("frequency", "recency", "T"))
        expected = family.log_likelihood(own, x, t_x, T).sum()
        assert abs(objective.log_likelihood(theta) / expected - 1.0) < 1e-11


def move(family: PurchaseFamily, process: str, own: np.ndarray, eta: np.ndarray) -> None:
    moved = family.purchase_moved if process == "purchase" else family.dropout_moved
    places = [family.space.index(name) for name in moved.parameters]
    if len(places) == 1:
        own[:, places[0]] /= np.exp(eta)
        return
    a, b = own[:, places[0]].copy(), own[:, places[1]].copy()
    odds = a / b * np.exp(eta)
    own[:, places[0]] = (a + b) * odds / (1.0 + odds)
    own[:, places[1]] = (a + b) / (1.0 + odds)


def derivatives_match_the_value(family: PurchaseFamily) -> None:
    base = base_of(family)
    equal = ("channel",) if len(both(family)) == 2 else ()
    few = formulas(family, "~ channel", "~ channel")  # many customers share a history
    for asked, shared in ((both(family), ()), (both(family), equal), (few, ())):
        objective = objective_of(family, base, asked, shared)
        for theta in points(objective):
            found = objective.derivatives(theta)
            assert abs(found.value / objective.log_likelihood(theta) - 1.0) < 1e-11
            assert np.allclose(found.hessian, found.hessian.T, rtol=1e-9, atol=1e-9)
            for k in range(theta.size):
                step = np.zeros(theta.size)
                step[k] = 1e-5 * (objective.scales[k] if theta[k] == 0 else abs(theta[k]))
                up, down = (objective.derivatives(theta + sign * step) for sign in (1, -1))
                slope = (up.value - down.value) / (2 * step[k])
                unit = 1e-5 * (1.0 + abs(found.gradient[k]) + abs(found.value) * 1e-5 / step[k])
                assert abs(slope - found.gradient[k]) < unit, (k, slope, found.gradient[k])
                bend = (up.gradient - down.gradient) / (2 * step[k])
                size = np.sqrt(np.abs(np.diag(found.hessian)) * abs(found.hessian[k, k]))
                error = np.abs(bend - found.hessian[k])
                assert (error < 1e-4 * (size + 1e-2 * size.max())).all(), (k, error / size)


def unit_of_a_covariate_is_its_own(family: PurchaseFamily) -> None:
    base = base_of(family)
    moved = base.table.assign(satisfaction=40.0 + 25.0 * base.table["satisfaction"])
    other = base_of(family, columns={"satisfaction": moved["satisfaction"].to_numpy()})
    asked = formulas(family, "~ satisfaction + channel", "~ satisfaction")
    first, second = (objective_of(family, data, asked) for data in (base, other))
    number = np.array(["satisfaction" in name for name in first.space.names])
    np.testing.assert_allclose(second.scales, np.where(number, 1 / 25, 1) * first.scales)
    for theta in points(first):
        again = np.where(number, theta / 25.0, theta)
        assert abs(first.log_likelihood(theta) / second.log_likelihood(again) - 1.0) < 1e-11


def order_of_levels_is_a_way_of_writing(family: PurchaseFamily) -> None:
    """Another reference level changes the written effects, not the family's own parameters."""
    base = base_of(family)
    asked = formulas(family, "~ channel", "~ channel")
    other = dict.fromkeys(asked, "~ C(channel, contr.treatment('web'))")
    first, second = (objective_of(family, base, text) for text in (asked, other))
    for theta in points(first):
        again, k = theta.copy(), family.space.size
        for place in range(len(asked)):  # phone, store, web with phone as reference, then web
            store, web = theta[k + 2 * place : k + 2 * place + 2]
            again[k + 2 * place : k + 2 * place + 2] = -web, store - web
        assert abs(first.log_likelihood(theta) / second.log_likelihood(again) - 1.0) < 1e-11


def one_coefficient_for_both_is_two_equal_ones(family: PurchaseFamily) -> None:
    if len(both(family)) < 2:
        return
    base, asked = base_of(family), {"purchase": "~ channel + age", "dropout": "~ channel"}
    free = objective_of(family, base, asked)
    shared = objective_of(family, base, asked, ("channel",))
    k = family.space.size
    assert shared.space.size == free.space.size - 2
    for theta in points(shared):
        merged = np.concatenate([theta, theta[k : k + 2]])
        assert abs(free.log_likelihood(merged) / shared.log_likelihood(theta) - 1.0) < 1e-12
        found, parts = shared.derivatives(theta).gradient, free.derivatives(merged).gradient
        np.testing.assert_allclose(found[k : k + 2], parts[k : k + 2] + parts[-2:], rtol=1e-9)


def effects_point_the_way_they_say(family: PurchaseFamily) -> None:
    """A higher eta of buying means more purchases, a higher one of leaving fewer survivors."""
    base = base_of(family)
    objective = objective_of(family, base, formulas(family, "~ age", "~ age"))
    family_, k, t = objective.family, family.space.size, np.float64(4.0)
    for theta in points(objective):
        for place, process in enumerate(formulas(family, "~ age", "~ age")):
            only = np.concatenate([theta[:k], np.zeros(theta.size - k)])
            only[k + place] = 0.02
            kinds = objective.profiles.kind
            own = family_.link.rows(only, kinds)
            eta = family_.link.matrices[place][kinds, place]
            order = np.argsort(eta)
            if process == "purchase":
                assert (np.diff(family.expected_purchases(own, t)[order]) > -1e-12).all()
            else:
                assert (np.diff(family.survival(own, t)[order]) < 1e-12).all()


LAWS: tuple[Callable[[PurchaseFamily], None], ...] = (
    no_effect_is_no_covariate,
    each_customer_has_own_parameters,
    derivatives_match_the_value,
    unit_of_a_covariate_is_its_own,
    order_of_levels_is_a_way_of_writing,
    one_coefficient_for_both_is_two_equal_ones,
    effects_point_the_way_they_say,
)
