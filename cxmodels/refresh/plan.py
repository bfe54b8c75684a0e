"""From settings to a plan: which steps run, under which name, and what they depend on.

The fingerprint stands for everything that the answer depends on: the settings, the bytes of the
input, and the version of the package with its code. Equal fingerprints mean equal tables.
"""

import hashlib
from functools import partial

from cxmodels.refresh import steps
from cxmodels.refresh.run import Plan, Step
from cxmodels.refresh.satisfaction import satisfaction_step
from cxmodels.refresh.settings import Config
from cxmodels.refresh.store import digest, to_json
from cxmodels.refresh.survey_settings import Survey
from cxmodels.refresh.versions import package_version, source_digest

_SHOWN = 8  # digits of the fingerprint in a run's usual name


def fingerprint_of(config: Config) -> str:
    """SHA-256 over settings, input and version, in hexadecimal digits."""
    known = {
        "settings": config.identity(),
        "input": digest(config.source.file),
        **({} if config.survey is None else {"survey": _digests(config.survey)}),
        "version": package_version(),
        "source": source_digest(),
    }
    return hashlib.sha256(to_json(known).encode()).hexdigest()


def _digests(survey: Survey) -> dict[str, str]:
    return {name: digest(path) for name, path in survey.files.items()}


def name_of(config: Config, fingerprint: str) -> str:
    """The run's own name, or the last day it looks at and the start of its fingerprint."""
    if config.run.name is not None:
        return config.run.name
    last = config.base.holdout_end or config.base.end
    return f"{last or 'whole-log'}-{fingerprint[:_SHOWN]}"


def steps_of(config: Config, fingerprint: str) -> tuple[Step, ...]:
    """The steps in order; the back-test and its own fit only where a hold-out is asked for."""
    if config.base.holdout_end is not None:
        middle: tuple[Step, ...] = (
            Step("fit", "fitting the calibration", partial(steps.fit_calibration, config)),
            Step("back-test", "comparing with the hold-out", partial(steps.back_test, config)),
            Step("refit", "fitting the whole window", partial(steps.fit_all, config)),
        )
    else:
        middle = (
            Step("fit", "fitting the whole window", partial(steps.fit_all, config)),
            Step("compare", "comparing with what was seen", partial(steps.compare, config)),
        )
    link = Step("survey", "linking answers with what followed", partial(satisfaction_step, config))
    asked = () if config.survey is None else (link,)
    return (
        Step("read", "reading the log", partial(steps.read, config)),
        Step("check", "checking and aggregating the log", partial(steps.check, config)),
        *asked,
        *middle,
        Step("score", "scoring each customer", partial(steps.score, config)),
        Step("value", "valuing each customer", partial(steps.value, config)),
        Step("report", "drawing the report", partial(steps.report, config)),
        Step("write", "listing the files", partial(steps.write, config, fingerprint)),
    )


def plan_of(config: Config) -> Plan:
    """What a refresh with these settings will do. Reads the input once, writes nothing."""
    fingerprint = fingerprint_of(config)
    return Plan(
        folder=config.run.folder,
        name=name_of(config, fingerprint),
        fingerprint=fingerprint,
        steps=steps_of(config, fingerprint),
    )
