"""The gallery of claims: figures as published, points apart from per cent, one's own beside."""

import numpy as np
import pytest

import cxmodels as cx


def test_figures():
    table = cx.claims().table.set_index("source")
    assert table.loc["Anderson, Fornell, Mazvancheryl 2004", "elasticity"] == 1.016
    assert table.loc["Gruca, Rego 2005", "figure"].tolist() == [7.0, -4.0]
    assert table.loc["Firms of Endearment, to 2006-06", "figure"] == 1026 - 122
    assert table["verdict"].str.len().min() > 10


def test_points_are_no_elasticities():
    table = cx.claims().table
    points = table["unit"].str.contains("a point|points")
    assert table.loc[points, "elasticity"].isna().all()


def test_ones_own_stands_beside_them():
    found = cx.value_relevance(cx.firm_panel(cx.simulate.market(120, 10, seed=2)))
    table = cx.claims(found).table
    own = table[(table["source"] == "yours") & table["elasticity"].notna()]
    assert len(own) == len(found.table)
    assert own["elasticity"].tolist() == pytest.approx(found.table["elasticity"].tolist())
    ends = own[["lower", "elasticity", "upper"]].astype(float).to_numpy()
    assert (np.diff(ends, axis=1) > 0).all()
    assert own["estimated"].str.startswith("association").all()
