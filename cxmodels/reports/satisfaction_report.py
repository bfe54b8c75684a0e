"""The satisfaction report: what customers answered, what a point goes with, and what speaks against
reading it as an effect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cxmodels.errors import OptionError
from cxmodels.reports.document import Block, Chart, Document, Fact, Facts, Section, Text, Tone
from cxmodels.reports.labels import Labels
from cxmodels.reports.numbers import Kind, between, written
from cxmodels.reports.tables import Style, table

_EFFECT_KINDS = dict.fromkeys(("naive", "controlled", "corrected"), Kind.NUMBER)


@dataclass(frozen=True, kw_only=True)
class SatisfactionTables:
    """Tables of `cxmodels.satisfaction` and of the survey; those that are None are left out.

    effects, notes: of `effects`; checks, verdict: of `checks`; by_level, curvature: of `levels`;
    promoters, drivers, scores: of the functions of these names; answers: the reconciliation of
    `link`; value: of `cx.value_change`; score: the question; truth: set effects by outcome, of
    simulated data.
    """

    notes: tuple[str, ...]
    score: str
    verdict: str
    effects: pd.DataFrame | None = None
    checks: pd.DataFrame | None = None
    answers: pd.DataFrame | None = None
    scores: pd.DataFrame | None = None
    by_level: pd.DataFrame | None = None
    curvature: pd.DataFrame | None = None
    promoters: pd.DataFrame | None = None
    drivers: pd.DataFrame | None = None
    value: pd.DataFrame | None = None
    truth: Mapping[str, float] | None = None
    title: str = "What satisfaction goes with"
    subtitle: str = ""
    currency: str = ""
    level: float = 0.9
    simulated: bool = False

    @property
    def labels(self) -> Labels:
        """What stands under every picture."""
        most = 0 if self.effects is None else int(self.effects["customers"].max())
        return Labels(
            level=self.level, customers=most, currency=self.currency, simulated=self.simulated
        )

    def style(self, **kinds: Kind) -> Style:
        """How its tables are set."""
        named = {"group": "Group", "share": "Share of what is explained"}
        return Style(self.currency, self.level, labels=named, kinds=kinds)


def satisfaction_report(tables: SatisfactionTables) -> Document:
    """The report: the verdict first, then answers, effects, levels, attributes, placebos."""
    if tables.effects is None or not len(tables.effects):
        raise OptionError("a satisfaction report needs at least one effect")
    return Document(
        title=tables.title,
        subtitle=tables.subtitle,
        sections=satisfaction_sections(tables),
        headline=Facts(tuple(_headline(tables))),
        simulated=tables.simulated,
    )


def satisfaction_sections(tables: SatisfactionTables) -> tuple[Section, ...]:
    """The same as sections of another report; those without tables are left out."""
    sections = [_verdict(tables), _answered(tables), _effects(tables), _levels(tables),
                _attributes(tables), _worth(tables), _placebos(tables)]  # fmt: skip
    return tuple(section for section in sections if section.blocks)


def _headline(tables: SatisfactionTables) -> list[Fact]:
    """The three outcomes that a point moves most, in per cent, by what is surest."""
    if tables.effects is None:
        return []
    surest = tables.effects.assign(z=(tables.effects["p_value"].astype(float)))
    facts = []
    for row in surest.sort_values("z").head(3).to_dict("records"):
        value = f"{float(row['per_cent']):+.0f}%".replace("-", "−")
        ends = between(float(row["per_cent_lower"]) / 100, float(row["per_cent_upper"]) / 100,
                       Kind.SHARE, like=float(row["per_cent"]) / 100)  # fmt: skip
        name = f"{row['outcome']}, one point more"
        facts.append(Fact(name[:1].upper() + name[1:], value, f"{tables.labels.band}: {ends}"))
    return facts


def _verdict(tables: SatisfactionTables) -> Section:
    remarks = [Text(note) for note in tables.notes]
    heading = f"Does satisfaction ({tables.score}) pay? Verdict"
    return Section(heading, (Text(tables.verdict, Tone.NOTE), *remarks))


def _answered(tables: SatisfactionTables) -> Section:
    blocks: list[Block] = []
    if tables.scores is not None:
        names = ["group", "score", "measure", "estimate", "unit", "answers", "response_rate"]
        kinds = {"answers": Kind.COUNT, "response_rate": Kind.SHARE}
        blocks.append(table(tables.scores, names, title="Scores", style=tables.style(**kinds)))
    if tables.answers is not None:
        names = ["item", "rows", "customers"]
        note = "Every answer is in one of these rows."
        title = "Which answers meet an outcome"
        blocks.append(table(tables.answers, names, title=title, style=tables.style(), note=note))
    return Section("What customers answered", tuple(blocks))


def _effects(tables: SatisfactionTables) -> Section:
    from cxmodels.reports import plots

    if tables.effects is None:
        return Section("Effects", ())
    shares = tables.effects.assign(
        **{name: tables.effects[name].astype(float) / 100
           for name in ("per_cent", "per_cent_lower", "per_cent_upper")}
    )  # fmt: skip
    names = ["outcome", "naive", "controlled", "corrected", "per_cent", "money_a_year"]
    kinds = {**_EFFECT_KINDS, "per_cent": Kind.SHARE, "money_a_year": Kind.AMOUNT}  # fmt: skip
    style = Style(
        tables.currency, tables.level, kinds=kinds,
        labels={"per_cent": "Change with one point more",
                "money_a_year": "A customer and year"},
    )  # fmt: skip
    note = (
        "naive: the score alone; controlled: beside the controls; corrected: for the score's error "
        "as well (logs or log odds a point). Money: at what customers bring or cost now."
    )
    return Section(
        f"What a point of {tables.score} goes with",
        (
            Chart.of(
                plots.effect_comparison(
                    tables.effects, tables.labels, score=tables.score, truth=tables.truth
                )
            ),
            table(shares, names, title="Effects of one point", style=style, note=note),
            table(
                tables.effects,
                ["outcome", "unit", "reliability", "rows", "customers"],
                title="What stands behind them",
                style=tables.style(reliability=Kind.SHARE),
            ),
        ),
    )


def _levels(tables: SatisfactionTables) -> Section:
    from cxmodels.reports import plots

    blocks: list[Block] = []
    if tables.by_level is not None:
        for outcome in dict.fromkeys(tables.by_level["outcome"]):
            if ":" not in str(outcome):  # lines and amounts stand in the table of effects
                chart = plots.level_effects(
                    tables.by_level, tables.labels, outcome=str(outcome), score=tables.score
                )
                blocks.append(Chart.of(chart))
    if tables.curvature is not None:
        names = ["outcome", "estimate", "p_value", "sentence"]
        title = "Does a straight line do?"
        blocks.append(table(tables.curvature, names, title=title, style=tables.style()))
    if tables.promoters is not None:
        rows = [_group_row(row) for row in tables.promoters.to_dict("records")]
        names = ["outcome", "per", "group", "raw", "adjusted", "answers"]
        kinds = {"raw": Kind.TEXT, "adjusted": Kind.TEXT, "answers": Kind.COUNT}
        note = "Adjusted: if all customers were of the group and all else as it is."
        title = "Promoters, passives and detractors"
        made = table(pd.DataFrame(rows), names, title=title, style=tables.style(**kinds), note=note)
        blocks.append(made)
    return Section("Level by level", tuple(blocks))


def _group_row(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Means with their intervals as texts: as shares for leaving, else as numbers."""
    kind = Kind.SHARE if row["outcome"] == "leaving" else Kind.NUMBER
    told = {}
    for name in ("raw", "adjusted"):
        value, low, high = (float(row[end]) for end in (name, f"{name}_lower", f"{name}_upper"))
        ends = between(low, high, kind, like=value)
        told[name] = f"{written(value, kind, width=high - low)} ({ends})"
    return {str(key): item for key, item in row.items() if key in ("outcome", "per", "group",
                                                                   "answers")} | told  # fmt: skip


def _attributes(tables: SatisfactionTables) -> Section:
    from cxmodels.reports import plots

    if tables.drivers is None:
        return Section("Attributes", ())
    names = ["attribute", "performance", "point_naive", "point", "share"]
    kinds = dict.fromkeys(("performance", "point_naive", "point"), Kind.NUMBER)
    chart = plots.importance_performance(tables.drivers, tables.labels, score=tables.score)
    note = "point: points of the score that go with a point of the attribute; naive: as answered."
    return Section(
        "What moves satisfaction",
        (
            Chart.of(chart),
            table(tables.drivers, names, title="Attributes",
                  style=tables.style(share=Kind.SHARE, **kinds), note=note),
        ),
    )  # fmt: skip


def _worth(tables: SatisfactionTables) -> Section:
    """What the customers are worth more if the score changes from now on."""
    if tables.value is None:
        return Section("Worth", ())
    names = ["item", "before", "after", "change", "per_cent"]
    ends = {"change_lower": tables.value["lower"], "change_upper": tables.value["upper"]}
    shown = tables.value.assign(per_cent=tables.value["per_cent"].astype(float) / 100, **ends)
    kinds = {**dict.fromkeys(("before", "after", "change"), Kind.AMOUNT), "per_cent": Kind.SHARE}
    style = Style(
        tables.currency, tables.level, kinds=kinds,
        labels={"item": "Value of", "before": "As it is", "after": "With the change",
                "change": "Worth more", "per_cent": "Share"},
    )  # fmt: skip
    told = str(tables.value["estimand"].iloc[0])
    note = f"{told[:1].upper()}{told[1:]}."
    made = table(shown, names, title="A change from now on", style=style, note=note)
    return Section("What a change of the score is worth in customer value", (made,))


def _placebos(tables: SatisfactionTables) -> Section:
    if tables.checks is None:
        return Section("Placebos", ())
    names = ["outcome", "placebo", "p_value", "e_value", "e_value_interval", "robustness_value",
             "sentence"]  # fmt: skip
    kinds = dict.fromkeys(("placebo", "e_value", "e_value_interval"), Kind.NUMBER)
    note = (
        "placebo: effect of the next score on what came before it, both corrected for their error. "
        "E-value: by which ratio a cause left out would have to go with both. Robustness value: "
        "which share of what is left of both it would have to explain (Cinelli and Hazlett 2020)."
    )
    made = table(tables.checks, names, title="Placebos and E-values",
                 style=tables.style(**kinds), note=note)  # fmt: skip
    return Section("What speaks against reading these as effects", (made,))
