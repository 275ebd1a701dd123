"""Windows of several series, for models that know of one: in a unit that all share, or a series at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from backsight.series.panel import Panel
from backsight.vocabulary import Origins, Outputs
from backsight.windows.scaling import EachScaler, Scaler
from backsight.windows.split import Split
from backsight.windows.windows import View, ViewOptions, Windows, fit_view


def fit_panel_view(
    panel: Panel,
    splits: Sequence[Split],
    target: str,
    features: tuple[str, ...],
    **asked: Unpack[ViewOptions],
) -> View:
    """A view that scales each series by its own rows up to its last training target, to the bit as if it were alone.

    Args:
        panel: the series.
        splits: one a series, in its own rows.
        target, features, asked: as in `fit_view`.

    Raises:
        SettingError, ColumnError, WindowError: see `fit_view`.
    """
    views = [
        fit_view(series, split, target, features, **asked) for series, split in zip(panel.each(), splits, strict=True)
    ]
    any_one = views[0]
    inputs = Scaler(np.stack([v.scaler.mean for v in views]), np.stack([v.scaler.scale for v in views]))
    of_target = Scaler(np.array([v.target_mean for v in views]), np.array([v.target_scale for v in views]))
    columns = len(any_one.scaler.mean)
    return replace(
        any_one,
        scaler=Scaler(np.zeros(columns), np.ones(columns)),
        target_mean=0.0,
        target_scale=1.0,
        each=EachScaler(panel.ids, inputs, of_target, alone=len(panel.ids) == 1),
    )


def alike(windows: Windows) -> Windows:
    """The same windows with targets in a unit that all of them share, as those of one series: what one model learns.

    Where several were learnt from, that is the standard deviation of each over its training rows, around their mean, so
    that each counts alike. The only one, in a panel or alone, has its own unit.
    """
    if windows.blocks is None or windows.of_each is None:
        return replace(windows, blocks=None)
    mean, scale, sizes = windows.of_each.mean, windows.of_each.scale, windows.blocks.sizes
    scaled = (windows.targets - np.repeat(mean, sizes)) / np.repeat(scale, sizes)
    return replace(windows, targets=scaled, blocks=None, of_each=None)


def drawn(windows: Windows, most: int) -> Windows:
    """The windows, or so many of them, drawn at random and left in their order; always the same ones."""
    if len(windows) <= most:
        return windows
    chosen = np.random.default_rng([len(windows), most]).choice(len(windows), most, replace=False)
    return windows.at(windows.origins[np.sort(chosen)])


def in_units(windows: Windows, outputs: Outputs) -> Outputs:
    """Forecasts in the unit of `alike(windows)`, in the target's: of each series its own.

    Args:
        windows: of one series or several.
        outputs: shape (windows, horizon).
    """
    if windows.blocks is None or windows.of_each is None:
        return outputs
    place = windows.blocks.of(windows.origins)
    return outputs * windows.of_each.scale[place, None] + windows.of_each.mean[place, None]


def each_series(windows: Windows) -> Iterator[tuple[str, NDArray[np.intp], Windows]]:
    """For each of several series that has any of the windows its name, which they are, and they as if it were alone.

    Raises:
        AssertionError: the windows are not of several series.
    """
    assert windows.blocks is not None
    place = windows.blocks.of(windows.origins)
    order = np.argsort(place, kind="stable")
    places, begins = np.unique(place[order], return_index=True)
    for of, which in zip(places, np.split(order, begins[1:]), strict=True):
        yield windows.blocks.ids[of], which, _alone(windows, int(of), windows.origins[which])


def _alone(windows: Windows, place: int, origins: Origins) -> Windows:
    assert windows.blocks is not None
    rows, each = windows.blocks.rows(place), windows.of_each
    return replace(
        windows,
        inputs=windows.inputs[rows],
        targets=windows.targets[rows],
        target_mean=float(each.mean[place]) if each else windows.target_mean,
        target_scale=float(each.scale[place]) if each else windows.target_scale,
        times=windows.times[rows],
        origins=(origins - rows.start).astype(np.int32),
        blocks=None,
        of_each=None,
    )
