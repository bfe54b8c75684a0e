"""Pictures of portfolios sorted by scores: what they grew to, and what factors do not pay for."""

from typing import Any

import numpy as np
import pandas as pd

from cxmodels.errors import OptionError
from cxmodels.reports import theme
from cxmodels.reports.extras import report_extra
from cxmodels.reports.labels import Labels
from cxmodels.reports.marks import (
    Picture,
    apart,
    layered,
    named,
    needed,
    nothing_to_show,
    number_axis,
    records,
)
from cxmodels.reports.numbers import Kind, grouped, written

with report_extra():
    import altair as alt

_LONG_SHORT = "long short"
_A_YEAR = 1200.0  # per cent a year, of a share a month
_YEARS = 60  # months from which on an axis tells years alone
_CLEAR = 16.0  # pixels that a line's name needs
_STEPS = (  # of the ticks in a power of ten, from few to many
    (1.0,),
    (1.0, 3.0),
    (1.0, 2.0, 5.0),
    (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),
    (1.0, 1.05, 1.1, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 9.5),
)
_ROOM = 0.06  # of the height, above and below the lines
_SMALL = "too small to be found four times in five"
_SETS = (theme.MODEL, theme.ACCENT, theme.OBSERVED, "#009e73")
_STEP = 24  # pixels a portfolio and set of factors


def portfolio_growth(
    returns: Any,
    labels: Labels | None = None,
    *,
    cost: float = 0.0,
    firms: int | None = None,
) -> Picture:
    """What 1 put into each portfolio grew to, on a log axis.

    returns: by month (its index), one column a portfolio, as shares, as the `returns` of
    `cx.satisfaction_portfolios`; cost: of trading one unit, as a share, if they are less costs;
    firms: how many. Months in which a portfolio has no return are left out for all, and counted.
    """
    labels = labels or Labels()
    if not isinstance(returns, pd.DataFrame) or any(
        returns[name].notna().any() and not pd.api.types.is_numeric_dtype(returns[name])
        for name in returns
    ):
        raise OptionError("portfolio_growth draws returns by month, one column of shares each")
    growth, left = _grown(returns)
    kept = max(int(growth.notna().any(axis=1).sum()) - 1, 0)
    names = _names(list(growth.columns))
    title = f"What 1 put into each portfolio grew to{_ahead(growth, names) if kept else ''}"
    paid = f"after costs of {100 * cost:.3g}% of what is traded" if cost else "before costs"
    return theme.finish(
        _growing(growth.rename(columns=names)) if kept else nothing_to_show(),
        title=title,
        subtitle=labels.subtitle(
            "log axis",
            paid,
            f"{kept:,} months",
            f"{left:,} left out for want of a portfolio" if left else "",
            "" if firms is None else f"{firms:,} firms",
        ),
        description=f"Line chart over months, log axis. {title}, {paid}: groups of firms by their "
        "scores, and the best less the worst, 1 of each for 1 put in.",
    )


def _grown(returns: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """By month's end, one column a portfolio: from 1 before the first month; missing where months
    are left out, and from where nothing is left. And how many months are left out."""
    held = returns.rename(columns=str).astype(float)
    if held.empty:
        return pd.DataFrame(), 0
    if not isinstance(held.index, pd.PeriodIndex | pd.DatetimeIndex):
        raise OptionError("portfolio_growth needs a table whose index is months or days of months")
    if isinstance(held.index, pd.DatetimeIndex):
        held = held.set_axis(held.index.to_period("M"))
    held = held.sort_index()
    there = np.isfinite(held.to_numpy()).all(axis=1)
    if not there.any():
        return pd.DataFrame(), len(held)
    factor = 1.0 + held[there]
    grown = factor.cumprod().where(factor.gt(0.0).cummin())
    first = grown.index[0]
    grown.loc[first - 1] = 1.0
    every = grown.reindex(pd.period_range(first - 1, held.index[-1], freq=first.freq))
    return every.set_axis(every.index.to_timestamp(how="end").normalize()), int((~there).sum())


def _names(columns: list[str]) -> dict[str, str]:
    """Groups by their numbers, told with which end of the scores they hold."""
    groups = sorted((name for name in columns if name.isdigit()), key=int)
    ends = {groups[0]: "lowest scores", groups[-1]: "highest scores"} if len(groups) > 1 else {}
    return {name: ends.get(name, f"group {name}" if name in groups else name) for name in columns}


def _ahead(growth: pd.DataFrame, names: dict[str, str]) -> str:
    """Where the highest and the lowest scores ended, as the end of a title."""
    last = _ends(growth.rename(columns=names))
    ends = [name for name in ("highest scores", "lowest scores") if name in last]
    said = [f"{written(last[name], Kind.NUMBER)} with the {name}" for name in ends]
    return f": {', '.join(said)}" if said else ""


def _ends(growth: pd.DataFrame) -> "pd.Series[float]":
    """What each portfolio is worth at the end; 0 where nothing was left before it."""
    last: pd.Series[float] = growth.dropna(how="all").iloc[-1]
    return last.fillna(0.0)


def _growing(growth: pd.DataFrame) -> Picture:
    names = [str(name) for name in growth.columns]
    palette = _shades(names)
    low = np.log(min(float(np.nanmin(growth)), 0.9))
    high = np.log(max(float(np.nanmax(growth)), 1.1))
    low, high = low - _ROOM * (high - low), high + _ROOM * (high - low)
    ticks = _ticks(np.exp(low), np.exp(high))
    axis = number_axis("Value of 1 put in", values=ticks, tickCount=len(ticks))
    scale = alt.Scale(type="log", domain=[np.exp(low), np.exp(high)], nice=False)
    y = alt.Y("value:Q", axis=axis, scale=scale)
    shades = alt.Scale(domain=names, range=list(palette.values()))
    colour = alt.Color("portfolio:N", scale=shades, legend=None)
    long = growth.rename_axis("month").reset_index().melt("month", names, "portfolio", "value")
    between = long["portfolio"].map(palette) == theme.MUTED
    thin = alt.Chart(records(long[between])).mark_line(strokeWidth=1.1, opacity=0.6)
    lines = alt.Chart(records(long[~between])).mark_line(strokeWidth=1.9)
    dates = "%Y" if len(growth) > _YEARS else "%b %Y"
    x = alt.X("month:T", axis=alt.Axis(title="End of month", format=dates, tickCount=8))
    tip = [
        alt.Tooltip("month:T", title="End of", format="%b %Y"),
        alt.Tooltip("portfolio:N", title="Portfolio"),
        alt.Tooltip("value:Q", title="Value of 1", format=",.3~f"),
    ]
    one = alt.Chart(records(pd.DataFrame({"value": [1.0]}))).mark_rule(color=theme.INK)
    return layered(
        one.encode(y=y),
        *(line.encode(x=x, y=y, color=colour, tooltip=tip) for line in (thin, lines)),
        _named_ends(growth, _CLEAR / theme.HEIGHT * (high - low)).encode(y=y, color=colour),
    )


def _named_ends(growth: pd.DataFrame, gap: float) -> alt.Chart:
    """What each line ends at and its name, to the right of it; gap: between two, in logs."""
    ends, places = _ends(growth), np.exp(apart(np.log(growth.ffill().iloc[-1]), gap))
    labels = [f"{written(ends[name], Kind.NUMBER)}  {name}" for name in growth.columns]
    told = pd.DataFrame({"portfolio": growth.columns, "value": places, "label": labels})
    text = alt.Chart(records(told)).mark_text(align="left", fontWeight=600, fontSize=12)
    named_ends: alt.Chart = text.encode(x=alt.value(theme.WIDTH + 8), text="label:N")
    return named_ends


def _shades(names: list[str]) -> dict[str, str]:
    """Groups from light to dark by their scores, those between many muted; long short apart."""
    groups = [name for name in names if name != _LONG_SHORT]
    few = len(groups) <= len(theme.LINES)
    ladder = np.linspace(0, len(theme.LINES) - 1, max(len(groups), 1)).round().astype(int)
    shades = {name: theme.LINES[rung] for name, rung in zip(groups, ladder, strict=True)}
    if not few:
        shades |= dict.fromkeys(groups[1:-1], theme.MUTED)
    return {name: shades.get(name, theme.ACCENT) for name in names}


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers of a log axis, as few as tell its steps."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in _STEPS:
        found = [float(f"{step}e{power}") for power in powers for step in steps]
        found = [value for value in found if low <= value <= high]
        if len(found) >= 4:
            break
    return found


def portfolio_alphas(
    alphas: pd.DataFrame, labels: Labels | None = None, *, firms: int | None = None
) -> Picture:
    """What portfolios of months earned beyond what factors pay, with what could have been found.

    alphas: portfolio, alpha, lower, upper (a month, as shares), detectable (per cent a year),
    periods, as the table of `cx.factor_alphas`, and `factors`, the name of their set, where tables
    of several stand below one another; firms: how many.
    """
    labels = labels or Labels()
    columns = ["portfolio", "alpha", "lower", "upper", "detectable", "periods"]
    data = needed(alphas, columns, chart="portfolio_alphas", known=["factors"])
    data = data.assign(factors=data.get("factors", "alpha")).dropna()
    yearly = {name: _A_YEAR * data[name].astype(float) for name in ("alpha", "lower", "upper")}
    data = data.assign(**yearly, portfolio=_told_groups(data["portfolio"]))
    months = data["periods"].astype(int)
    counted = f"{months.max():,} months" if len(data) else "no months"
    if len(data) and months.min() < months.max():
        counted = f"{months.min():,} to {counted}"
    title = f"Alphas of portfolios{_against(data)}"
    return theme.finish(
        _beyond(data) if len(data) else nothing_to_show(),
        title=title,
        subtitle=labels.subtitle(
            "per cent a year",
            f"line: {labels.band}",
            counted,
            "" if firms is None else f"{firms:,} firms",
        ),
        description=f"Dot chart. {title}. Return beyond what factors pay, per cent a year, by "
        f"portfolio and set of factors, with {labels.band}s; grey: alphas {_SMALL}.",
    )


def _told_groups(names: "pd.Series[str]") -> list[str]:
    plain = [str(name) for name in names]
    known = _names(list(dict.fromkeys(plain)))
    return [known[name] for name in plain]


def _against(data: pd.DataFrame) -> str:
    """Long less short beside what could have been found, as the end of a title."""
    rows = data[data["portfolio"] == _LONG_SHORT]
    if not len(rows):
        return ""
    row = rows.iloc[-1]
    beyond = f" ({row['factors']})" if len({*data["factors"]}) > 1 else ""
    found, least = (grouped(float(row[name]), 1) for name in ("alpha", "detectable"))
    return f": long short {found}% a year{beyond}, where {least}% would have been found"


def _beyond(data: pd.DataFrame) -> Picture:
    sets = list(dict.fromkeys(data["factors"]))
    colours = {str(name): _SETS[place % len(_SETS)] for place, name in enumerate(sets)}
    palette = {**colours, _SMALL: theme.GRID}
    order = list(dict.fromkeys(data["portfolio"]))
    y = alt.Y(
        "portfolio:N",
        sort=order,
        axis=alt.Axis(title=None, grid=False, labelLimit=220, labelFontSize=12.5),
        scale=alt.Scale(paddingInner=0.25, paddingOuter=0.15),
    )
    offset = alt.YOffset("factors:N", sort=sets)
    axis = number_axis("Alpha, per cent a year", grid=True, tickCount=8)
    low = alt.X("lower:Q", axis=axis)
    tip = [
        alt.Tooltip("portfolio:N", title="Portfolio"),
        alt.Tooltip("factors:N", title="Factors"),
        alt.Tooltip("alpha:Q", title="Alpha, % a year", format="+.2f"),
        alt.Tooltip("lower:Q", title="Interval from", format="+.2f"),
        alt.Tooltip("upper:Q", title="Interval to", format="+.2f"),
        alt.Tooltip("detectable:Q", title="Found four times in five from", format=".2f"),
    ]
    grey = data.assign(least=-data["detectable"].astype(float))
    power = alt.Chart(records(grey)).mark_bar().encode(
        y=y, yOffset=offset, x=alt.X("least:Q", axis=axis), x2="detectable", tooltip=tip
    )  # fmt: skip
    zero = alt.Chart(records(pd.DataFrame({"at": [0.0]}))).mark_rule(color=theme.INK)
    layers = [named(power, _SMALL, palette), zero.encode(x=alt.X("at:Q", axis=axis))]
    for name, part in data.groupby("factors", sort=False):
        base = alt.Chart(records(part)).encode(y=y, yOffset=offset, tooltip=tip)
        line = base.mark_rule(strokeWidth=2.2).encode(x=low, x2="upper")
        dots = base.mark_circle(size=64, opacity=1).encode(x=alt.X("alpha:Q", axis=axis))
        layers += [named(mark, str(name), palette) for mark in (line, dots)]
    return layered(*layers, height=max(120, _STEP * len(sets) * len(order) + 20))
