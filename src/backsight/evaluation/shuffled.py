"""What a random split would have claimed: the same model, its windows shuffled before they are parted.

Windows overlap. In a random split most test windows have neighbours, one step off, among the training windows: the
model has seen nearly the same inputs with nearly the same answers, and rows on both sides of every gap. What it then
shows is how well it fills holes, and not how well it forecasts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from backsight.evaluation.leaks import Case
from backsight.evaluation.metrics import rmse
from backsight.models.persistence import Persistence
from backsight.training.plan import Plan
from backsight.windows.split import Split
from backsight.windows.windows import Windows

#: Below this share of the error the two splits say the same.
SMALL = 0.03


@dataclass(frozen=True)
class Claim:
    """Errors of one model by two splits, in the target's unit.

    Attributes:
        random: test RMSE after a random split of windows.
        ordered: test RMSE in time order.
        random_persistence, ordered_persistence: of persistence on the same windows, for the two tests hold other days.
    """

    random: float
    ordered: float
    random_persistence: float
    ordered_persistence: float

    @property
    def random_ratio(self) -> float:
        """RMSE in units of persistence's, as the random split claims."""
        return self.random / self.random_persistence

    @property
    def ordered_ratio(self) -> float:
        """The same in time order."""
        return self.ordered / self.ordered_persistence

    def record(self) -> dict[str, Any]:
        """The claim as plain values."""
        return {**vars(self), "random_ratio": self.random_ratio, "ordered_ratio": self.ordered_ratio}


def random_split_claim(case: Case, plan: Plan, fitted: Callable[[], object] = lambda: None) -> Claim:
    """Fit the recipe of a case twice: on windows parted at random, and in time order.

    Both parts have the sizes of the case's split. After the random split the scaling knows all rows, as its training
    windows do.

    Args:
        case: recipe, data and exam.
        plan: how networks are trained, both times.
        fitted: called after each fit.

    Raises:
        SettingError, WindowError: see `compare`.
    """
    case.recipe.load_libraries()
    ordered = _test_errors(case, case.clean, plan)
    fitted()
    random = _test_errors(case, _shuffled(case), plan)
    fitted()
    return Claim(random[0], ordered[0], random[1], ordered[1])


def _shuffled(case: Case) -> tuple[Windows, Windows, Windows]:
    series = case.series
    rows = len(series)
    sizes = [len(part) for part in case.clean]
    everything = Split(range(0, rows - 2), range(rows - 2, rows - 1), range(rows - 1, rows))
    view = case.view(series, everything)
    origins = np.concatenate([part.origins for part in case.clean])
    origins = np.random.default_rng(case.seed).permutation(origins)
    cuts = np.cumsum(sizes)
    learn, check, test = (np.sort(origins[a:b]) for a, b in ((0, cuts[0]), (cuts[0], cuts[1]), (cuts[1], cuts[2])))
    windows = view.show(series, learn)
    return windows, windows.at(check), windows.at(test)


def _test_errors(case: Case, parts: tuple[Windows, Windows, Windows], plan: Plan) -> tuple[float, float]:
    """Test RMSE of the recipe and of persistence."""
    learn, check, test = parts
    forecaster = case.fit(learn, check, plan)
    # A forecaster that reaches far back can't forecast the first windows, which a random split may have put here.
    test = test.at(test.origins[test.origins + 1 >= forecaster.steps_back])
    actual = test.gather_outputs()
    simple = Persistence().fit(learn, check, plan, case.seed)
    return rmse(actual, forecaster.predict(test)), rmse(actual, simple.predict(test))


def claim_sentences(claim: Claim, unit: str = "") -> list[str]:
    """The claim in words.

    >>> claim_sentences(Claim(1.0, 2.0, 2.0, 2.0))[0]
    'Random splitting would have claimed an RMSE of 1.00; in time order it is 2.00.'
    """
    unit = f" {unit}" if unit else ""
    said = [
        f"Random splitting would have claimed an RMSE of {claim.random:.2f}{unit}; in time order it is "
        f"{claim.ordered:.2f}{unit}.",
        f"The two tests hold other days, so in units of persistence's error there: {claim.random_ratio:.2f} claimed "
        f"(persistence {claim.random_persistence:.2f}{unit}), {claim.ordered_ratio:.2f} in time order "
        f"({claim.ordered_persistence:.2f}{unit}).",
    ]
    flattered = claim.ordered_ratio / claim.random_ratio - 1
    if flattered > SMALL:
        return [*said, f"Shuffling hides {flattered:.0%} of error on top of what it shows."]
    if flattered < -SMALL:
        return [*said, "Here shuffling claims no less error than time order shows: the later days are the easier ones."]
    return [*said, "Here the two say much the same: the series drifts little, and the model knows no window by heart."]
