"""Every family whose processes covariates can move obeys the laws of covariates."""

import pytest

from tests.laws.covariate_laws import LAWS
from tests.laws.test_purchase_laws import FAMILIES

MOVED = [family for family in FAMILIES if family.purchase_moved or family.dropout_moved]


@pytest.mark.parametrize("family", MOVED, ids=lambda family: family.name)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(family, law):
    law(family)
