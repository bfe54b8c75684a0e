"""A design over time with three effects, the second shared by buying and leaving."""

import numpy as np

from cxmodels.data.covariates import Variable
from cxmodels.data.formulas import read_formula
from cxmodels.purchases.design import Design, Side


def design_of_three() -> Design:
    buys = Side("purchase", read_formula("~ u + v", "purchase"), ("u", "v"), (0, 1), np.zeros(2))
    leaves = Side("dropout", read_formula("~ v + w", "dropout"), ("v", "w"), (1, 2), np.zeros(2))
    names = ("purchase: u", "purchase and dropout: v", "dropout: w")
    variables = tuple(Variable(name) for name in "uvw")
    return Design(variables, (buys, leaves), names, np.ones(3), over_time=True)
