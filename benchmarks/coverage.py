"""Whether 90 % intervals hold 90 %: on simulated errors, on series that models forecast, and on Basel's test year.

    python benchmarks/coverage.py [--series N] [--quick]

Every series has 2,000 days: 1,600 to learn from, 200 whose errors make the intervals, 200 to try them on.

- *Errors* of the best possible forecast of an AR(1), one step and several steps ahead, as if somebody had it: normal,
  skewed, heavy-tailed, and with a spread that has seasons.
- *Shifts*: the same, normal, with a shift of all errors that begins with the test days or half-way through them.
- *Models*: ridge on an AR(1), and on one whose mean shifts when the test days begin.
- *Many series* in one model: of different spread (log-normal, 0.4), a fifth of whose variance is the same for all,
  with few and with many validation days each; 200 test days, and a shift in all means.
- *Basel*: ridge, trees, LSTM and LSTM with the quantile loss, on the nine columns; test year 2009, and five years.

The script ends with an error if stationary coverage leaves 88 to 92 %, or coverage with updates is below 88 % after a
shift, one step ahead.
"""

import argparse
from dataclasses import replace
from datetime import datetime, timedelta
from math import sqrt
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from backsight.evaluation.calibration import Arrival, calibrate_lead, follow
from backsight.evaluation.intervals import ADAPTIVE, FIXED, score
from backsight.evaluation.panel_forecasts import PanelForecasts, Sheet
from backsight.evaluation.panel_intervals import examined_panel
from backsight.runs.compare import compare
from backsight.series.catalogue import load
from backsight.series.generated import autoregressive
from backsight.training.plan import Plan

LEVEL, DAYS, PART = 0.9, 2000, 200
BEGUN = datetime(2000, 1, 1)

Errors = NDArray[np.float64]


def errors_of(kind: str, series: int, lead: int, phi: float = 0.8) -> Errors:
    """Errors of the best forecast of an AR(1), standard deviation 1: shape (series, validation and test days)."""
    rng = np.random.default_rng(lead)
    shape, weights = (series, 2 * PART + lead), phi ** np.arange(lead)
    shocks = {
        "skewed": lambda: rng.exponential(1.0, shape) - 1,
        "heavy-tailed": lambda: rng.standard_t(4, shape) / sqrt(2),
    }.get(kind, lambda: rng.standard_normal(shape))()
    errors = sum(w * shocks[:, lead - j : lead - j + 2 * PART] for j, w in enumerate(weights))
    errors = errors / sqrt(np.sum(weights**2))
    if kind == "seasonal":
        errors = errors * (1 + 0.6 * np.sin(2 * np.pi * (np.arange(2 * PART) / 365 + rng.random((series, 1)))))
    return errors


def ends_of(values: Errors, lead: int) -> tuple[Errors, Errors]:
    """Lower and upper ends around 0 on the test days: as validation errors make them, and with updates; (2, days)."""
    days = [BEGUN + timedelta(day) for day in range(len(values))]
    known = calibrate_lead(values[:PART], until=days[PART - 1], levels=[LEVEL], overlap=lead)
    arrivals = [Arrival(days[d - lead], days[d], values[d], values[d]) for d in range(PART, len(values))]
    _, stood = follow(known, [LEVEL], arrivals)
    ways = (known.standing * len(stood), stood)
    lower, upper = ([[getattr(s, end)[0] for s in standing] for standing in ways] for end in ("lower", "upper"))
    return np.array(lower), np.array(upper)


def tried(errors: Errors, lead: int, first: int = 0) -> tuple[Errors, Errors]:
    """Coverage and interval score of each series in both ways, from a test day on: shape (series, 2)."""
    coverage, scores = [], []
    for values in errors:
        lower, upper = (ends[:, first:] for ends in ends_of(values, lead))
        actual = values[PART + first :]
        outside = np.maximum(lower - actual, 0) + np.maximum(actual - upper, 0)
        coverage.append((outside == 0).mean(axis=1))
        scores.append((upper - lower + 2 / (1 - LEVEL) * outside).mean(axis=1))
    return np.array(coverage), np.array(scores)


def header(first: str, asked: str, last: tuple[str, ...] = ("score",)) -> None:
    """The first two lines of a table."""
    columns = [first, "from validation", asked, *last, "with updates", asked, *last]
    print(f"\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")


def show(title: str, coverage: Errors, scores: Errors, low: bool = False) -> bool:
    """A line of a table; `low`: coverage is asked to be 88 % at least. Returns whether it is, with updates."""
    cells = []
    for of_series, of_scores in zip(coverage.T, scores.T, strict=True):
        inside = (of_series >= 0.88) & ((of_series <= 0.92) | low)
        cells.append(f"{of_series.mean():.1%} ± {of_series.std():.1%} | {inside.mean():.0%} | {of_scores.mean():.2f}")
    print(f"| {title} | {' | '.join(cells)} |", flush=True)
    mean = coverage[:, 1].mean()
    return bool(mean >= 0.88 and (low or mean <= 0.92))


def simulated(series: int) -> bool:
    """Tables of simulated errors; whether the figures one step ahead are met."""
    kept = []
    header("errors", "in 88 .. 92 %")
    for kind in ("normal", "skewed", "heavy-tailed", "seasonal"):
        for lead in (1, 7, 24):
            met = show(f"{kind}, {lead} ahead", *tried(errors_of(kind, series, lead), lead))
            kept.append(met or lead > 1)
    header("shift, as the test days begin", "88 % or more")
    for lead in (1, 7, 24):
        for shift in (1, 2, 3):
            errors = errors_of("normal", series, lead)
            errors[:, PART:] += shift
            met = show(f"{shift} sd, {lead} ahead", *tried(errors, lead), low=True)
            kept.append(met or lead > 1)
    header("shift half-way, and the 100 days after it", "88 % or more")
    for shift in (1, 2, 3):
        errors = errors_of("normal", series, 1)
        errors[:, PART + PART // 2 :] += shift
        show(f"{shift} sd, 1 ahead", *tried(errors, 1, PART // 2), low=True)
    return all(kept)


def models(series: int) -> bool:
    """Table of ridge on series of 2,000 days; whether the figures are met."""
    kept = []
    header("ridge, one step ahead", "in 88 .. 92 %")
    for shift in (0, 3, 6):
        found = []
        for seed in range(series):
            given = autoregressive(DAYS, seed=seed)
            values = given.values.copy()
            values[-PART:] += shift * values[:-PART].std()
            shifted = replace(given, values=values)
            rows = compare(shifted, "y", models=["ridge"], lookback=[3], seeds=1, baselines=False).intervals()
            found.append([score(rows, LEVEL, ends) for ends in (FIXED, ADAPTIVE)])
        coverage, scores = (
            np.array([[getattr(w, of) for w in ways] for ways in found]) for of in ("coverage", "score")
        )
        title = f"AR(1), its mean shifted by {shift} sd for the test days" if shift else "AR(1)"
        kept.append(show(title, coverage, scores, low=bool(shift)))
    return all(kept)


def many(repeats: int) -> bool:
    """Table of panels of a hundred series; whether the figures are met.

    Coverage is that of all forecasts of a panel, with its standard deviation over panels; the share is that of single
    series, and the score is divided by their spread.
    """
    kept, count = [], 100
    header("many series, one step ahead: validation days, shift", "series in 85 .. 95 %")
    for windows, shift in ((12, 0), (25, 0), (100, 0), (100, 2)):
        cells = []
        for seed in range(repeats):
            rng = np.random.default_rng(seed)
            spread = np.exp(0.4 * rng.standard_normal(count))
            own, shared = rng.standard_normal((windows + PART, count)), rng.standard_normal((windows + PART, 1))
            errors = spread * (np.sqrt(0.8) * own + np.sqrt(0.2) * shared)
            errors[windows:] += shift * spread
            found = examined_panel(panel_of(errors, windows, spread), "m", LEVEL)
            ways = [found.fixed, found.adaptive]
            each = [((found.of_each(w) >= 0.85) & (found.of_each(w) <= 0.95)).mean() for w in ways]
            scored = [found.score(w) for w in ways]
            cells.append([(s.coverage, share, s.score) for s, share in zip(scored, each, strict=True)])
        table = np.array(cells)
        ways = [
            f"{way[:, 0].mean():.1%} ± {way[:, 0].std():.1%} | {way[:, 1].mean():.0%} | {way[:, 2].mean():.2f}"
            for way in table.transpose(1, 0, 2)
        ]
        print(f"| {windows}, {f'{shift} sd' if shift else 'none'} | {' | '.join(ways)} |", flush=True)
        kept.append(0.88 <= table[:, 1, 0].mean() <= (1 if shift else 0.92))
    return all(kept)


def panel_of(errors: Errors, windows: int, spread: Errors) -> PanelForecasts:
    """Forecasts of 0, whose actual values are these errors, shape (days, series); so many days are for validation."""
    days = np.datetime64(BEGUN, "ns") + np.arange(len(errors)) * np.timedelta64(1, "D")
    count, sheets = errors.shape[1], {}
    for part, span in (("validation", range(windows)), ("test", range(windows, len(errors)))):
        series = np.repeat(np.arange(count, dtype=np.int32), len(span))
        turn = np.tile(np.arange(len(span), dtype=np.int32), count)
        of_part = days[span.start : span.stop]
        origin, time = np.tile(of_part - np.timedelta64(1, "D"), count), np.tile(of_part, count)
        actual = errors[span.start : span.stop].T.reshape(-1, 1)
        sheets[part] = Sheet(series, origin, turn, time[:, None], actual, spread[series])
    nothing = {part: np.zeros_like(sheet.actual) for part, sheet in sheets.items()}
    return PanelForecasts(tuple(map(str, range(count))), sheets, {("m", 0): nothing})


def basel(seeds: int, folds: int) -> None:
    """Table of models on Basel: the test year, or several."""
    asked = {"features": ["BASEL_*"], "lookback": [3], "seeds": seeds, "calendar": True, "folds": folds}
    series, target = load("basel"), "BASEL_sunshine"
    squared = compare(series, target, models=["ridge", "lstm"], **asked)
    quantile = compare(series, target, models=["lstm"], plan=Plan(loss="quantile"), baselines=False, **asked)
    first, last = (f"{time:%Y-%m-%d}" for time in squared.intervals("ridge_3")["time"].iloc[[0, -1]])
    columns = [
        f"{first} to {last}",
        "RMSE",
        "MAE",
        "from validation",
        "width",
        "score",
        "with updates",
        "width",
        "score",
    ]
    print(f"\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    entries = [(squared, entry) for entry in ("climatology", "ridge_3", "trees_3", "lstm_3")]
    for found, entry in [*entries, (quantile, "lstm_3")]:
        rows = found.intervals(entry, LEVEL)
        error = rows["predicted"] - rows["actual"]
        cells = [f"{np.sqrt((error**2).mean()):.2f}", f"{error.abs().mean():.2f}"]
        for way in (score(rows, LEVEL, ends) for ends in (FIXED, ADAPTIVE)):
            cells += [f"{way.coverage:.1%} ± {way.error:.1%}", f"{way.width:.2f}", f"{way.score:.2f}"]
        name = f"{entry}, quantile loss" if found is quantile else entry
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--series", type=int, default=400, help="simulated series of each kind")
    parser.add_argument("--quick", action="store_true", help="a few of each, to try this script")
    given = parser.parse_args()
    began = perf_counter()
    series, seeds = (20, 1) if given.quick else (given.series, 5)
    kept = [simulated(series), models(series // 4), many(max(series // 10, 2))]
    for folds in (1, 5):
        basel(seeds, folds)
    print(f"\n{perf_counter() - began:.0f} s")
    if not all(kept) and not given.quick:
        raise SystemExit("Intervals hold less, or more, than they say.")


if __name__ == "__main__":
    main()
