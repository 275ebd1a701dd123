"""The ensemble of an entry's seeds: the mean of their forecasts, as an entry of its own."""

import pandas as pd

from backsight.evaluation.forecasts import BAND, key_columns

#: What the name of an ensemble adds to that of its entry.
ENSEMBLE = " ensemble"


def with_ensembles(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Forecasts rows, and behind those of each entry of several seeds the rows of their ensemble, as seed 0.

    A forecast that one of the seeds lacks is lacking in the ensemble too.

    Args:
        forecasts: see `evaluation.forecasts`.

    Source: averaging networks that differ in nothing but their initial weights: Hansen and Salamon 1990, IEEE
    Trans. Pattern Analysis and Machine Intelligence 12, 993-1001.
    """
    tables = []
    for entry, rows in forecasts.groupby("entry", sort=False):
        tables.append(rows)
        seeds = len(rows["seed"].unique())
        if seeds > 1:
            of_key = rows.groupby(key_columns(forecasts), sort=False)
            said = [name for name in ("predicted", *BAND) if name in rows]
            means = of_key[said].sum(min_count=seeds) / seeds
            means = means.assign(actual=of_key["actual"].first()).reset_index()
            tables.append(means.assign(entry=f"{entry}{ENSEMBLE}", seed=0))
    return pd.concat(tables, ignore_index=True)[forecasts.columns] if tables else forecasts


def base_entry(name: str) -> str:
    """The entry whose seeds an ensemble averages; of any other entry, its own name.

    >>> base_entry("lstm_7 ensemble"), base_entry("lstm_7")
    ('lstm_7', 'lstm_7')
    """
    return name.removesuffix(ENSEMBLE)
