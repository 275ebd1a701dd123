"""A memory profile as plain values: what `--json` writes, and what plots and sentences are made from."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from backsight.models.registry import recipe_name
from backsight.runs.memory import EntryMemory, MemoryProfile
from backsight.series.frequency import step_name
from backsight.series.series import day

if TYPE_CHECKING:
    from backsight.evaluation.memory import SeedMemory
    from backsight.training.traces import Inside

Record = dict[str, Any]

#: Quantiles over windows (and units) that are kept of whatever layers do: low, median, high.
QUANTILES = {"low": 0.1, "median": 0.5, "high": 0.9}


def memory_record(profile: MemoryProfile) -> Record:
    """A memory profile as plain values.

    All lists by lag begin with lag 1, the last step of the window; `truncation` begins with 0 steps. Gates are by step
    of the window, the first step first.

    An entry holds:
        carrying, carrying_of_mean: lags that carry 95 % of the skill, one a seed, and of the mean curve; None
            where there is no skill.
        truncation: RMSE with only the last 0, 1, ... steps, a list a seed.
        occlusion: rise of the RMSE without the step of a lag, a list a seed.
        slopes: mean |d forecast / d feature|, in the target's unit per standard deviation, a list over `inputs` a
            lag; the mean over seeds; None for models without slopes.
        recurrent: a layer and seed each: layer, kind, seed, `felt` by distance from 0 (low, median and high
            quantile over windows), and `gates` by name (mean, low, median and high over windows and units).
        attention: a layer, head and seed each: layer, head, seed, weights by lag, the mean over windows.
    """
    study = profile.study
    times = study.series.times
    return {
        "data": study.series.name,
        "target": study.exam.target,
        "unit": study.series.units.get(study.exam.target, ""),
        "step": step_name(times),
        "validation": {
            "first": day(times[profile.origins[0] + 1]),
            "last": day(times[profile.origins[-1] + study.exam.horizon]),
            "windows": len(profile.origins),
        },
        "draws": profile.draws,
        "seconds": round(profile.seconds, 3),
        "interrupted": profile.interrupted,
        "entries": [_entry(one) for one in profile.entries],
    }


def _entry(one: EntryMemory) -> Record:
    slopes = one.slopes
    return {
        "name": one.entry.name,
        "recipe": recipe_name(one.entry.recipe),
        "lookback": one.entry.lookback,
        "inputs": list(one.inputs),
        "seeds": [s.seed for s in one.seeds],
        "carrying": [s.carrying for s in one.seeds],
        "carrying_of_mean": one.carrying,
        "truncation": [_plain(s.truncation) for s in one.seeds],
        "occlusion": [_plain(s.occlusion) for s in one.seeds],
        "slopes": None if slopes is None else [_plain(of_lag) for of_lag in slopes],
        "recurrent": [r for seed, inside in _insides(one.seeds) for r in _recurrent(seed, inside)],
        "attention": [a for seed, inside in _insides(one.seeds) for a in _attention(seed, inside)],
    }


def _insides(seeds: "Sequence[SeedMemory]") -> "Iterable[tuple[int, Inside]]":
    return ((one.seed, one.inside) for one in seeds if one.inside is not None)


def _recurrent(seed: int, inside: "Inside") -> list[Record]:
    return [
        {
            "layer": trace.layer,
            "kind": trace.kind,
            "seed": seed,
            "felt": _quantiles(trace.felt, axis=0),
            "gates": {
                name: {"mean": _plain(gate.mean(axis=(0, 2))), **_quantiles(gate, axis=(0, 2))}
                for name, gate in trace.gates.items()
            },
        }
        for trace in inside.recurrent
    ]


def _attention(seed: int, inside: "Inside") -> list[Record]:
    return [
        {"layer": trace.layer, "head": head + 1, "seed": seed, "weights": _plain(weights[::-1])}
        for trace in inside.attention
        for head, weights in enumerate(trace.weights.mean(axis=0))
    ]


def _quantiles(values: NDArray[Any], axis: int | tuple[int, int]) -> dict[str, list[float | None]]:
    found = np.quantile(values, list(QUANTILES.values()), axis=axis)
    return {name: _plain(of_steps) for name, of_steps in zip(QUANTILES, found, strict=True)}


def _plain(values: NDArray[Any]) -> list[float | None]:
    """Numbers as JSON can hold them."""
    return [float(v) if np.isfinite(v) else None for v in values]
