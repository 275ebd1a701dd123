"""The plot of errors by lead."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from backsight.report.charts.draw import new_axis

#: Okabe and Ito's colours; entries that read a window take them in turn, the others are grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: When all colours are taken they begin again, with the next of these.
MARKERS = "os^Dv"


def plot_leads(
    leads: pd.DataFrame, ax: Axes | None = None, unit: str = "", part: str = "test", dashed: Collection[str] = ()
) -> Axes:
    """RMSE by lead, a line an entry, in one part of the exam.

    Args:
        leads: entry, lead, reference, and test_rmse or val_rmse, as in `Comparison.leads`.
        ax: where to draw; a new one without it.
        unit: of the target.
        part: "test" or "val".
        dashed: entries that are there to measure the others by, beside those in `reference`. Where they lie far above
            all others they are cut off.

    >>> rows = pd.DataFrame({"entry": ["a", "a"], "lead": [1, 2], "reference": "b", "test_rmse": [1.0, 1.5]})
    >>> plot_leads(rows).get_xlabel()
    'steps ahead'
    """
    ax = new_axis(8.0, 4.6) if ax is None else ax
    references = set(leads["reference"].dropna())
    lines = {
        str(name): rows.sort_values("lead")[["lead", f"{part}_rmse"]].astype(float).replace(np.inf, np.nan)
        for name, rows in leads.groupby("entry", sort=False)
    }
    low, high = _limits([rows for name, rows in lines.items() if name not in dashed or name in references])
    looks = ((c, MARKERS[place % len(MARKERS)]) for place in range(len(lines)) for c in COLOURS)
    greys = (str(0.35 + 0.2 * (place % 3)) for place in range(len(lines)))
    for name, rows in lines.items():
        measure = name in references or name in dashed
        colour, marker = (next(greys), "o") if measure else next(looks)
        above = " (above)" if rows[f"{part}_rmse"].min() > high else ""
        ax.plot(
            *rows.to_numpy().T,
            marker=marker,
            ms=3.5,
            lw=1.4,
            color=colour,
            ls="--" if measure else "-",
            label=name.replace("$", r"\$") + above,  # a "$" would start mathematics in matplotlib
        )
    if np.isfinite(high):
        ax.set_ylim(low, high)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    of_part = "test" if part == "test" else "validation"
    ax.set(xlabel="steps ahead", ylabel=f"{of_part} RMSE{f' ({unit})' if unit else ''}")
    ax.grid(axis="y", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize="small")
    return ax


def _limits(lines: list[pd.DataFrame]) -> tuple[float, float]:
    """The span of the errors in these lines, with some room; infinite without any."""
    errors = np.concatenate([rows.to_numpy()[:, 1] for rows in lines]) if lines else np.empty(0)
    errors = errors[np.isfinite(errors)]
    if not errors.size:
        return -np.inf, np.inf
    room = 0.12 * (errors.max() - errors.min()) + 0.01 * errors.max() + 1e-9
    return float(errors.min() - room), float(errors.max() + room)
