"""Every picture of cxmodels: functions that take a table and return a chart.

A chart shows itself in a notebook; `document.Chart.of(chart)` puts it into a report.
"""

from cxmodels.reports.labels import Labels
from cxmodels.reports.plots_audit import cohort_chart, cohort_heatmap, decile_bars
from cxmodels.reports.plots_balance import cutoff_jump, love_plot
from cxmodels.reports.plots_claims import claims_gallery
from cxmodels.reports.plots_events import event_returns
from cxmodels.reports.plots_flow import second_purchase_curve, two_period_flow
from cxmodels.reports.plots_frequency import frequency_histogram, holdout_conditional
from cxmodels.reports.plots_maps import iso_value_curves, recency_frequency_heatmap
from cxmodels.reports.plots_options import design_options
from cxmodels.reports.plots_parameters import parameter_posterior
from cxmodels.reports.plots_portfolios import portfolio_alphas, portfolio_growth
from cxmodels.reports.plots_quasi import (
    event_time_effects,
    honest_bounds_by_size,
    interrupted_path,
    reason_chain,
    synthetic_path,
)
from cxmodels.reports.plots_satisfaction import (
    effect_comparison,
    importance_performance,
    level_effects,
)
from cxmodels.reports.plots_selection import calibration, forecast_bias, model_comparison
from cxmodels.reports.plots_shareholders import score_noise, value_ladder
from cxmodels.reports.plots_specifications import specification_curve
from cxmodels.reports.plots_stock_response import stock_response
from cxmodels.reports.plots_subscriptions import base_value, retention_curve, survival_curve
from cxmodels.reports.plots_tests import (
    decision_value,
    guardrail_looks,
    look_boundaries,
    metric_effects,
    power_curve,
)
from cxmodels.reports.plots_tracking import tracking_cumulative, tracking_weekly
from cxmodels.reports.plots_value import equity_sources, lorenz_curve

__all__ = [
    "Labels",
    "base_value",
    "calibration",
    "claims_gallery",
    "cohort_chart",
    "cohort_heatmap",
    "cutoff_jump",
    "decile_bars",
    "decision_value",
    "design_options",
    "effect_comparison",
    "equity_sources",
    "event_returns",
    "event_time_effects",
    "forecast_bias",
    "frequency_histogram",
    "guardrail_looks",
    "holdout_conditional",
    "honest_bounds_by_size",
    "importance_performance",
    "interrupted_path",
    "iso_value_curves",
    "level_effects",
    "look_boundaries",
    "lorenz_curve",
    "love_plot",
    "metric_effects",
    "model_comparison",
    "parameter_posterior",
    "portfolio_alphas",
    "portfolio_growth",
    "power_curve",
    "reason_chain",
    "recency_frequency_heatmap",
    "retention_curve",
    "score_noise",
    "second_purchase_curve",
    "specification_curve",
    "stock_response",
    "survival_curve",
    "synthetic_path",
    "tracking_cumulative",
    "tracking_weekly",
    "two_period_flow",
    "value_ladder",
]
