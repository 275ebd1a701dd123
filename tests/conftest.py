"""Data and small settings that several tests share."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from backsight.errors import DatasetUnavailable
from backsight.evaluation.exam import Exam
from backsight.series.catalogue import CATALOGUE, load, local_file
from backsight.series.series import Series
from backsight.windows.split import split_by_fractions
from sharing import share_programs

# A shell that starts something in the background lets it ignore Ctrl-C, and tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What tests compile is kept apart from the user's, and for the next time they run.
os.environ["BACKSIGHT_CACHE"] = str(Path(__file__).parent.parent / ".pytest_cache" / "backsight")

# Tests compile thousands of small programs, in an eighth less time without XLA's emitters of fused loops, which change
# nothing but last digits of convolutions and norms. What is measured in benchmarks is compiled as a user's.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false".strip()

# Nor do tests open anybody's exam.
os.environ["BACKSIGHT_STATE"] = ""

# Nor leave runs behind, but where they say so.
os.environ["BACKSIGHT_RUNS"] = ""

#: For XLA, where something of Keras's runs once beside ours: without optimisation, and without the emitters of fused
#: loops, which take the larger part of the time to compile.
IN_A_HURRY = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}

#: Shapes that every test of a network shares, so that its program is compiled once a process.
STEPS, LOOKBACK, HORIZON = 150, 4, 2


def make_toy(steps: int = STEPS, seed: int = 0) -> Series:
    """Three columns that know a little of each other; `y` is the target."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, steps))
    y = 10 + 3 * np.roll(a, 1) + np.sin(np.arange(steps) / 5) + 0.1 * b
    times = pd.date_range("2020-01-01", periods=steps, freq="D", name="time")
    return Series("toy", times, np.column_stack([y, a, b]), ("y", "a", "b"))


def poisoned(series: Series, first: int, value: float = np.nan) -> Series:
    """The series with every value from row `first` on replaced."""
    values = series.values.copy()
    values[first:] = value
    return replace(series, values=values)


@pytest.fixture(autouse=True, scope="session")
def one_blas_thread() -> Iterator[None]:
    """There is a test process for each core already, and threads that wait for their turn there do so by spinning.

    The processes that tests start are as a user's: what depends on the number of threads would differ between the two.
    """
    import scipy.linalg  # noqa: F401  which has a BLAS of its own

    with threadpool_limits(1, user_api="blas"):
        yield


#: Tests that look at the pictures of a run.
LOOKING = {
    *("test_cli", "test_horizons", "test_lesson", "test_lookback", "test_many_series", "test_memory_commands"),
    *("test_report", "test_report_browser", "test_tuning"),
}


@pytest.fixture(autouse=True)
def one_picture(request, monkeypatch) -> None:
    """Of the pictures that a command writes, the first one is drawn where nobody looks: each takes 0.1 s twice."""
    if request.module.__name__ in LOOKING:
        return
    from backsight.report import report

    drawn = report.picture_writers
    monkeypatch.setattr(report, "picture_writers", lambda *given: dict(islice(drawn(*given).items(), 2)))


@pytest.fixture(autouse=True)
def programs_for_all() -> Iterator[None]:
    """What a test has compiled is at hand for every process of the tests that follow."""
    yield
    share_programs()


@pytest.fixture
def toy() -> Series:
    return make_toy()


@pytest.fixture
def toy_exam() -> Exam:
    return Exam("y", HORIZON, split_by_fractions(STEPS))


@pytest.fixture(scope="session")
def report_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that reports are made of; tests must not write there."""
    from report_runs import make_run

    return make_run(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="session")
def basel() -> Series:
    """The lesson's data; a test that needs it can't run on a machine without it and without a network."""
    try:
        at_hand = local_file(CATALOGUE["basel"])
    except DatasetUnavailable as error:
        pytest.fail(str(error))
    if at_hand is None:
        pytest.skip("the Basel data is not on this machine: `backsight data basel` fetches it")
    return load("basel")
