"""Fitted forecasters, asked for another number of steps ahead than they were trained for."""

from dataclasses import replace

from backsight.errors import RecipeError
from backsight.models.recursive import Recursive, RecursiveForecaster
from backsight.runs.fit import Fitted


def reaching(fitted: Fitted, horizon: int) -> Fitted:
    """The same forecaster, asked for so many steps ahead.

    Fewer than it was trained for are the first of its own. Further ahead it reads its own forecasts as if they had been
    observed, which takes that it reads nothing but the target's own past; a model that reads no window, and a recursive
    one, go as far as they are asked.

    Raises:
        RecipeError: it would have to know other columns ahead; the message names them.
    """
    view, recipe = fitted.view, fitted.entry.recipe
    if horizon == view.horizon:
        return fitted
    asked = replace(fitted, view=replace(view, horizon=horizon))
    if not recipe.reads_window or isinstance(recipe, Recursive):
        return asked
    if horizon > view.horizon and view.features != (view.target,):
        others = [name for name in view.features if name != view.target]
        steps = f"{view.horizon} step{'s' if view.horizon > 1 else ''}"
        raise RecipeError(
            f"{fitted.entry.name} was trained for {steps} ahead; {horizon} were asked for. To go on from its own "
            f"forecasts it would have to know the next values of {', '.join(others[:6])}"
            f"{' and more' if len(others) > 6 else ''}, which it reads too. Compare anew with --horizon {horizon} and "
            f"save that model."
        )
    return replace(asked, forecaster=RecursiveForecaster(fitted.forecaster, view.horizon))
