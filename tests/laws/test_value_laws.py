"""The value of a customer base obeys its laws."""

import pytest

from tests.laws.value_laws import LAWS


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law):
    law()
