"""The arithmetic of satisfaction broken on purpose: each wrong variant of each formula is caught.

A variant is the module's own text with one snippet replaced; a check takes the module and compares
what it gives with another road: statsmodels, a loop, an identity, a definition.
"""

import importlib
import inspect
import sys
import types
from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm

from cxmodels.data.event_log import EventLog
from cxmodels.data.surveys import Scale
from cxmodels.data.units import Span
from cxmodels.regression.covariance import Clustered

REGRESSION, SATISFACTION = "cxmodels.regression", "cxmodels.satisfaction"


def with_snippet(name: str, right: str, wrong: str) -> types.ModuleType:
    """The module of that name with one snippet replaced, beside the real one."""
    source = inspect.getsource(importlib.import_module(name))
    assert source.count(right) == 1, (name, right, source.count(right))
    made = types.ModuleType(f"{name}_planted")
    sys.modules[made.__name__] = made  # dataclasses look their module up
    try:
        exec(compile(source.replace(right, wrong), name, "exec"), made.__dict__)
    finally:
        del sys.modules[made.__name__]
    return made


def regressions(module) -> bool:
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(600), rng.normal(size=(600, 2))])
    offset, w = 0.4 * rng.normal(size=600), rng.uniform(0.5, 2.0, 600)
    eta = x @ [0.3, 0.4, -0.6] + offset
    cases = {
        "YES_NO": (sm.families.Binomial(), (rng.random(600) < 1 / (1 + np.exp(-eta))) * 1.0),
        "COUNT": (sm.families.Poisson(), rng.poisson(np.exp(eta)) * 1.0),
        "AMOUNT": (
            sm.families.Gamma(sm.families.links.Log()),
            np.exp(eta) * rng.gamma(2, 0.5, 600),
        ),
    }
    for name, (family, y) in cases.items():
        kind = module.Kind[name]
        ours = module.regress(y, x, ("c", "a", "b"), kind, offset=offset, weights=w)
        peer = sm.GLM(y, x, family=family, offset=offset, var_weights=w)
        theirs = peer.fit(tol=1e-14, tol_criterion="params", maxiter=300)
        hessian = -peer.hessian(theirs.params, scale=1.0, observed=True)
        slopes = peer.score_factor(theirs.params, scale=1.0)
        if not (np.allclose(ours.coefficients, theirs.params, atol=1e-8)
                and np.allclose(ours.information, hessian, atol=1e-6 * hessian.max())
                and np.allclose(ours.slopes, slopes, atol=1e-6)):  # fmt: skip
            return False
    return True


def clusters(module) -> bool:
    from cxmodels.regression.generalised_linear import Kind, regress

    rng = np.random.default_rng(2)
    x, own = np.column_stack([np.ones(80), rng.normal(size=80)]), rng.integers(0, 12, 80)
    y = x @ [1.0, 0.5] + rng.normal(size=12)[own] + rng.normal(size=80)
    found = module.clustered(regress(y, x, ("c", "a"), Kind.NUMBER), x, own, 12)
    peer = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": own})
    jack = found.influence.sum(axis=0)  # scores sum to 0 at the estimate
    return bool(np.allclose(found.errors, peer.bse, rtol=1e-9) and np.allclose(jack, 0, atol=1e-9))


def errors_in_scores(module) -> bool:
    """Against least squares on true scores, and the error against a jackknife over customers."""
    rng, n = np.random.default_rng(3), 4_000
    z = rng.normal(size=n)
    true = 0.6 * z + rng.normal(size=n)
    first, again = (true + 0.7 * rng.normal(size=n) for _ in range(2))
    controls, own = np.column_stack([np.ones(n), z]), np.arange(n) // 2
    held = module.reliability(first, again, controls, own, n // 2)
    if not abs(held.value - 1 / 1.49) < 0.03:
        return False
    influence = np.stack([rng.normal(size=n // 2) / n, held.influence], axis=1)
    fit = Clustered(influence, influence.T @ influence, n // 2)
    found = module.corrected(0.4, 0, fit, held)
    both = influence[:, 0] / held.value - 0.4 / held.value**2 * held.influence
    expected = np.sqrt(both @ both * (n / 2) / (n / 2 - 1))
    error = module.noise(first, again, own, n // 2)
    return bool(
        np.isclose(found.value, 0.4 / held.value)
        and np.isclose(found.error, expected)
        and abs(error.variance - 0.49) < 0.03
    )


def columns_with_error(module) -> bool:
    rng, truth, away = np.random.default_rng(4), np.array([0.5, -0.2]), []
    for _ in range(60):
        z = rng.normal(size=900)
        first = z + rng.normal(size=900)
        true = np.stack([first, 0.7 * first + 0.6 * rng.normal(size=900)], axis=1)
        read = true + 0.7 * rng.normal(size=(900, 2))
        again = true[:300, 0] + 0.7 * rng.normal(size=300)
        x = np.column_stack([read, np.ones(900), z])
        y = true @ truth + 0.5 * z + rng.normal(size=900)
        b, *_ = np.linalg.lstsq(x, y, rcond=None)
        influence = ((x * (y - x @ b)[:, None]) @ np.linalg.inv(x.T @ x))[:, :2]
        error = module.noise(read[:300, 0], again, np.arange(300), 900)
        value, spread = module.corrected_columns(
            b[:2], influence, read, x[:, 2:], error, np.arange(900)
        )
        away.append((value - truth) / np.sqrt(np.diag(spread)))
    off, spread = np.mean(away, axis=0), np.std(away, axis=0)
    return bool((np.abs(off) < 0.45).all() and ((spread > 0.75) & (spread < 1.3)).all())


def windows(module) -> bool:
    rng = np.random.default_rng(5)
    customer = np.sort(rng.integers(0, 20, 120))
    opens = rng.integers(19_000, 19_400, 120)
    month_later = module.moved(opens, Span.parse("1M"))  # an answer on the day a window is over
    customer, opens = np.r_[customer, customer], np.r_[opens, month_later]
    order = np.lexsort((opens, customer))
    customer, opens = customer[order], opens[order]
    _, first = np.unique(customer * 10**6 + opens, return_index=True)
    customer, opens = customer[first], opens[first]
    closes = module.moved(opens, Span.parse("1M"))
    kept = module.disjoint(customer, opens, closes)
    right, last = [], {}
    for who, day, end in zip(customer, opens, closes, strict=True):
        right.append(day >= last.get(who, 0))
        if right[-1]:
            last[who] = end
        start = np.datetime64(int(day), "D").astype("datetime64[M]")
        if not 28 <= end - day <= 31 or np.datetime64(int(end), "D") < start + 1:
            return False
    if kept.tolist() != right:
        return False
    held = module.Windows(customer[kept], opens[kept], closes[kept])
    who, day = (np.repeat(rng.integers(*ends, 250), 2) for ends in ((0, 20), (19_000, 19_450)))
    log = EventLog(
        who, (day * 86_400_000_000).astype("datetime64[us]"), np.arange(500) // 2,
        rng.uniform(1, 9, 500), rng.integers(0, 4, 500), None, None, 0,
    )  # fmt: skip
    found = module.tally(held, log, who)
    for place in range(held.customer.size):
        rows = (who == held.customer[place]) & (day > held.opens[place])
        rows &= day < held.closes[place]
        told = (len(set(log.event[rows])), rows.sum(), log.amount[rows].sum(),
                len(set(log.product[rows])))  # fmt: skip
        mine = (found.events, found.lines, found.amount, found.products)
        if not np.allclose(told, [column[place] for column in mine]):
            return False
    return True


def shares(module) -> bool:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3))
    y = x @ [1.0, 0.4, -0.6] + rng.normal(size=200)
    point, share, whole = module._explained(np.cov(np.column_stack([x, y]), rowvar=False)[None])

    def r2(held):
        return 0.0 if not held else sm.OLS(y, sm.add_constant(x[:, held])).fit().rsquared

    right = np.zeros(3)
    for order in permutations(range(3)):
        for place, item in enumerate(order):
            right[item] += (r2(sorted(order[: place + 1])) - r2(sorted(order[:place]))) / 6
    fit = sm.OLS(y, sm.add_constant(x)).fit()
    return bool(
        np.allclose(share[0] * whole[0], right) and np.allclose(point[0], fit.params[1:])
        and np.isclose(whole[0], fit.rsquared)
    )  # fmt: skip


def strengths(module) -> bool:
    rng = np.random.default_rng(7)
    cause, z = rng.normal(size=(2, 300))
    d = 0.5 * cause + 0.2 * z + rng.normal(size=300)
    y = 0.3 * d + 0.4 * cause + z + rng.normal(size=300)
    one, names = np.ones(300), ("c", "d", "z")
    short = module.sensitivity(y, np.column_stack([one, d, z]), names, "d")
    x = np.column_stack([one, d, z, cause])
    whole = module.sensitivity(y, x, (*names, "u"), "d")
    on_d = module.sensitivity(d, np.column_stack([one, z, cause]), ("c", "z", "u"), "u")
    on_y = module.sensitivity(y, x, (*names, "u"), "u")
    found = short.adjusted(on_d.partial_r2, on_y.partial_r2)
    zero, _ = short.adjusted(short.robustness_value, short.robustness_value)
    same = module.benchmark(y, np.column_stack([one, d, z]), names, ("d", "z"), times=1.0)
    strong = same.r2_column + same.r2_outcome > 0.07  # z is as strong as it is: by its definition
    return bool(
        np.allclose(found, (whole.estimate, whole.error)) and np.isclose(zero, 0, atol=1e-12)
        and strong and np.isclose(module.e_value(3.9), 7.263034, atol=1e-6)
        and np.isclose(module.e_value(0.8), 1.809017, atol=1e-6)
        and np.isclose(module.e_value_of_interval(0.71, 0.91), 1.428571, atol=1e-6)
    )  # fmt: skip


def scores(module) -> bool:
    values = np.array([10.0, 9, 9, 8, 7, 7, 6, 5, 10, 3])
    one = np.zeros(10, dtype=np.int64)
    own = module._Answers(values, np.ones(10), np.arange(10), one, 10)
    rows = {row["measure"]: row for row in module._measures(own, Scale(0.0, 10.0), 0.95)}
    worth = np.array([1, 1, 1, 0, 0, 0, -1, -1, 1, -1])
    box, nps = rows["top box"], rows["NPS"]
    twice = module._Answers(
        np.r_[values, values], np.ones(20), np.tile(np.arange(10), 2), np.r_[one, one], 10
    )
    again = {row["measure"]: row for row in module._measures(twice, Scale(0.0, 10.0), 0.95)}
    shared = (np.bincount(np.digitize(values, [7, 9])) + np.array([0.75, 1.5, 0.75])) / 13
    middle = shared[2] - shared[0]
    half = 1.959964 * np.sqrt((shared[2] + shared[0] - middle**2) / 13)
    ends = 100 * np.array([middle - half, middle + half])
    items = np.random.default_rng(8).normal(size=(50, 3)) + np.arange(50)[:, None] / 20
    k = 3 / 2 * (1 - np.diag(np.cov(items, rowvar=False)).sum() / np.cov(items, rowvar=False).sum())
    return bool(
        np.isclose(nps["estimate"], 10) and np.isclose(box["estimate"], 0.2)
        and np.isclose(nps["std_error"], 100 * worth.std(ddof=1) / np.sqrt(10))
        and np.allclose([box["lower"], box["upper"]], [0.0567, 0.5098], atol=5e-5)
        and np.allclose([nps["lower"], nps["upper"]], ends)
        and np.isclose(again["mean"]["std_error"], rows["mean"]["std_error"])
        and np.isclose(module.alpha(items), k)
    )  # fmt: skip


GLM, WINDOWS = f"{REGRESSION}.generalised_linear", f"{SATISFACTION}.windows"
ERROR, STRENGTH = f"{REGRESSION}.measurement_error", f"{REGRESSION}.sensitivity"
DRIVERS, SCORES = f"{SATISFACTION}.drivers", "cxmodels.measures.survey_scores"
PLANTED = [
    (regressions, GLM, "return (y - mu) / mu if self", "return (y - mu) if self"),
    (regressions, GLM, "return y / mu if self", "return mu / y if self"),
    (regressions, GLM, "slopes[part] = w[part] * kind", "slopes[part] = kind"),
    (regressions, GLM, "_held(rows @ b + offset[part], kind)", "_held(rows @ b, kind)"),
    (clusters, f"{REGRESSION}.covariance", "present / (present - 1.0)", "1.0"),
    (clusters, f"{REGRESSION}.covariance", "(fit.rows - x.shape[1])", "fit.rows"),
    (clusters, f"{REGRESSION}.covariance", "fit.slopes * column", "fit.slopes * column**2"),
    (errors_in_scores, ERROR, "own = fit.influence[:, place] / found.value",
     "own = fit.influence[:, place]"),
    (errors_in_scores, ERROR, "effect / found.value**2 *", "effect / found.value *"),
    (errors_in_scores, ERROR, "half = 0.5 * (first - second) ** 2", "half = (first - second) ** 2"),
    (errors_in_scores, ERROR, "value, error = effect / found.value, float(",
     "value, error = effect * found.value, float("),
    (columns_with_error, ERROR, "true = held - error.variance * np.eye(q)",
     "true = held + error.variance * np.eye(q)"),
    (columns_with_error, ERROR, "value = effects + error.variance * u", "value = effects"),
    (columns_with_error, ERROR, "    slopes, *_ = np.linalg.lstsq(controls, scores, rcond=None)\n"
     "    rest = scores - controls @ slopes", "    rest = scores - scores.mean(axis=0)"),
    (columns_with_error, ERROR,
     "turned = influence + error.variance * np.linalg.solve(true, influence.T).T",
     "turned = influence.copy()"),
    (windows, WINDOWS, "(day < self.closes[near])", "(day <= self.closes[near])"),
    (windows, WINDOWS, "customer * DAYS + day) - 1", "customer * DAYS + day, side='right') - 1"),
    (windows, WINDOWS, "after = np.searchsorted(keys, customer[at] * DAYS + closes[at])",
     "after = np.searchsorted(keys, customer[at] * DAYS + closes[at], side='right')"),
    (windows, WINDOWS, "orders = distinct(at * many + log.event[rows]) // many",
     "orders = (at * many + log.event[rows]) // many"),
    (windows, WINDOWS, "pairs = distinct(at * many + log.product[rows])",
     "pairs = at * many + log.product[rows]"),
    (shares, DRIVERS, "gain / (q * comb(q - 1, size))", "gain / q"),
    (shares, DRIVERS, "(part * xy[:, held]).sum(axis=1) / y", "(part**2).sum(axis=1) / y"),
    (shares, DRIVERS, "whole = r2[:, -1]", "whole = r2[:, -2]"),
    (strengths, STRENGTH, "return self.t**2 / (self.t**2 + self.degrees)",
     "return self.t**2 / self.degrees"),
    (strengths, STRENGTH, "bias = np.sqrt(r2_outcome * r2_column / (1.0 - r2_column)) * self.error",
     "bias = np.sqrt(r2_outcome * r2_column) * self.error"),
    (strengths, STRENGTH, "2.0 / (np.sqrt(1.0 + 4.0 / f**2) + 1.0)",
     "2.0 / (np.sqrt(1.0 + 4.0 / f**2) - 1.0)"),
    (strengths, STRENGTH, "high + np.sqrt(high * (high - 1.0))", "high + np.sqrt(high - 1.0)"),
    (strengths, STRENGTH, "lower if lower > 1.0 else upper", "upper if lower > 1.0 else lower"),
    (scores, SCORES, "kind = np.digitize(own.values, [7.0, 9.0])",
     "kind = np.digitize(own.values, [6.0, 9.0])"),
    (scores, SCORES, "p * (1.0 - p) / n + z2 / (4.0 * n**2)", "p * (1.0 - p) / n"),
    (scores, SCORES, "parts = np.bincount(cluster,", "parts = 0.5 * np.bincount(cluster,"),
    (scores, SCORES, "k / (k - 1.0) *", "1.0 *"),
    (scores, SCORES, "(n * shares + ADDED) / (n + sum(ADDED))", "shares"),
]  # fmt: skip
CHECKS = {check: name for check, name, *_ in PLANTED}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_right_ones_pass(check):
    assert check(importlib.import_module(CHECKS[check]))


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted[0].__name__}")
def test_planted(planted):
    check, name, right, wrong = planted
    module = with_snippet(name, right, wrong)
    try:
        caught = not check(module)
    except Exception:  # a variant that falls over is caught too
        caught = True
    assert caught, (name, wrong)


def test_three_of_each():
    counts = {}
    for check, *_ in PLANTED:
        counts[check.__name__] = counts.get(check.__name__, 0) + 1
    assert min(counts.values()) >= 3, counts
