"""What the customers of a simulated company answer when they are asked, if they answer."""

from typing import Any

import numpy as np
import scipy

from cxmodels.data.profiles import Floats, Ints
from cxmodels.data.simulate.people import TYPICAL_TENURE, Active
from cxmodels.data.simulate.quarter import Quarter
from cxmodels.data.simulate.truth import ATTRIBUTES, Truth

RETEST_AFTER = 14  # days
LEVELS = (4.0, 5.25, 6.5, 8.0)  # points between the five levels of `satisfied`


def answers(
    at: Active, before: Ints, now: Quarter, truth: Truth, rng: np.random.Generator
) -> dict[str, Any]:
    """A row of each who is asked on the first day, and of each who is asked again.

    before: orders (m,) of the quarter before, which may echo in the answers.
    """
    odds = scipy.special.logit(truth.response) + truth.response_satisfaction * at.z
    odds += truth.response_tenure * (at.tenure - TYPICAL_TENURE)
    answered = rng.random(at.z.size) < scipy.special.expit(odds)
    again = np.flatnonzero(answered & (rng.random(at.z.size) < truth.retest))
    asked = np.concatenate([np.arange(at.z.size), again])
    offset = np.repeat([0, RETEST_AFTER], [at.z.size, again.size])
    echo = truth.echo * np.log1p(before) + at.pushes.answers
    told = _questionnaire(at, asked, echo[asked], truth, rng)
    silent = np.concatenate([~answered, np.zeros(again.size, dtype=np.bool_)])
    for column in told.values():
        column[silent] = np.nan
    return {"customer_id": at.rows[asked] + 1, "date": now.dates(offset), **told}


def _questionnaire(
    at: Active, asked: Any, echo: Floats, truth: Truth, rng: np.random.Generator
) -> dict[str, Floats]:
    """Answers to every question, coloured by one mood and each with an error of its own."""
    mood = truth.halo * rng.standard_normal(asked.size) + echo

    def heard(points: Floats) -> Floats:
        return np.asarray(points + mood + truth.error * rng.standard_normal(asked.size))

    def tenths(points: Floats) -> Floats:
        return np.clip(np.round(points), 0.0, 10.0)

    overall = at.satisfaction[asked]
    found = {
        "recommend": tenths(heard(overall)),
        "satisfied": 1.0 + np.searchsorted(LEVELS, heard(overall)).astype(np.float64),
        "effort": np.clip(np.round(7.0 - 0.6 * heard(overall)), 1.0, 7.0),
    }
    for place, name in enumerate(ATTRIBUTES):
        found[name] = tenths(heard(at.attributes[asked, place]))
    return found
