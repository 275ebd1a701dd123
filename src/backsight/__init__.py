"""How far back should a forecaster look, and which sequence layer is worth it?

>>> import backsight
>>> series = backsight.load("seattle")
>>> found = backsight.compare(series, "temp_max", models=["ridge"], lookback=[3, 7], seeds=1)
>>> found.leaderboard[["entry", "val_rmse", "test_rmse"]].shape
(7, 3)
"""
from backsight.series.catalogue import load
from backsight.runs.compare import compare
