"""Alphas of portfolios: what is left of returns when their exposure to factors is paid for.

r_t = alpha + b f_t + e_t, r and f in excess of the riskless return. Whether all alphas are 0 at
once is the test of Gibbons, Ross and Shanken (1989), Econometrica 57: exact for normal residuals,

    F = (T - N - K) / N  alpha' S^-1 alpha / (1 + mu' W^-1 mu),

S and W maximum-likelihood covariances of residuals and factors, with N and T - N - K degrees of
freedom.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from cxmodels.errors import FitError, OptionError
from cxmodels.numerics.arrays import Floats
from cxmodels.results.estimate import POWER, check_level, told_p
from cxmodels.results.shown_tables import Face, Faced

A_YEAR = 12  # periods, of months
LONG_SHORT, ALL = "long short", "all with scores"
SETS = {
    "CAPM": ("MKT",),
    "three factors": ("MKT", "SMB", "HML"),
    "four factors": ("MKT", "SMB", "HML", "MOM"),
    "five factors": ("MKT", "SMB", "HML", "RMW", "CMA"),
    "five and momentum": ("MKT", "SMB", "HML", "RMW", "CMA", "MOM"),
}
SYNONYMS = {"MKT-RF": "MKT", "MKT_RF": "MKT", "MKTRF": "MKT", "RM-RF": "MKT", "MARKET": "MKT",
            "UMD": "MOM", "WML": "MOM", "MOMENTUM": "MOM"}  # fmt: skip
PAST, LEAST = 60, 24  # months that exposures of holdings are read from, and the least


@dataclass(frozen=True)
class Grs:
    """F with its degrees of freedom and p-value; sentence."""

    statistic: float
    degrees_of_freedom: tuple[int, int]
    p_value: float
    sentence: str


@dataclass(frozen=True, eq=False, repr=False)
class Alphas(Faced):
    """table: portfolio, alpha (a period) with std_error, t, p_value, lower, upper, a_year (per cent
    a year), detectable (per cent a year that would be found four times in five), one column of
    betas a factor, r_squared, periods. grs: of all at once, None where they are too many."""

    table: pd.DataFrame
    grs: Grs | None
    level: float
    lags: int
    notes: tuple[str, ...]

    def face(self) -> Face:
        """Alphas a year, with what could have been found."""
        names = ["portfolio", "alpha", "t", "lower", "upper", "a_year", "detectable", "periods"]
        said = () if self.grs is None else (self.grs.sentence,)
        head = f"Alphas; interval {self.level:.0%}; Newey-West errors, {self.lags} lags"
        return Face(head, self.table[names], (*said, *self.notes))


def grs(returns: Floats, factors: Floats) -> Grs:
    """Are all alphas 0? returns (T, N) and factors (T, K) in excess of the riskless return."""
    T, N = returns.shape
    K = factors.shape[1]
    if T <= N + K:
        raise FitError(f"{T} periods are too few for {N} portfolios and {K} factors")
    X = np.column_stack([np.ones(T), factors])
    b = np.linalg.lstsq(X, returns, rcond=None)[0]
    e = returns - X @ b
    S, mu = e.T @ e / T, factors.mean(axis=0)
    away = factors - mu
    W = away.T @ away / T
    if np.linalg.eigvalsh(S)[0] <= 1e-12 * np.trace(S) / N:
        raise FitError("one portfolio follows from the others: leave it out")
    paid = 1.0 + float(mu @ np.linalg.solve(W, mu))
    F = (T - N - K) / N * float(b[0] @ np.linalg.solve(S, b[0])) / paid
    p = float(scipy.special.fdtrc(N, T - N - K, F))
    found = "rejected at 5 per cent" if p < 0.05 else "not rejected"
    said = f"All {N} alphas are 0: F({N}, {T - N - K}) {F:.4f}, p {told_p(p)}: {found} (GRS, exact)"
    return Grs(F, (N, T - N - K), p, said)


def factor_alphas(
    returns: pd.DataFrame,
    factors: pd.DataFrame,
    *,
    lags: int | None = None,
    level: float = 0.9,
) -> Alphas:
    """Alphas of portfolios by one set of factors.

    returns: one column a portfolio, in excess of the riskless return (or of long less short), rows
    by period; factors: one column a factor, the same rows; lags: of Newey and West's errors, 4
    (T / 100)^(2/9) if None. Periods without all factors are left out, and counted; the GRS test is
    of the periods in which all portfolios are known, without those that follow from others.
    """
    inside = check_level(level)
    if not (isinstance(returns, pd.DataFrame) and isinstance(factors, pd.DataFrame)):
        raise OptionError("returns and factors are frames by the same periods")
    if lags is not None and (not isinstance(lags, int) or lags < 0):
        raise OptionError(f"lags {lags!r} is a whole number from 0 on")
    together = [name for name in returns.columns if name not in (LONG_SHORT, ALL)]
    if set(factors.columns) & set(returns.columns):
        raise OptionError("portfolios and factors have a name in common: rename one")
    both = returns.join(factors, how="inner")
    F = both[list(factors.columns)]
    there = np.isfinite(F.to_numpy(dtype=np.float64)).all(axis=1)
    if there.sum() < factors.shape[1] + 10:
        raise FitError(f"{int(there.sum())} periods have all factors: too few for an alpha")
    held, f = both[there], F[there].to_numpy(dtype=np.float64)
    _apart(f, list(factors.columns))
    reach = int(4.0 * (len(held) / 100.0) ** (2.0 / 9.0)) if lags is None else lags
    rows = []
    for name in returns.columns:
        y = held[name].to_numpy(dtype=np.float64)
        own = np.isfinite(y)
        if own.sum() < factors.shape[1] + 10 or np.ptp(y[own]) == 0.0:
            continue
        rows.append(_alpha(str(name), y[own], f[own], list(factors.columns), (reach, inside)))
    if not rows:
        raise FitError("no portfolio has returns enough for an alpha")
    y = held[together].to_numpy(dtype=np.float64)
    full = np.isfinite(y).all(axis=1)
    notes, found = [], None
    try:
        found = grs(y[full], f[full])
    except FitError as error:
        notes.append(f"No GRS test: {error}.")
    lost = len(returns) - int(there.sum())
    if lost:
        notes.append(f"{lost:,} of {len(returns):,} periods have no factors.")
    return Alphas(pd.DataFrame(rows), found, inside, reach, tuple(notes))


def _apart(factors: Floats, names: list[str]) -> None:
    """FitError where one factor is constant, or follows from the others."""
    X = np.column_stack([np.ones(len(factors)), factors])
    _, r, pivot = scipy.linalg.qr(X / np.linalg.norm(X, axis=0).clip(1e-300), pivoting=True)
    size = np.abs(np.diag(r))
    if size[-1] <= 1e-9 * size[0]:
        told = ["a constant", *map(repr, names)][int(pivot[-1])]
        raise FitError(f"factors say one thing twice: {told} follows from the others")


def factor_sets(columns: list[str]) -> dict[str, list[str]]:
    """The sets of factors that the columns allow, by the names of the field; CAPM is the first
    column where none is called the market; columns of other names make a set "all factors".

    >>> list(factor_sets(["Mkt-RF", "SMB", "HML", "Mom"]))
    ['CAPM', 'three factors', 'four factors']
    """
    upper = {name: name.strip().upper() for name in columns}
    known = {SYNONYMS.get(said, said): name for name, said in upper.items()}
    known.setdefault("MKT", columns[0])
    found = {
        label: [known[part] for part in parts]
        for label, parts in SETS.items()
        if all(part in known for part in parts)
    }
    if not any(len(chosen) == len(columns) for chosen in found.values()):
        found["all factors"] = columns
    return found


def holdings_betas(values: Floats, factors: Floats) -> Floats:
    """(t, n, k) exposures of each asset from the PAST months before each, NaN where fewer than
    LEAST are known. values (t, n) and factors (t, k) in excess of the riskless return."""
    (t, n), k = values.shape, factors.shape[1]
    out = np.full((t, n, k), np.nan)
    clear = np.asarray(np.isfinite(factors).all(axis=1))
    known = np.isfinite(values) & clear[:, None]
    for month in range(LEAST, t):
        past = slice(max(month - PAST, 0), month)
        shown = np.where(clear[past, None], factors[past], 0.0)
        X = np.column_stack([np.ones(month - past.start), shown])
        use = known[past].astype(np.float64)
        enough = use.sum(axis=0) >= max(LEAST, k + 2)
        if not enough.any():
            continue
        w, y = use[:, enough], np.where(known[past], values[past], 0.0)[:, enough]
        gram = np.einsum("tn,ti,tj->nij", w, X, X)
        cross = np.einsum("tn,ti->ni", w * y, X)
        out[month, enough] = np.einsum("nij,nj->ni", np.linalg.pinv(gram), cross)[:, 1:]
    return out


def conditional_alphas(
    excess: pd.DataFrame, factors: Floats, betas: Floats, weight: dict[str, Floats], level: float
) -> pd.DataFrame:
    """Mean of what exposures known before each month leave of returns (Ferson and Harvey 1999).

    excess: one column a portfolio, (t,) rows; factors (t, k); betas (t, n, k) of holdings; weight:
    (t, n) by portfolio. A month counts where exposures of half the weight are known, which then
    stand for the rest. Months of holdings without exposures are left out.
    """
    rows, known = [], np.asarray(np.isfinite(betas).all(axis=2))
    filled = np.where(known[..., None], betas, 0.0)
    for name, w in weight.items():
        long, short = np.maximum(w, 0.0), np.maximum(-w, 0.0)
        exposure = np.zeros(factors.shape)
        clear = np.isfinite(factors).all(axis=1)
        for side, sign in ((long, 1.0), (short, -1.0)):
            whole, told = side.sum(axis=1), (side * known).sum(axis=1)
            clear &= told >= 0.5 * whole
            part = np.einsum("tn,tnk->tk", side, filled)
            grown = np.divide(whole, told, out=np.zeros_like(whole), where=told > 0)
            exposure += sign * grown[:, None] * part
        y = excess[name].to_numpy(dtype=np.float64) - (exposure * factors).sum(axis=1)
        use = np.isfinite(y) & clear & (np.abs(w).sum(axis=1) > 0)
        if use.sum() < LEAST:
            continue
        reach = int(4.0 * (use.sum() / 100.0) ** (2.0 / 9.0))
        told_of = _alpha(name, y[use], np.empty((int(use.sum()), 0)), [], (reach, level))
        told_of.pop("r_squared")
        rows.append(told_of)
    return pd.DataFrame(rows)


def _alpha(
    name: str, y: Floats, f: Floats, factors: list[str], how: tuple[int, float]
) -> dict[str, object]:
    reach, level = how
    X = np.column_stack([np.ones(y.size), f])
    bread = np.linalg.pinv(X.T @ X)
    b = bread @ X.T @ y
    e = y - X @ b
    u = X * e[:, None]
    meat = u.T @ u
    for lag in range(1, min(reach, len(u) - 1) + 1):
        cross = u[lag:].T @ u[:-lag]
        meat += (1.0 - lag / (reach + 1.0)) * (cross + cross.T)
    factor = y.size / (y.size - X.shape[1])
    error = float(np.sqrt(factor * (bread @ meat @ bread)[0, 0]))
    free = y.size - X.shape[1]
    half = float(scipy.special.stdtrit(free, (1.0 + level) / 2.0)) * error
    away = y - y.mean()
    total = float(away @ away)
    return {
        "portfolio": name,
        "alpha": b[0],
        "std_error": error,
        "t": b[0] / error,
        "p_value": 2.0 * float(scipy.special.stdtr(free, -abs(b[0] / error))),
        "lower": b[0] - half,
        "upper": b[0] + half,
        "a_year": 100.0 * A_YEAR * b[0],
        "detectable": 100.0 * A_YEAR * POWER * error,
        **dict(zip(factors, b[1:], strict=True)),
        "r_squared": 1.0 - float(e @ e) / total if total > 0 else 0.0,
        "periods": y.size,
    }
