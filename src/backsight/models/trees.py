"""Gradient-boosted trees on lags: hard to beat on tables."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from backsight.models.frozen import Frozen, Spec, Specs, floats, take_counts
from backsight.models.grown import TreesForecaster, as_forecaster, check_grown
from backsight.models.recipe import Forecaster, OnEpoch, Recipe, ignore
from backsight.settings import STRICT
from backsight.training.plan import Plan
from backsight.windows.windows import Windows

#: Up to so many windows all are read, however long they are.
MANY = 2**17
#: Of more, so many that their lags are as many numbers (128 MB) at most, ...
NUMBERS = 2**24
#: ... but as many as this.
FEWEST = 2**15


@dataclass(frozen=True, config=STRICT)
class BoostedTrees(Recipe):
    """Histogram gradient boosting on all lags of all features, one ensemble a lead.

    Trees are added until the validation error has not fallen for `patience` of them. All lags lie in memory at once: of
    more than 131,072 windows it learns from some, drawn at random.

    Attributes:
        trees: at most.
        leaves: of one tree, at most.
        learning_rate: share of its error that each tree corrects.
        columns: share of the lags that each split may look at; this is what the seed decides.
        bins: values that a lag is sorted into before it is split; memory goes with them.
        patience: trees without a lower validation error after which no more are added.

    Source: Friedman 2001, Annals of Statistics 29, 1189-1232; Ke et al. 2017 (LightGBM), NeurIPS 30;
    scikit-learn's implementation.
    """

    trees: Annotated[int, Field(ge=1)] = 1000
    leaves: Annotated[int, Field(ge=2)] = 15
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.03
    columns: Annotated[float, Field(gt=0, le=1)] = 0.2
    bins: Annotated[int, Field(ge=2, le=255)] = 31
    patience: Annotated[int, Field(ge=1)] = 20
    family: ClassVar[str] = "trees"
    random: ClassVar[bool] = True

    def load_libraries(self) -> None:
        import sklearn.ensemble  # noqa: F401

    def windows_read(self, windows: int, lags: int) -> int:
        return windows if windows <= MANY else min(windows, max(NUMBERS // lags, FEWEST))

    def fit(self, learn: Windows, check: Windows, plan: Plan, seed: int, on_epoch: OnEpoch = ignore) -> Forecaster:
        from sklearn.ensemble import HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        x, y = learn.gather_lags(), learn.gather_outputs()
        x_check, y_check = check.gather_lags(), check.gather_outputs()
        fitted = []
        # One thread: fits run side by side, and sums are added up in one order.
        with threadpool_limits(1, user_api="openmp"):
            for lead in range(learn.horizon):
                model = HistGradientBoostingRegressor(
                    max_iter=self.trees,
                    max_leaf_nodes=self.leaves,
                    learning_rate=self.learning_rate,
                    max_features=self.columns,
                    max_bins=self.bins,
                    early_stopping=True,
                    n_iter_no_change=self.patience,
                    random_state=seed,
                )
                fitted.append(model.fit(x, y[:, lead], X_val=x_check, y_val=y_check[:, lead]))
        return as_forecaster(fitted)

    def expected(self, lookback: int, features: int, horizon: int, settings: Mapping[str, Any]) -> Specs:
        trees, nodes = take_counts(settings, trees=horizon, nodes=horizon)
        of_nodes = {"feature": "int32", "threshold": "float64", "left": "int32", "right": "int32"}
        return {
            "baseline": floats(horizon),
            "last_tree": Spec("int32", (horizon,)),
            "root": Spec("int32", (trees,)),
            **{name: Spec(dtype, (nodes,)) for name, dtype in of_nodes.items()},
            "missing_left": Spec("uint8", (nodes,)),
            "value": floats(nodes),
        }

    def thaw(self, frozen: Frozen, lookback: int, features: int, horizon: int, plan: Plan) -> Forecaster:
        grown = TreesForecaster(**frozen.arrays)
        check_grown(grown, lags=lookback * features)
        return grown
