"""How often customers buy until they leave, when heavy buyers leave sooner, or later, than others.

Pareto/NBD model whose purchase rates lambda and drop-out rates mu depend on each other, joined as
Sarmanov (1966) joins two distributions. While alive a customer buys at rate lambda; their lifetime
is exponential with rate mu; over customers

    g(lambda, mu) = Gamma(lambda; r, alpha) Gamma(mu; s, beta) {1 + rho phi(lambda) phi(mu)}

with phi(y) = 2 exp(-tau y) - 1 and tau so chosen that phi is 0 on average, between -1 and 1: tau =
alpha (2^(1/r) - 1) for lambda, beta (2^(1/s) - 1) for mu. Then rho runs from -1 to 1 whatever the
other parameters, and no unit of time is special. rho > 0: heavy buyers leave sooner.

exp(-tau y) turns one gamma distribution into another, so every quantity is a sum of four of
Pareto/NBD, two of them with a minus. A customer alive at T has r + x, alpha + T, s, beta + T, the
tau of the population, and the same form: what one customer has is r, alpha, s, beta, rho and, once
they have a past, both tau.

Sources: Park and Fader (2004), "Modeling Browsing Behavior at Multiple Websites", Marketing Science
23(3), for Sarmanov's distributions with gamma marginals; the R package CLVTools has exp(-y) in the
place of exp(-tau y), so that its model depends on the unit of time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import scipy

from cxmodels.data.summaries import Profiles
from cxmodels.numerics.arrays import Floats, Ints, Number
from cxmodels.numerics.transforms import Parameter, Space, Support
from cxmodels.purchases import pareto_nbd, tilted_rows
from cxmodels.purchases.family import Purchases, RowDerivatives
from cxmodels.purchases.fitting import FittableFamily
from cxmodels.purchases.likelihood import HistoriesObjective
from cxmodels.purchases.moving import Moved, Rate
from cxmodels.purchases.until_departure import spread_evenly

SPACE = Space(
    (
        *pareto_nbd.SPACE.parameters,
        Parameter(
            "rho",
            "dependence of purchase and drop-out rates",
            support=Support.SIGNED,
            low="heavy buyers stay as long as this family allows",
            high="heavy buyers leave as soon as this family allows",
        ),
    )
)
ROUNDS = 40  # of rejection, before what is left is drawn by its distribution function
BISECTIONS = 60


def split(theta: Floats) -> tuple[Floats, ...]:
    """r, alpha, s, beta, rho, and tau of buying and of leaving; of a new customer by default."""
    r, alpha, s, beta, rho = (theta[..., place] for place in range(5))
    if theta.shape[-1] == SPACE.size:
        return r, alpha, s, beta, rho, tilt(r, alpha), tilt(s, beta)
    return r, alpha, s, beta, rho, theta[..., 5], theta[..., 6]


def tilt(shape: Floats, rate: Floats) -> Floats:
    """tau at which exp(-tau y) is a half on average: rate (2^(1 / shape) - 1)."""
    return np.asarray(rate * np.expm1(np.minimum(np.log(2.0) / shape, 600.0)))


def mean_phi(shape: Floats, rate: Floats, tau: Floats) -> Floats:
    """E[phi(y)] of y ~ Gamma(shape, rate): 2 (rate / (rate + tau))^shape - 1; 0 if new."""
    return np.asarray(2.0 * np.exp(-shape * np.log1p(tau / rate)) - 1.0)


def parts(theta: Floats) -> Iterator[tuple[Floats, Floats]]:
    """The four weights, which sum to 1, with the parameters (..., 4) of Pareto/NBD of each.

    With A = E[exp(-tau lambda)] and B likewise: 1 + rho, -2 rho A, -2 rho B, 4 rho A B over their
    sum, 1 + rho E[phi(lambda)] E[phi(mu)].
    """
    r, alpha, s, beta, rho, on_buying, on_leaving = split(theta)
    A, B = 1.0 + mean_phi(r, alpha, on_buying), 1.0 + mean_phi(s, beta, on_leaving)
    whole = 1.0 + rho * (A - 1.0) * (B - 1.0)
    for weight, first, second in (
        (1.0 + rho, 0.0, 0.0),
        (-rho * A, 1.0, 0.0),
        (-rho * B, 0.0, 1.0),
        (rho * A * B, 1.0, 1.0),
    ):
        own = np.broadcast_arrays(r, alpha + first * on_buying, s, beta + second * on_leaving)
        yield weight / whole, np.stack(own, axis=-1)


def summed(formula: Callable[..., Floats]) -> Callable[..., Floats]:
    """A quantity of Pareto/NBD that is linear in the distribution of rates, for dependent ones."""

    def quantity(theta: Floats, *given: Number) -> Floats:
        return np.asarray(sum(weight * formula(own, *given) for weight, own in parts(theta)))

    quantity.__doc__ = formula.__doc__
    return quantity


def summed_log(formula: Callable[..., Floats]) -> Callable[..., Floats]:
    """The same for a formula that gives a logarithm, and whose sum is wanted as one."""

    def quantity(theta: Floats, *given: Number) -> Floats:
        weights, logs = zip(
            *((weight, formula(own, *given)) for weight, own in parts(theta)), strict=True
        )
        top = np.max(logs, axis=0)
        held = np.where(np.isfinite(top), top, 0.0)
        total = sum(w * np.exp(log - held) for w, log in zip(weights, logs, strict=True))
        with np.errstate(divide="ignore"):  # nothing of this kind can happen
            return np.asarray(held + np.log(np.maximum(total, 0.0)))

    quantity.__doc__ = formula.__doc__
    return quantity


log_likelihood = summed_log(pareto_nbd.log_likelihood)
survival = summed(pareto_nbd.survival)
expected_purchases = summed(pareto_nbd.expected_purchases)
purchase_rate = summed(pareto_nbd.purchase_rate)
log_pmf = summed_log(pareto_nbd.log_pmf)
log_pmf_survivors = summed_log(pareto_nbd.log_pmf_survivors)


def rows(theta: Floats, x: Floats, t_x: Floats, T: Floats) -> RowDerivatives:
    """Log likelihood of each of m histories with its derivatives; theta (5,) or (m, 5)."""
    return tilted_rows.rows(theta, x, t_x, T)


def p_alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """P(alive at T | x, t_x, T): the likelihood of having stayed over the whole likelihood."""
    return np.exp(_log_stayed(theta, x, T) - log_likelihood(theta, x, t_x, T))


def _stayed(own: Floats, x: Number, T: Number) -> Floats:
    """log of Gamma(r + x) / Gamma(r) alpha^r (alpha + T)^-(r + x) S(T): alive at T after x."""
    r, alpha, _, _ = pareto_nbd.split(own)
    gammaln = scipy.special.gammaln
    bought = gammaln(r + x) - gammaln(r) - r * np.log1p(T / alpha) - x * np.log(alpha + T)
    return np.asarray(bought + pareto_nbd.LAW.log_survival((own[..., 2], own[..., 3]), T))


_log_stayed = summed_log(_stayed)


def alive(theta: Floats, x: Number, t_x: Number, T: Number) -> Floats:
    """What a customer alive at T has: r + x, alpha + T, s, beta + T, rho, both tau."""
    r, alpha, s, beta, rho, on_buying, on_leaving = split(theta)
    whole = np.broadcast_arrays(r + x, alpha + T, s, beta + T, rho, on_buying, on_leaving)
    return np.stack(whole, axis=-1)


def draw_rates(theta: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """One lambda and one mu for each row of theta (m, k): lambda alone, then mu given lambda."""
    r, alpha, s, beta, rho, on_buying, on_leaving = split(theta)
    buys = _tilted(r, alpha, on_buying, rho * mean_phi(s, beta, on_leaving), rng)
    bent = rho * (2.0 * np.exp(-on_buying * buys) - 1.0)
    return buys, _tilted(s, beta, on_leaving, bent, rng)


def _tilted(
    shape: Floats, rate: Floats, tau: Floats, bent: Floats, rng: np.random.Generator
) -> Floats:
    """Draws (m,) of a density proportional to Gamma(y; shape, rate) {1 + bent phi(y)}."""
    found, left = np.empty(bent.size), np.arange(bent.size)
    for _ in range(ROUNDS):
        y = rng.standard_gamma(shape[left]) / rate[left]
        height = 1.0 + bent[left] * (2.0 * np.exp(-tau[left] * y) - 1.0)
        taken = rng.random(left.size) * (1.0 + np.abs(bent[left])) < height
        found[left[taken]] = y[taken]
        left = left[~taken]
        if not left.size:
            return found
    found[left] = _quantile(shape[left], rate[left], tau[left], bent[left], rng.random(left.size))
    return found


def _quantile(shape: Floats, rate: Floats, tau: Floats, bent: Floats, share: Floats) -> Floats:
    """The value (m,) below which `share` of such a density lies, by bisection of its logs."""
    A = 1.0 + mean_phi(shape, rate, tau)
    first, second = (1.0 - bent), bent * A
    low, high = np.full(shape.size, -700.0), np.log((shape + 60.0 * np.sqrt(shape) + 60.0) / rate)
    for _ in range(BISECTIONS):
        y = np.exp(0.5 * (low + high))
        below = first * scipy.special.gammainc(shape, rate * y)
        below += second * scipy.special.gammainc(shape, (rate + tau) * y)
        short = below < share * (first + second)
        low, high = (
            np.where(short, 0.5 * (low + high), low),
            np.where(short, high, 0.5 * (low + high)),
        )
    return np.exp(0.5 * (low + high))


def _lived(
    theta: Floats, t: Number, rng: np.random.Generator
) -> tuple[Ints, Floats, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]:
    buys, leaves = draw_rates(theta, rng)
    with np.errstate(divide="ignore", over="ignore"):  # a hazard of 0: never
        lifetime = rng.standard_exponential(buys.size) / leaves
    end = np.minimum(lifetime, t)
    return rng.poisson(buys * end), end, lifetime > t


def simulate_counts(theta: Floats, t: Number, rng: np.random.Generator) -> Ints:
    """Purchases in (0, t] of customers alive at 0; theta (m, k)."""
    return _lived(theta, t, rng)[0]


def simulate(theta: Floats, t: Number, rng: np.random.Generator) -> Purchases:
    """Purchases at rate lambda until the lifetime ends or t comes; theta (m, k)."""
    return spread_evenly(*_lived(theta, t, rng), rng)


def correlation(theta: Floats) -> Floats:
    """Correlation of lambda and mu over new customers, theta (..., 5).

    rho sqrt(r s) (1 - 2^(-1/r)) (1 - 2^(-1/s)), since E[y phi(y)] = -(shape / rate) (1 -
    2^(-1/shape)): the most that rho = 1 allows is .29.
    """
    r, _, s, _, rho, _, _ = split(theta)
    each = [np.sqrt(shape) * -np.expm1(-np.log(2.0) / shape) for shape in (r, s)]
    return np.asarray(rho * each[0] * each[1])


def starts(profiles: Profiles) -> Floats:
    """Starting values (7, 5): those of Pareto/NBD without dependence, some of each kind, and very
    unequal buyers of whom the heavy ones leave at once or not at all."""
    plain = pareto_nbd.starts(profiles)
    each = [(plain, 0.0), (plain[:1], 0.6), (plain[:1], -0.6)]
    mild = np.concatenate([np.insert(base, 4, rho, axis=1) for base, rho in each])
    unequal = mild[0] * [0.3, 0.3, 0.1, 1e-5, 1.0] + [0.0, 0.0, 0.0, 0.0, 0.9]
    return np.concatenate([mild, unequal[None]])


@dataclass(frozen=True)
class DependentParetoNBD(FittableFamily):
    """Pareto/NBD model whose purchase and drop-out rates depend on each other (Sarmanov).

    >>> import cxmodels as cx
    >>> base = cx.customer_base(
    ...     cx.samples.cdnow().query("customer_id < 4_000"), customer="customer_id", time="date",
    ...     amount="amount", unit="week", end="1997-09-30",
    ... )
    >>> fit = DependentParetoNBD().fit(base)
    >>> fit.parameters.index.tolist()
    ['r', 'alpha', 's', 'beta', 'rho']
    """

    name: str = field(default="Dependent Pareto/NBD", init=False)
    source: str = field(default="Park and Fader (2004), Marketing Science 23(3)", init=False)
    space: Space = field(default=SPACE, init=False, repr=False)
    purchase_moved: Moved | None = field(default=Rate(("alpha",)), init=False, repr=False)
    dropout_moved: Moved | None = field(
        default=Rate(("beta",), "mean drop-out rate"), init=False, repr=False
    )

    def objective(self, profiles: Profiles) -> HistoriesObjective:
        return HistoriesObjective.of(self, profiles, starts)

    log_likelihood = staticmethod(log_likelihood)
    rows = staticmethod(rows)
    alive = staticmethod(alive)
    p_alive = staticmethod(p_alive)
    survival = staticmethod(survival)
    expected_purchases = staticmethod(expected_purchases)
    purchase_rate = staticmethod(purchase_rate)
    log_pmf = staticmethod(log_pmf)
    log_pmf_survivors = staticmethod(log_pmf_survivors)
    simulate_counts = staticmethod(simulate_counts)
    simulate = staticmethod(simulate)
