"""What is asked of a fit besides the base: covariates, and what holds their coefficients back."""

from dataclasses import dataclass

from cxmodels.likelihood.posterior import NormalPrior


@dataclass(frozen=True)
class Asked:
    """Formulas of covariates, terms with one coefficient for both, penalty and prior."""

    purchase: str | None = None
    dropout: str | None = None
    equal: tuple[str, ...] = ()
    penalty: float = 0.0
    prior: NormalPrior | None = None

    @property
    def formulas(self) -> dict[str, str | None]:
        """The formula of each process."""
        return {"purchase": self.purchase, "dropout": self.dropout}


ALIKE = Asked()  # customers who do not differ, by maximum likelihood
