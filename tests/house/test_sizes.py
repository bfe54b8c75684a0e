"""Files, functions, classes and argument lists keep within their ceilings."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cxmodels"
FILES = sorted(PACKAGE.rglob("*.py"))
FILE_LINES, FUNCTION_LINES, METHODS, ARGUMENTS = 400, 40, 12, 6
DOORS = {
    "assign", "assignment_sql", "backcast", "detectable", "money_of_test", "rerandomise",
    "options", "ranked",
    "acquisition_cost", "audit", "average_value", "cohort_sql", "cohort_table", "customer_base",
    "decide", "interrupted_series", "randomisation_test", "synthetic_control",
    "synthetic_difference", "time_based_regression",
    "drivers", "dynamic_panel", "event_log", "event_study", "firm_returns",
    "group_time_effects", "honest_bounds", "imputation_effects",
    "specification_curve", "stock_response",
    "from_contracts", "from_summary", "iso_value", "lifetime_value", "link", "residual_lifetime",
    "analyse", "analyse_moments", "moments", "panel_fit", "reason", "satisfaction_portfolios",
    "balance", "monitor", "sample_ratio",
    "residual", "select", "slopes_by", "subscription_value",
    "summary_sql", "survey_base", "survival_effects", "effects_by_segment", "targeting",
    "value_change", "value_relevance", "wild_bootstrap",
}  # fmt: skip
FORBIDDEN = {"utils", "util", "misc", "helpers", "helper", "common", "core"}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def body_lines(node: ast.FunctionDef) -> int:
    """Lines of code of a function: its docstring, signature and blank lines do not count."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES
    assert path.stem not in FORBIDDEN
    tree = ast.parse(text)
    if text.strip() and path.name != "__init__.py":
        assert ast.get_docstring(tree), "a file opens with one sentence"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert body_lines(node) <= FUNCTION_LINES, node.name
            named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = sum(argument.arg not in ("self", "cls") for argument in named)
            assert count <= ARGUMENTS or node.name in DOORS, (node.name, count)
        if isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            assert len(methods) <= METHODS, node.name


def test_no_import_of_the_package_from_inside():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert all(alias.name != "cxmodels" for alias in node.names), name_of(path)


def test_no_pickle_and_no_marks_of_unfinished_work():
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        for word in ("pickle", "TODO", "FIXME", "XXX"):
            assert word not in text, (name_of(path), word)
