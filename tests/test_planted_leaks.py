"""One leak a row: how it is planted, who catches it, and that the honest way of doing the same is not accused."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import butter, filtfilt, lfilter
from sklearn.decomposition import PCA

from backsight.evaluation.feature_leaks import audit_features
from backsight.evaluation.leaks import (
    Law,
    alone_or_together,
    change_after_origin,
    poison_after_training,
    poison_after_validation,
)
from backsight.models.climatology import Climatology
from backsight.models.recipe import Forecaster, Recipe, mean_squared
from backsight.models.ridge import Ridge
from backsight.series.doctor.diagnosis import audit
from backsight.training.history import History
from backsight.windows.order import order_leaks
from backsight.windows.split import split_by_fractions
from backsight.windows.windows import target_rows, window_origins
from conftest import HORIZON, LOOKBACK
from laws import SPLIT, toy_case

ROWS = 900


@dataclass(frozen=True)
class Plant:
    """A leak, the honest counterpart, and who must tell them apart.

    Attributes:
        catcher: given either of them, the leaks it sees.
        leak, honest: what is planted: a recipe, a function of a table, a table, or origins by part.
    """

    catcher: Callable[[object], list[str]]
    leak: object
    honest: object


# ---- who catches -----------------------------------------------------------------------------------------------------


def by_law(law: Law) -> Callable[[object], list[str]]:
    return lambda recipe: [trial.leak for trial in law(toy_case(recipe)) if trial.leak]


def by_recomputing(function: object) -> list[str]:
    """The audit of a user's preprocessing."""
    return [trial.leak for trial in audit_features(function, table()).leaks]


def by_order(origins: object) -> list[str]:
    return order_leaks(SPLIT, LOOKBACK, HORIZON, origins)


def by_order_with_a_gap(origins: object) -> list[str]:
    return order_leaks(split_by_fractions(150), LOOKBACK, HORIZON, origins, gap=5)


def by_doctor(frame: object) -> list[str]:
    return [f"{f.check}: {f.seen}" for f in audit(frame, "y").findings if f.severity != "note"]


# ---- wrong recipes, and right ones -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Doing(Recipe):
    """A recipe whose forecaster is made by a function of training and validation windows."""

    make: Callable
    family = "doing"

    def fit(self, learn, check, plan, seed, on_epoch=None):
        return self.make(learn, check)


class Saying(Forecaster):
    """A forecaster that is a function of windows."""

    def __init__(self, say, history=None, steps_back=1):
        self.say, self.history, self.steps_back = say, history, steps_back

    def predict(self, windows):
        said = np.asarray(self.say(windows), dtype=np.float64)
        return said if said.ndim == 2 else np.repeat(np.broadcast_to(said, len(windows))[:, None], windows.horizon, 1)


def always(number):
    return Saying(lambda windows: np.full(len(windows), number))


def mean_of(rows):
    return Doing(lambda learn, check: always(learn.targets[rows(learn)].mean()))


def scale_of(rows):
    return Doing(lambda learn, check: always(np.std(learn.inputs[rows(learn)])))


def all_rows(windows):
    return slice(None)


def training_rows(windows):
    return slice(0, SPLIT.train.stop)


def windows_of_test(windows):
    return windows.at(window_origins(SPLIT.test, windows.lookback, windows.horizon))


def by_validation(learn, check):
    return check


def by_test(learn, check):
    return windows_of_test(learn)


def stopping_by(judge):
    """Stops after as many epochs as the error on some windows asks for."""

    def make(learn, check):
        epochs = 2 + int(np.nan_to_num(10 * judge(learn, check).gather_outputs().mean(), nan=0))
        return Saying(lambda windows: np.zeros(len(windows)), History((1.0,) * epochs, (1.0,) * epochs, epochs))

    return Doing(make)


def tuned_by(judge):
    """Of several constants the one that is best on some windows."""

    def make(learn, check):
        truth = judge(learn, check).gather_outputs()
        return always(min((8.0, 9.0, 10.0, 11.0, 12.0), key=lambda level: mean_squared(truth - level)))

    return Doing(make)


def penalised_by(judge):
    """Ridge, its penalty chosen on some windows."""
    return Doing(lambda learn, check: Ridge().fit(learn, judge(learn, check), None, 0))


def weighted_by(judge):
    """The weight of persistence against the training mean that is best on some windows."""

    def make(learn, check):
        mean, windows = learn.targets[training_rows(learn)].mean(), judge(learn, check)
        truth, last = windows.gather_outputs(), windows.targets[windows.origins][:, None]
        weight = min(np.linspace(0, 1, 21), key=lambda w: mean_squared(truth - w * last - (1 - w) * mean))
        return Saying(lambda asked: weight * asked.targets[asked.origins] + (1 - weight) * mean)

    return Doing(make)


def climatology_of(origins):
    return Doing(lambda learn, check: Climatology().fit(learn.at(origins(learn)), check, None, 0))


def every_origin(learn):
    return window_origins(range(len(learn.targets)), learn.lookback, learn.horizon)


def training_origins(learn):
    return learn.origins


def reading(offset):
    """Repeats the target of a row that lies so far from the origin."""

    def say(windows):
        return windows.targets[np.clip(windows.origins + offset, 0, len(windows.targets) - 1)]

    return Doing(lambda learn, check: Saying(say, steps_back=max(1, 1 - offset)))


def season_of(rows_back):
    """The target of a season of 10 rows, read so many rows before the target's own."""

    def say(windows):
        rows = target_rows(windows.origins, windows.horizon) - rows_back
        return windows.targets[np.clip(rows, 0, len(windows.targets) - 1)]

    return Doing(lambda learn, check: Saying(say, steps_back=20))


def window_at(late):
    """The mean of the window that ends so many rows after the origin."""

    def say(windows):
        last = np.minimum(windows.origins + late, len(windows.targets) - 1)
        return windows.at(last.astype(np.int32)).gather_inputs().mean(axis=(1, 2))

    return Doing(lambda learn, check: Saying(say))


def normalising(ahead):
    """Persistence plus the window's mean, the target's rows included or not."""

    def say(windows):
        rows = windows.origins[:, None] + np.arange(1 - windows.lookback, 1 + ahead)
        return windows.targets[np.minimum(rows, len(windows.targets) - 1)].mean(axis=1)

    return Doing(lambda learn, check: Saying(say))


def analogue(until):
    """What followed the row most like the origin, looked for in rows up to some."""

    def say(windows):
        found = []
        for origin in windows.origins:
            last = until(windows, origin) - windows.horizon
            rows = np.arange(1, max(last, 2))
            like = rows[np.argmin(np.nan_to_num(np.abs(windows.targets[rows] - windows.targets[origin]), nan=1e9))]
            found.append(windows.targets[like + 1])
        return found

    return Doing(lambda learn, check: Saying(say, steps_back=12))


def centred_over(rows):
    """Persistence, centred over some rows of the asked windows."""

    def say(windows):
        last = windows.targets[windows.origins]
        return last - (last.mean() if rows == "all" else windows.gather_inputs()[:, :, 0].mean(axis=1))

    return Doing(lambda learn, check: Saying(say))


def remembering(rows):
    """Knows the targets of some rows by heart, and answers with the mean elsewhere."""

    def make(learn, check):
        known = learn.targets[rows(learn)].copy()

        def say(windows):
            asked = target_rows(windows.origins, windows.horizon)
            return np.where(asked < len(known), known[np.minimum(asked, len(known) - 1)], 0.0)

        return Saying(say)

    return Doing(make)


# ---- wrong tables, and right ones ------------------------------------------------------------------------------------


def table() -> pd.DataFrame:
    """A target, two columns that know something of it, ten that know nothing, and a few empty cells."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2015-01-01", periods=ROWS, name="day")
    y = np.array(pd.Series(rng.standard_normal(ROWS)).ewm(alpha=0.3).mean()) * 5 + 20 + np.linspace(0, 5, ROWS)
    frame = pd.DataFrame({"y": y, "same_day": y + rng.normal(0, 1, ROWS), "noise": rng.normal(0, 1, ROWS)}, index=days)
    for i in range(10):
        frame[f"n{i}"] = rng.normal(0, 1, ROWS)
    frame.loc[rng.random(ROWS) < 0.2, "noise"] = np.nan
    return frame


def with_column(make: Callable[[pd.DataFrame], object]) -> pd.DataFrame:
    frame = table()[["y"]].assign(proxy=table()["same_day"])
    frame["made"] = np.asarray(make(frame), dtype=float)
    return frame.drop(columns="proxy").dropna()


def repeated_row() -> pd.DataFrame:
    frame = table()[["y"]]
    return pd.concat([frame, frame.iloc[[700]]]).sort_index()


def copied_rows() -> pd.DataFrame:
    """Training rows that come again as test rows, under other dates."""
    frame = table()[["y", "same_day"]]
    frame.iloc[850:880] = frame.iloc[100:130].to_numpy()
    return frame


def filled_with_the_mean() -> pd.DataFrame:
    frame = table()[["y", "same_day"]].round(1)
    frame.iloc[400:430, 1] = frame["same_day"].mean().round(1)
    return frame


# ---- wrong preprocessing, and right one ------------------------------------------------------------------------------

TO_AND_FRO = butter(2, 0.2)
FIRST = 300  # rows that a user may fit preprocessing on: all of them lie before every origin


def on_y(make: Callable[[pd.Series], object]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: pd.DataFrame({"made": make(frame["y"])}, index=frame.index)


def on_all(make: Callable[[pd.DataFrame], object]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: pd.DataFrame(np.asarray(make(frame.fillna(0.0))), index=frame.index)


def line_of(y: pd.Series, rows: int) -> np.ndarray:
    at = np.arange(len(y))
    return np.polyval(np.polyfit(at[:rows], y.to_numpy()[:rows], 1), at)


def by_weekday(y: pd.Series, known: pd.Series) -> np.ndarray:
    return known.groupby(known.index.day_of_week).mean()[y.index.day_of_week].to_numpy()


def chosen_by(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """The noise that is most like the target in some rows."""
    noise = [c for c in frame if c.startswith("n")]
    return frame[[frame.iloc[:rows][noise].corrwith(frame.iloc[:rows]["y"]).abs().idxmax()]]


def low_pass(y: pd.Series) -> np.ndarray:
    spectrum = np.fft.rfft(y.to_numpy())
    spectrum[len(spectrum) // 10 :] = 0
    return np.fft.irfft(spectrum, len(y))


# ---- windows of the three parts --------------------------------------------------------------------------------------


def own_origins(**changed: np.ndarray) -> dict[str, np.ndarray]:
    return {name: window_origins(part, LOOKBACK, HORIZON) for name, part in SPLIT.parts.items()} | changed


def shuffled_origins() -> dict[str, np.ndarray]:
    own = own_origins()
    mixed = np.random.default_rng(0).permutation(np.concatenate(list(own.values())))
    cuts = np.cumsum([len(o) for o in own.values()])[:-1]
    return dict(zip(own, map(np.sort, np.split(mixed, cuts)), strict=True))


OWN = own_origins()
AFTER_TRAINING, SEALED, FUTURE = map(by_law, (poison_after_training, poison_after_validation, change_after_origin))
TOGETHER = by_law(alone_or_together)
WITH_GAP = {n: window_origins(p, LOOKBACK, HORIZON) for n, p in split_by_fractions(150, gap=5).parts.items()}

PLANTED: dict[str, Plant] = {
    # what a recipe learns from
    "mean of all rows": Plant(AFTER_TRAINING, mean_of(all_rows), mean_of(training_rows)),
    "scaler of all rows": Plant(AFTER_TRAINING, scale_of(all_rows), scale_of(training_rows)),
    "climatology of all rows": Plant(AFTER_TRAINING, climatology_of(every_origin), climatology_of(training_origins)),
    "targets by heart, test days too": Plant(SEALED, remembering(all_rows), remembering(training_rows)),
    # what a recipe chooses by
    "early stopping on test": Plant(SEALED, stopping_by(by_test), stopping_by(by_validation)),
    "tuning on test": Plant(SEALED, tuned_by(by_test), tuned_by(by_validation)),
    "ridge penalty chosen on test": Plant(SEALED, penalised_by(by_test), penalised_by(by_validation)),
    "weights of an ensemble chosen on test": Plant(SEALED, weighted_by(by_test), weighted_by(by_validation)),
    # what a forecast reads
    "tomorrow's target": Plant(FUTURE, reading(1), reading(0)),
    "the season's future": Plant(FUTURE, season_of(0), season_of(10)),
    "window one step too late": Plant(FUTURE, window_at(1), window_at(0)),
    "normalised per window, target included": Plant(FUTURE, normalising(1), normalising(0)),
    "analogues from after the origin": Plant(FUTURE, analogue(lambda w, o: len(w.targets)), analogue(lambda w, o: o)),
    "centred over the windows asked for": Plant(TOGETHER, centred_over("all"), centred_over("window")),
    # which windows are in which part
    "target on both sides of the split": Plant(
        by_order, own_origins(validation=np.append(OWN["train"][-3:], OWN["validation"])), OWN
    ),
    "shuffled windows": Plant(by_order, shuffled_origins(), OWN),
    "horizon off by one": Plant(by_order, own_origins(train=np.append(OWN["train"], OWN["train"][-1] + 1)), OWN),
    "test windows among training windows": Plant(
        by_order, own_origins(train=np.append(OWN["train"], OWN["test"])), OWN
    ),
    "the same window twice": Plant(by_order, own_origins(train=np.append(OWN["train"], OWN["train"][-1])), OWN),
    "gap not kept": Plant(by_order_with_a_gap, OWN, WITH_GAP),
    # what a table holds
    "future column": Plant(by_doctor, with_column(lambda f: f["y"].shift(-1)), with_column(lambda f: f["y"].shift(1))),
    "proxy of the target's day": Plant(
        by_doctor, with_column(lambda f: f["proxy"].shift(-1)), with_column(lambda f: f["proxy"])
    ),
    "centred smoothing": Plant(
        by_doctor,
        with_column(lambda f: f["y"].rolling(5, center=True).mean()),
        with_column(lambda f: f["y"].rolling(5).mean()),
    ),
    "filter run to and fro": Plant(
        by_doctor,
        with_column(lambda f: filtfilt(*TO_AND_FRO, f["y"])),
        with_column(lambda f: lfilter(*TO_AND_FRO, f["y"])),
    ),
    "change still to come": Plant(
        by_doctor, with_column(lambda f: f["y"].shift(-1) - f["y"]), with_column(lambda f: f["y"].diff())
    ),
    "row that stands on both sides": Plant(by_doctor, repeated_row(), table()[["y"]]),
    "training rows copied into the test": Plant(by_doctor, copied_rows(), table()[["y", "same_day"]]),
    "gap filled with the mean of the column": Plant(
        by_doctor, filled_with_the_mean(), table()[["y", "same_day"]].round(1)
    ),
    # what a user's preprocessing reads
    "features scaled by all rows": Plant(
        by_recomputing,
        on_y(lambda y: (y - y.mean()) / y.std()),
        on_y(lambda y: (y - y.iloc[:FIRST].mean()) / y.iloc[:FIRST].std()),
    ),
    "smoothed by later rows": Plant(
        by_recomputing, on_y(lambda y: y.rolling(7, center=True).mean()), on_y(lambda y: y.rolling(7).mean())
    ),
    "filtered to and fro": Plant(
        by_recomputing, on_y(lambda y: filtfilt(*TO_AND_FRO, y)), on_y(lambda y: lfilter(*TO_AND_FRO, y))
    ),
    "smoothed by a Fourier transform of all rows": Plant(
        by_recomputing, on_y(low_pass), on_y(lambda y: y.ewm(alpha=0.1).mean())
    ),
    "filled backwards": Plant(
        by_recomputing, lambda frame: frame[["noise"]].bfill(), lambda frame: frame[["noise"]].ffill()
    ),
    "gaps interpolated": Plant(
        by_recomputing, lambda frame: frame[["noise"]].interpolate(), lambda frame: frame[["noise"]].ffill()
    ),
    "filled with the mean of all rows": Plant(
        by_recomputing,
        lambda frame: frame[["noise"]].fillna(frame["noise"].mean()),
        lambda frame: frame[["noise"]].fillna(frame["noise"].expanding(1).mean()),
    ),
    "week's mean on each of its days": Plant(
        by_recomputing,
        on_y(lambda y: y.groupby(y.index.to_period("W")).transform("mean")),
        on_y(lambda y: y.groupby(y.index.to_period("W")).transform(lambda week: week.expanding().mean())),
    ),
    "target encoded by all rows": Plant(
        by_recomputing, on_y(lambda y: by_weekday(y, y)), on_y(lambda y: by_weekday(y, y.iloc[:FIRST]))
    ),
    "differenced with the future": Plant(by_recomputing, on_y(lambda y: y.diff(-1)), on_y(lambda y: y.diff())),
    "trend fitted to all rows": Plant(
        by_recomputing, on_y(lambda y: y - line_of(y, len(y))), on_y(lambda y: y - line_of(y, FIRST))
    ),
    "clipped at quantiles of all rows": Plant(
        by_recomputing,
        on_y(lambda y: y.clip(*y.quantile([0.05, 0.95]))),
        on_y(lambda y: y.clip(*y.iloc[:FIRST].quantile([0.05, 0.95]))),
    ),
    "ranked among all rows": Plant(
        by_recomputing, on_y(lambda y: y.rank(pct=True)), on_y(lambda y: y.expanding().rank(pct=True))
    ),
    "principal components of all rows": Plant(
        by_recomputing,
        on_all(lambda f: PCA(2).fit_transform(f)),
        on_all(lambda f: PCA(2).fit(f.iloc[:FIRST]).transform(f)),
    ),
    "columns chosen by all rows": Plant(
        by_recomputing, lambda frame: chosen_by(frame, len(frame)), lambda frame: chosen_by(frame, FIRST)
    ),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_leak_is_caught_and_the_honest_way_is_not_accused(plant):
    assert plant.catcher(plant.leak)
    assert plant.catcher(plant.honest) == []


def test_there_are_enough_of_them():
    assert len(PLANTED) >= 40


def test_a_caught_leak_is_told_with_its_origin_and_its_size():
    told = FUTURE(reading(1))[0]
    assert "forecasts changed, by up to" in told
    assert "With other numbers" in told
    assert "With NaN" in told
    series = toy_case(reading(1)).series
    assert f"The one made on {series.times[SPLIT.train.stop - 1].date()}" in told
    assert f"was {series.values[SPLIT.train.stop, 0]:.6g} and became" in told


def test_an_audit_of_features_takes_a_series_and_says_which_value_changed(toy):
    found = audit_features(lambda frame: frame.rolling(3, center=True).mean(), toy)
    assert found.leaks
    assert found.leaks[0].leak.startswith("y at ")
    assert audit_features(lambda frame: frame.rolling(3).mean().dropna(), toy).leaks == ()
    assert audit_features(lambda frame: frame, replace(toy)).leaks == ()
