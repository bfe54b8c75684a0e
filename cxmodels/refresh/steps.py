"""The steps of a refresh, in order: from the log to the report, each leaving its tables behind.

Every step takes what it needs from the files of the steps before it, so that a resumed run and
an uninterrupted one do the same arithmetic on the same numbers.
"""

import pandas as pd

from cxmodels.data.summaries import CustomerBase
from cxmodels.data.units import Span
from cxmodels.errors import CxError, FitError
from cxmodels.numerics.transforms import Dimension
from cxmodels.purchases import backtest as against
from cxmodels.purchases.families import FAMILIES
from cxmodels.purchases.fitted import FittedPurchases
from cxmodels.purchases.kinds import usual
from cxmodels.purchases.maps import recency_frequency_map
from cxmodels.purchases.tracking import frequency_table, tracking
from cxmodels.refresh.bases import Window, base_of, keep_base, kept_base, part_of
from cxmodels.refresh.manifest import manifest_of
from cxmodels.refresh.pages import keep_pages
from cxmodels.refresh.run import MANIFEST
from cxmodels.refresh.satisfaction import keep_change, keep_files
from cxmodels.refresh.settings import Config, scored_over
from cxmodels.refresh.store import Workspace, digest
from cxmodels.results.draws import TRUSTED
from cxmodels.spend.families import fit_amounts
from cxmodels.spend.fitted import FittedSpend
from cxmodels.spend.independence import independence
from cxmodels.value.iso_value import iso_value
from cxmodels.value.lifetime_value import Value, lifetime_value
from cxmodels.value.saved import load

INPUT = "input.json"


def purchases_file(window: Window) -> str:
    """Where the purchase model of a window is kept."""
    return f"models/{'calibration/' if window is Window.CALIBRATION else ''}purchases.json"


def read(config: Config, space: Workspace) -> str:
    """Record which file is read, by its SHA-256."""
    file = config.source.file
    facts = {"file": file.name, "sha256": digest(file), "bytes": file.stat().st_size}
    space.put_json(INPUT, facts)
    if config.survey is not None:
        keep_files(config.survey, space)
    return f"{file.name}, {facts['bytes']:,} bytes, SHA-256 {str(facts['sha256'])[:12]}..."


def check(config: Config, space: Workspace) -> str:
    """Hold the log to its contract and aggregate it to customer bases."""
    held_out = config.base.holdout_end is not None
    windows = [Window.ALL, *([Window.CALIBRATION] if held_out else [])]
    bases = {window: base_of(config, window) for window in windows}
    if digest(config.source.file) != space.json(INPUT)["sha256"]:
        raise CxError(f"{config.source.file} changed while it was read: start the run again")
    for window, base in bases.items():
        keep_base(space, base, window)
    whole = bases[Window.ALL]
    people = f"{whole.customers:,} customer{'' if whole.customers == 1 else 's'}"
    space.put_table("reconciliation.parquet", part_of(whole, "reconciliation"))
    if not held_out:
        return people
    return f"{people}, {bases[Window.CALIBRATION].customers:,} of them in the calibration"


def _fitted(config: Config, space: Workspace, window: Window) -> FittedPurchases:
    """Fit the purchase model of a window and keep it."""
    base = kept_base(space, window)
    fit = FAMILIES[config.model.family]().fit(base, **config.model.terms)
    _put_model(space, purchases_file(window), fit)
    return fit


def _put_model(space: Workspace, name: str, fit: FittedPurchases | FittedSpend) -> None:
    path = space.path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    fit.save(path)


def purchases_of(space: Workspace, window: Window) -> FittedPurchases:
    """The purchase model that was kept for a window."""
    fit = load(space.path(purchases_file(window)))
    if not isinstance(fit, FittedPurchases):
        raise CxError(f"{purchases_file(window)} holds no purchase model")
    return fit


def spend_of(space: Workspace) -> FittedSpend:
    """The spend model that was kept."""
    fit = load(space.path("models/spend.json"))
    if not isinstance(fit, FittedSpend):
        raise CxError("models/spend.json holds no spend model")
    return fit


def fit_calibration(config: Config, space: Workspace) -> str:
    """Fit the purchase model to what was seen before the hold-out."""
    fit = _fitted(config, space, Window.CALIBRATION)
    return f"{fit.family.name} on {fit.rows:,} customers, {fit.status}"


def fit_all(config: Config, space: Workspace) -> str:
    """Fit purchases and spend to the whole window; keep parameters and draws."""
    fit = _fitted(config, space, Window.ALL)
    base = kept_base(space, Window.ALL)
    spend = fit_amounts(base)
    _put_model(space, "models/spend.json", spend)
    level = config.value.level
    tables = [_parameters("all", fit, level), _parameters("all", spend, level)]
    if space.holds(purchases_file(Window.CALIBRATION)):
        tables.insert(0, _parameters("calibration", purchases_of(space, Window.CALIBRATION), level))
    space.put_table("parameters.parquet", pd.concat(tables, ignore_index=True))
    space.put_table("tables/independence.parquet", _independence(base, spend, level))
    draws = [model.posterior(config.run.draws, seed=config.run.seed) for model in (fit, spend)]
    long = pd.concat(
        [draw.table.melt(var_name="parameter", value_name="value") for draw in draws],
        ignore_index=True,
    )
    units = _units(config, fit) | _units(config, spend)
    space.put_table("tables/posterior.parquet", long.assign(unit=long["parameter"].map(units)))
    return f"{fit.family.name}: {fit.status}; {spend.family.name}: {spend.status}"


def _units(config: Config, fit: FittedPurchases | FittedSpend) -> dict[str, str]:
    """The unit of each parameter of a fit; empty for pure numbers."""
    said = {
        Dimension.NONE: "",
        Dimension.TIME: f"{config.base.unit}s",
        Dimension.RATE: f"per {config.base.unit}",
        Dimension.MONEY: config.value.currency,
    }
    return {item.name: said[item.dimension] for item in fit.estimate.space.parameters}


def _independence(base: CustomerBase, spend: FittedSpend, level: float) -> pd.DataFrame:
    try:
        return independence(base, spend, level=level).table
    except FitError as error:  # too few repeat buyers to correlate: said, not fatal
        return pd.DataFrame({"sentence": [str(error)]})


def _parameters(window: str, fit: FittedPurchases | FittedSpend, level: float) -> pd.DataFrame:
    """Estimates with their window, model and meaning."""
    table = fit.estimate.parameters(level).reset_index()
    table.insert(0, "window", window)
    table.insert(1, "model", fit.estimate.model)
    table["meaning"] = [parameter.meaning for parameter in fit.estimate.space.parameters]
    return table


def _tracked(config: Config, space: Workspace, window: Window) -> None:
    fit, base = purchases_of(space, window), kept_base(space, window)
    level, seed = config.value.level, config.run.seed
    space.put_table("tables/tracking.parquet", tracking(fit, base, level=level, seed=seed))
    space.put_table("tables/frequency.parquet", frequency_table(fit, base, level=level, seed=seed))


def back_test(config: Config, space: Workspace) -> str:
    """Compare what the calibration's model expected with what the hold-out saw."""
    _tracked(config, space, Window.CALIBRATION)
    fit, base = purchases_of(space, Window.CALIBRATION), kept_base(space, Window.CALIBRATION)
    level, seed = config.value.level, config.run.seed
    found = against.holdout_summary(fit, base, level=level, seed=seed)
    space.put_table("tables/holdout.parquet", found)
    expected = against.conditional_expectation(fit, base, level=level, seed=seed)
    space.put_table("tables/conditional.parquet", expected)
    value = found.set_index("metric")["value"]
    return (
        f"{value['expected purchases']:,.0f} purchases expected, "
        f"{value['actual purchases']:,.0f} made ({value['bias of the total']:+.1f} per cent)"
    )


def compare(config: Config, space: Workspace) -> str:
    """Without a hold-out: compare the model with the purchases that it was fitted to."""
    _tracked(config, space, Window.ALL)
    return "with the purchases it was fitted to (no hold-out was asked for)"


def score(config: Config, space: Workspace) -> str:
    """Say for each customer what they will do, and map it over recency and frequency."""
    fit, base = purchases_of(space, Window.ALL), kept_base(space, Window.ALL)
    horizon = scored_over(config.value.horizon)
    table = fit.predict(base, horizon=horizon, level=config.value.level, seed=config.run.seed)
    space.put_table("tables/predictions.parquet", table)
    oldest = float(base.table["T"].max())
    grid = recency_frequency_map(usual(fit, base), T=oldest, horizon=horizon)
    space.put_table("tables/recency_frequency.parquet", grid)
    return f"{table['expected_purchases'].sum():,.0f} purchases expected over {Span.parse(horizon)}"


def value(config: Config, space: Workspace) -> str:
    """Value each customer, the base as a whole, and a new customer."""
    fit, spend = purchases_of(space, Window.ALL), spend_of(space)
    base, told = kept_base(space, Window.ALL), config.value
    found = lifetime_value(
        fit, spend, base, horizon=told.span, discount_rate=told.discount_rate,
        margin=told.margin, payment=told.payment, level=told.level, below=told.below,
        discount_rate_sd=told.discount_rate_sd, draws=config.run.draws, seed=config.run.seed,
        currency=told.currency,
    )  # fmt: skip
    space.put_table("customers.parquet", _customers(base, space, found))
    space.put_table("equity.parquet", found.equity)
    for part in ("concentration", "new_customer", "lorenz"):
        space.put_table(f"tables/{part}.parquet", getattr(found, part))
    space.put_table("tables/assumptions.parquet", found.assumptions.astype(str))
    untold = keep_change(config, space, (fit, spend), base)
    space.put_json("tables/notes.json", [*_notes(base, fit, spend, found, space), *untold])
    curves = iso_value(
        usual(fit, base), spend, T=float(base.table["T"].max()), horizon=told.span,
        discount_rate=told.discount_rate, margin=told.margin, payment=told.payment,
    )  # fmt: skip
    space.put_table("tables/iso_value.parquet", curves)
    total = found.equity.iloc[0]
    return (
        f"{told.currency} {total['estimate']:,.0f} of customer equity, "
        f"{told.level:.0%} interval {total['lower']:,.0f} to {total['upper']:,.0f}"
    )


def _customers(base: CustomerBase, space: Workspace, found: Value) -> pd.DataFrame:
    """One row a customer: what was seen, what is expected, what it is worth."""
    scored = space.table("tables/predictions.parquet").rename(
        columns={"lower": "expected_purchases_lower", "upper": "expected_purchases_upper"}
    )
    new = [name for name in found.customers.columns if name not in scored.columns]
    valued = found.customers[["customer_id", *new]]
    seen = base.table.merge(scored, on="customer_id", validate="one_to_one")
    every = seen.merge(valued, on="customer_id", validate="one_to_one")
    return every.sort_values("customer_id", kind="stable", ignore_index=True)


def _notes(
    base: CustomerBase, fit: FittedPurchases, spend: FittedSpend, found: Value, space: Workspace
) -> list[str]:
    """What a reader of the numbers has to know, each once."""
    statuses = [
        f"{model.estimate.model}: {model.status}; k-hat of its draws {draws.pareto_k:.2f}, they "
        f"{'can' if draws.pareto_k <= TRUSTED else 'cannot'} be trusted."
        for model in (fit, spend)
        for draws in (model.posterior(),)
    ]
    related = [str(text) for text in space.table("tables/independence.parquet")["sentence"]]
    failed = _missed(space)
    every = [*failed, *statuses, *base.notes, *fit.notes, *spend.notes, *related, *found.notes]
    if usual(fit, base) is not fit:
        every.append(f"Maps: {usual(fit, base).notes[0]} It is the most usual one.")
    return list(dict.fromkeys(text.replace("..", ".") for text in every))


_ENDS = ("value", "lower", "upper")


def _missed(space: Workspace) -> list[str]:
    """What a hold-out outside its interval says about the equity; nothing where it lies inside."""
    if not space.holds("tables/holdout.parquet"):
        return []
    table = space.table("tables/holdout.parquet").set_index("metric")
    value, lower, upper = (table[name].astype(float).to_dict() for name in _ENDS)
    actual, expected = value["actual purchases"], "expected purchases"
    if lower[expected] <= actual <= upper[expected] or actual <= 0:
        return []
    share = 100.0 * (value[expected] / actual - 1.0)
    return [
        f"In the hold-out the model expected {abs(share):.0f} per cent too "
        f"{'few' if share < 0 else 'many'} purchases, more than its interval allows. The "
        "interval of the equity does not hold such an error."
    ]


def report(config: Config, space: Workspace) -> str:
    """Draw the report from the tables."""
    names = keep_pages(space, config.identity())
    return ", ".join(names)


def write(config: Config, fingerprint: str, space: Workspace) -> str:
    """List everything in the manifest; the folder is complete after this."""
    manifest = manifest_of(space, config, fingerprint)
    space.put_json(MANIFEST, manifest)
    return f"{len(manifest['outputs'])} files listed with their SHA-256 in {MANIFEST}"
