"""The sections of the customer equity report: which text, table and picture stands where."""

import math

import pandas as pd

from cxmodels.reports import equity_words as words
from cxmodels.reports.columns import TERMS
from cxmodels.reports.document import Block, Chart, Fact, Facts, Section, Table, Text, Tone
from cxmodels.reports.equity_tables import EquityTables, filled
from cxmodels.reports.numbers import Kind, as_number, interval
from cxmodels.reports.tables import Style, table


def read(tables: EquityTables) -> Section:
    """What was read, and what was set aside."""
    blocks: list[Block] = [*_text(words.reading(tables))]
    if filled(tables.reconciliation):
        columns = ["item", "rows", "customers", "amount", "note"]
        frame = tables.reconciliation
        seen = frame if "rows" not in frame.columns else frame[frame["rows"].map(as_number) != 0]
        blocks.append(
            table(
                seen, columns, title="From the log to the customer base", style=_style(tables),
                note=words.without(tables),
            )
        )  # fmt: skip
    return Section("What was read", tuple(blocks))


def predicted(tables: EquityTables) -> Section:
    """How well the model predicted what it had not seen."""
    blocks: list[Block] = [*_text(words.prediction(tables))]
    from cxmodels.reports import plots

    if filled(tables.tracking):
        blocks += [
            Chart.of(plots.tracking_cumulative(tables.tracking, tables.labels)),
            Chart.of(plots.tracking_weekly(tables.tracking, tables.labels)),
        ]
    if filled(tables.conditional):
        blocks.append(Chart.of(plots.holdout_conditional(tables.conditional, tables.labels)))
    if filled(tables.holdout):
        frame = tables.holdout
        blocks.append(
            table(frame, ["metric", "value", "note"], title="Back-test in numbers",
                  style=_style(tables))
        )  # fmt: skip
    return Section("How well the model predicted", tuple(blocks))


def behaviour(tables: EquityTables) -> Section:
    """How often customers buy, and what recency and frequency say about them."""
    from cxmodels.reports import plots

    blocks: list[Block] = []
    if filled(tables.frequency):
        blocks.append(Chart.of(plots.frequency_histogram(tables.frequency, tables.labels)))
    if filled(tables.recency_frequency):
        frame, labels = tables.recency_frequency, tables.labels
        blocks += [
            Text(
                "A customer who bought often and then fell silent has probably left; one who buys "
                "seldom may be silent for as long and still be a customer."
            ),
            Chart.of(plots.recency_frequency_heatmap(frame, labels)),
            *_text(words.one_time_buyers(tables), Tone.NOTE),
            Chart.of(plots.recency_frequency_heatmap(frame, labels, value="expected_purchases")),
        ]
    return Section("How customers behave", tuple(blocks))


def worth(tables: EquityTables) -> Section:
    """What the customers are worth, and where the uncertainty comes from."""
    from cxmodels.reports import plots

    blocks: list[Block] = [*_text(words.worth(tables)), *_text(words.uncertainty(tables))]
    blocks += [Text(caution, Tone.NOTE) for caution in tables.cautions]
    if len(tables.sources):
        blocks.append(Chart.of(plots.equity_sources(tables.sources, tables.labels)))
    if filled(tables.equity):
        blocks.append(_equity_table(tables, tables.equity))
    if filled(tables.iso_value):
        blocks.append(Chart.of(plots.iso_value_curves(tables.iso_value, tables.labels)))
    return Section("What the customers are worth", tuple(blocks))


def _equity_table(tables: EquityTables, equity: pd.DataFrame) -> Table:
    frame = equity.copy()
    frame["item"] = [words.capital(str(item)) for item in frame["item"]]
    columns = [
        name
        for name in ("item", "estimate", "std_dev", "variance_share")
        if name in frame.columns and not frame[name].isna().all()
    ]
    note = "Sources add up in variance, not in standard deviation."
    return table(
        frame, columns, title="Customer equity and its sources of uncertainty",
        style=_style(tables), note=note if len(tables.sources) else "",
    )  # fmt: skip


def concentrated(tables: EquityTables) -> Section:
    """How concentrated value is."""
    from cxmodels.reports import plots

    blocks: list[Block] = [*_text(words.concentration(tables))]
    if filled(tables.lorenz):
        blocks.append(Chart.of(plots.lorenz_curve(tables.lorenz, tables.labels, gini=tables.gini)))
    if filled(tables.concentration):
        frame = tables.concentration
        gini = frame["group"].astype(str).str.lower().str.contains("gini")
        frame = frame.assign(
            group=[words.capital(str(name)) for name in frame["group"]],
            unit=["" if flag else "share" for flag in gini],
        )
        style = _style(tables, kinds={"share": Kind.NUMBER})
        blocks.append(table(frame, ["group", "share"], title="Concentration", style=style))
    return Section("How concentrated the value is", tuple(blocks))


def new_customer(tables: EquityTables) -> Section:
    """What a customer won today is worth."""
    blocks: list[Block] = [*_text(words.new_customer(tables))]
    if filled(tables.new_customer):
        row = tables.new_customer.iloc[0]
        facts = [
            Fact(TERMS[name].label, _shown(row, name, TERMS[name].kind, tables))
            for name in ("first_purchase", "repeat_purchases_value", "discounted_purchases")
            if name in tables.new_customer.columns and math.isfinite(as_number(row[name]))
        ]
        blocks += [Facts(tuple(facts))] if facts else []
    return Section("What a new customer is worth", tuple(blocks))


def _shown(row: words.Row, name: str, kind: Kind, tables: EquityTables) -> str:
    ends = row.get(f"{name}_lower"), row.get(f"{name}_upper")
    return interval(row[name], *ends, kind, currency=tables.currency)


def parameters(tables: EquityTables) -> Section:
    """What the data say about the model's parameters."""
    from cxmodels.reports import plots

    blocks: list[Block] = []
    if filled(tables.parameters):
        frame = tables.parameters
        if "parameter" not in frame.columns:
            frame = frame.rename_axis("parameter").reset_index()
        columns = ["model", "window", "parameter", "estimate", "std_error", "meaning"]
        blocks.append(table(frame, columns, title="Estimated parameters", style=_style(tables)))
    if filled(tables.posterior):
        drawn = plots.parameter_posterior(
            tables.posterior, tables.labels, estimates=_latest(tables.parameters)
        )
        blocks.append(Chart.of(drawn))
    return Section("The model's parameters", tuple(blocks))


def _latest(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    """The parameters of the last window, where a table holds several."""
    if not filled(frame) or "window" not in frame.columns:
        return frame
    last: pd.DataFrame = frame[frame["window"] == frame["window"].iloc[-1]]
    return last


def assumed(tables: EquityTables) -> Section:
    """What the numbers rest on."""
    blocks: list[Block] = []
    if filled(tables.assumptions):
        style = _style(tables, kinds={"value": Kind.TEXT})
        blocks.append(
            table(tables.assumptions, ["item", "value"], title="Assumptions", style=style)
        )
    blocks += [Text(note, Tone.NOTE) for note in tables.notes]
    return Section("Assumptions and notes", tuple(blocks))


def most_valuable(tables: EquityTables) -> Section:
    """The most valuable customers by name; empty unless somebody asked for them."""
    if not filled(tables.top_customers):
        return Section("Most valuable customers", ())
    columns = [
        "customer_id", "residual_value", "p_alive", "expected_purchases", "expected_spend",
    ]  # fmt: skip
    block = table(
        tables.top_customers, columns, title="Present customers by residual value",
        style=_style(tables),
    )  # fmt: skip
    return Section("Most valuable customers", (block,))


def _style(tables: EquityTables, *, kinds: dict[str, Kind] | None = None) -> Style:
    return Style(currency=tables.currency, level=tables.level, kinds=kinds or {})


def _text(sentence: str, tone: Tone = Tone.PLAIN) -> list[Block]:
    return [Text(sentence, tone)] if sentence else []
