"""How every purchase family is fitted: one door, with the same words for covariates and priors."""

from collections.abc import Iterable

from cxmodels.data.summaries import CustomerBase
from cxmodels.likelihood.posterior import NormalPrior
from cxmodels.purchases.asked import Asked
from cxmodels.purchases.design import terms_of
from cxmodels.purchases.family import PurchaseFamily
from cxmodels.purchases.fitted import FittedPurchases, fit_purchases


class FittableFamily(PurchaseFamily):
    """A family that can be fitted to a customer base."""

    def fit(
        self,
        base: CustomerBase,
        *,
        purchase: str | None = None,
        dropout: str | None = None,
        equal: Iterable[str] = (),
        penalty: float = 0.0,
        prior: NormalPrior | None = None,
    ) -> FittedPurchases:
        """Fits the family to a customer base; `status` says in a sentence how the search ended.

        Args: purchase, dropout: formulas of covariates that move buying and leaving, as in
        "~ channel + satisfaction"; equal: terms with one coefficient for both; penalty: times the
        sum of squared standardised coefficients, taken from the log likelihood; prior: fits the
        posterior mode in place of maximum likelihood, on logs of parameters and standardised
        coefficients.
        The family's own parameters are then those of a customer at the mean of each column.
        Covariates over time, joined with base.with_covariates(frame, time=...), are for ParetoNBD.
        Raises: DataError where the base cannot say what is asked, OptionError for a wrong formula.

        >>> import cxmodels as cx
        >>> base = cx.customer_base(cx.samples.cdnow(), customer="customer_id", time="date",
        ...                         amount="amount", unit="week", end="1997-09-30")
        >>> kinds = base.table[["customer_id"]].assign(early=base.table["T"] > 33)
        >>> fit = cx.BGNBD().fit(base.with_covariates(kinds), purchase="~ early", dropout="~ early")
        >>> fit.covariates.effects.drop(columns="moves").round(0)
            process    covariate  effect_per_cent  lower  upper
        0  purchase  early[True]             ...
        1   dropout  early[True]             ...
        >>> print(fit.at(early=True).status)
        converged: the maximum was found inside the allowed range
        """
        return self.fit_as_asked(base, Asked(purchase, dropout, terms_of(equal), penalty, prior))

    def fit_as_asked(self, base: CustomerBase, asked: Asked) -> FittedPurchases:
        """The same with the choices in one record; a family with more to check does it here."""
        return fit_purchases(self, base, asked)
