"""What a random split would have claimed: the same model on the same test windows, its training windows from all over.

Windows overlap. In a random split most test windows have neighbours, one step off, among the training windows: the
model has seen nearly the same inputs with nearly the same answers, and rows later than those it is asked for. What it
then shows is how well it fills holes, and not how well it forecasts.

Both ways are examined on the same test windows, so a difference comes from the split and not from easier days. The
test windows are dealt into a few hands; for each of them the model learns from windows drawn at random from all
others, as many as it has in time order.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from backsight.evaluation.leaks import Case
from backsight.evaluation.metrics import rmse
from backsight.evaluation.significance import Paired, paired_test
from backsight.models.persistence import Persistence
from backsight.training.plan import Plan
from backsight.vocabulary import Origins, Outputs
from backsight.windows.split import Split
from backsight.windows.windows import Windows

#: Fits of the random split.
HANDS = 5


@dataclass(frozen=True)
class Claim:
    """Errors of one model on the same test windows, by two splits, in the target's unit.

    Attributes:
        random: test RMSE of models whose training windows were drawn at random.
        ordered: test RMSE in time order.
        persistence: test RMSE of persistence.
        paired: whether the first two differ; its difference is negative where shuffling flatters.
    """

    random: float
    ordered: float
    persistence: float
    paired: Paired

    def record(self) -> dict[str, Any]:
        """The claim as plain values."""
        paired = {name: None if pd.isna(value) else value for name, value in asdict(self.paired).items()}
        return {**vars(self), "paired": paired, "differ": self.paired.differ}


def random_split_claim(case: Case, plan: Plan, fitted: Callable[[], object] = lambda: None) -> Claim:
    """Fit the recipe of a case in time order and on windows drawn at random, and examine both on its test windows.

    In the random split the scaling knows all rows, as its training windows do.

    Args:
        case: recipe, data and exam.
        plan: how networks are trained, every time.
        fitted: called after each of `HANDS` + 1 fits.

    Raises:
        SettingError, WindowError: see `compare`.
    """
    case.recipe.load_libraries()
    learn, check, test = case.clean
    ordered = case.fit(learn, check, plan).predict(test)
    fitted()
    rows = len(case.series)
    everything = Split(range(0, rows - 2), range(rows - 2, rows - 1), range(rows - 1, rows))
    shown = case.view(case.series, everything).show(case.series, learn.origins)
    random = np.empty_like(ordered)
    for hand in deal(case):
        random[np.isin(test.origins, hand.test)] = _predict(case, shown, hand, plan)
        fitted()
    actual = test.gather_outputs()
    losses = pd.DataFrame({name: _losses(made, actual) for name, made in (("random", random), ("ordered", ordered))})
    return Claim(
        random=rmse(actual, random),
        ordered=rmse(actual, ordered),
        persistence=rmse(actual, Persistence().fit(learn, check, plan, case.seed).predict(test)),
        paired=paired_test(losses, "random", "ordered", overlap=case.exam.overlap),
    )


@dataclass(frozen=True, eq=False)
class Hand:
    """Origins of one random split: to learn from, to choose by, and some of the test windows; rising, all apart."""

    train: Origins
    validation: Origins
    test: Origins


def deal(case: Case) -> list[Hand]:
    """Random splits that hold every test window of the case once; parts as large as in time order."""
    rng = np.random.default_rng(case.seed)
    learn, check, test = (part.origins for part in case.clean)
    everything = np.concatenate([learn, check, test])
    hands = []
    for some in np.array_split(rng.permutation(test), min(HANDS, len(test))):
        others = rng.permutation(np.setdiff1d(everything, some))
        cut = len(check) + min(len(learn), len(others) - len(check))
        hands.append(Hand(np.sort(others[len(check) : cut]), np.sort(others[: len(check)]), np.sort(some)))
    return hands


def _predict(case: Case, shown: Windows, hand: Hand, plan: Plan) -> Outputs:
    forecaster = case.fit(shown.at(hand.train), shown.at(hand.validation), plan)
    return forecaster.predict(shown.at(hand.test))


def _losses(predicted: Outputs, actual: Outputs) -> Any:
    return np.square(predicted - actual).mean(axis=1)


def claim_sentences(claim: Claim, unit: str = "") -> list[str]:
    """The claim in words; a difference is one only if a paired test says so."""
    unit = f" {unit}" if unit else ""
    paired = claim.paired
    said = [
        f"Random splitting would have claimed an RMSE of {claim.random:.2f}{unit}; in time order it is "
        f"{claim.ordered:.2f}{unit}, on the same {paired.windows:,} test windows (persistence: "
        f"{claim.persistence:.2f}{unit})."
    ]
    how_sure = f"Diebold-Mariano, p {'< 0.001' if paired.p < 0.001 else f'= {paired.p:.3f}'}"
    if paired.differ and paired.difference < 0:
        more = claim.ordered / claim.random - 1
        return [*said, f"Shuffling hides an error that is {more:.0%} larger than what it shows ({how_sure})."]
    if paired.differ:
        return [*said, f"Here shuffling claims more error than time order ({how_sure})."]
    if not paired.enough:
        return [*said, "The test windows are worth too few independent ones to say whether that is a difference."]
    return [*said, f"That is no difference one can be sure of ({how_sure}): here the leak is small or none."]
