"""Says how far back a forecaster should look, and which sequence layer is worth it.

>>> import backsight
>>> series = backsight.load("seattle")
>>> found = backsight.compare(series, "temp_max", models=["ridge"], lookback=[3, 7], seeds=1)
>>> list(found.leaderboard.columns[:4])
['group', 'entry', 'seeds', 'val_rmse']

Names are loaded when they are first used: importing backsight imports neither pandas nor Keras. It does say which
backend Keras takes when that is imported later: JAX, the one that backsight trains on, unless KERAS_BACKEND is set.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backsight.errors import (
        BacksightError as BacksightError,
    )
    from backsight.errors import (
        ColumnError as ColumnError,
    )
    from backsight.errors import (
        DataError as DataError,
    )
    from backsight.errors import (
        DatasetUnavailable as DatasetUnavailable,
    )
    from backsight.errors import (
        ExamError as ExamError,
    )
    from backsight.errors import (
        ModelFileError as ModelFileError,
    )
    from backsight.errors import (
        RecipeError as RecipeError,
    )
    from backsight.errors import (
        SettingError as SettingError,
    )
    from backsight.errors import (
        WindowError as WindowError,
    )
    from backsight.evaluation.feature_leaks import audit_features as audit_features
    from backsight.evaluation.leaks import LeakAudit as LeakAudit
    from backsight.evaluation.leaks import audit_model as audit_model
    from backsight.models.breakdown import parameter_breakdown as parameter_breakdown
    from backsight.models.recipe import Forecaster as Forecaster
    from backsight.models.recipe import Recipe as Recipe
    from backsight.models.registry import RECIPES as RECIPES
    from backsight.models.registry import as_recipe as as_recipe
    from backsight.report.diagrams.cell import draw_cell as draw_cell
    from backsight.report.diagrams.unrolled import draw_unrolled as draw_unrolled
    from backsight.report.explain import explain as explain
    from backsight.report.leads_plot import plot_leads as plot_leads
    from backsight.report.lookback_plot import plot_lookback as plot_lookback
    from backsight.report.memory_plots import (
        plot_attention as plot_attention,
    )
    from backsight.report.memory_plots import (
        plot_gates as plot_gates,
    )
    from backsight.report.memory_plots import plot_memory as plot_memory
    from backsight.report.memory_plots import plot_memory_test as plot_memory_test
    from backsight.report.memory_plots import (
        plot_slopes as plot_slopes,
    )
    from backsight.report.memory_plots import plot_states as plot_states
    from backsight.report.plots import (
        plot_forecast as plot_forecast,
    )
    from backsight.report.plots import (
        plot_history as plot_history,
    )
    from backsight.report.plots import (
        plot_leaderboard as plot_leaderboard,
    )
    from backsight.report.plots import (
        plot_lesson as plot_lesson,
    )
    from backsight.report.report import write_report as write_report
    from backsight.runs.compare import compare as compare
    from backsight.runs.comparison import Comparison as Comparison
    from backsight.runs.lesson import Lesson as Lesson
    from backsight.runs.lesson import run_lesson as run_lesson
    from backsight.runs.lookback import Lookbacks as Lookbacks
    from backsight.runs.lookback import lookback_curve as lookback_curve
    from backsight.runs.memory import MemoryProfile as MemoryProfile
    from backsight.runs.memory import memory_profile as memory_profile
    from backsight.runs.memory_test import MemoryTest as MemoryTest
    from backsight.runs.memory_test import memory_test as memory_test
    from backsight.runs.model_file import Model as Model
    from backsight.runs.model_file import load_model as load_model
    from backsight.runs.tune import Tuning as Tuning
    from backsight.runs.tune import tune as tune
    from backsight.series.catalogue import CATALOGUE as CATALOGUE
    from backsight.series.catalogue import load as load
    from backsight.series.doctor.diagnosis import Diagnosis as Diagnosis
    from backsight.series.doctor.diagnosis import audit as audit
    from backsight.series.doctor.finding import Finding as Finding
    from backsight.series.from_frame import from_frame as from_frame
    from backsight.series.panel import Panel as Panel
    from backsight.series.read import read_series as read_series
    from backsight.series.series import Series as Series
    from backsight.series.tasks import TASKS as TASKS
    from backsight.training.plan import Plan as Plan
    from backsight.windows.folds import rolling_folds as rolling_folds
    from backsight.windows.split import (
        Split as Split,
    )
    from backsight.windows.split import (
        split_by_dates as split_by_dates,
    )
    from backsight.windows.split import (
        split_by_fractions as split_by_fractions,
    )

# Here, and not only where backsight first needs Keras (see `engine`): a user's own `import keras` may come before, and
# Keras reads its backend once, when it is imported. Whoever has set another meets a clear error where it matters.
os.environ.setdefault("KERAS_BACKEND", "jax")

#: Every public name, and the module it lives in. A test compares this list with the imports above.
_HOME = {
    "BacksightError": "errors",
    "CATALOGUE": "series.catalogue",
    "ColumnError": "errors",
    "Comparison": "runs.comparison",
    "DataError": "errors",
    "DatasetUnavailable": "errors",
    "Diagnosis": "series.doctor.diagnosis",
    "ExamError": "errors",
    "Finding": "series.doctor.finding",
    "Forecaster": "models.recipe",
    "LeakAudit": "evaluation.leaks",
    "Lesson": "runs.lesson",
    "Lookbacks": "runs.lookback",
    "MemoryProfile": "runs.memory",
    "MemoryTest": "runs.memory_test",
    "Model": "runs.model_file",
    "ModelFileError": "errors",
    "Panel": "series.panel",
    "Plan": "training.plan",
    "RECIPES": "models.registry",
    "Recipe": "models.recipe",
    "RecipeError": "errors",
    "Series": "series.series",
    "SettingError": "errors",
    "Split": "windows.split",
    "TASKS": "series.tasks",
    "Tuning": "runs.tune",
    "WindowError": "errors",
    "as_recipe": "models.registry",
    "audit": "series.doctor.diagnosis",
    "audit_features": "evaluation.feature_leaks",
    "audit_model": "evaluation.leaks",
    "compare": "runs.compare",
    "draw_cell": "report.diagrams.cell",
    "draw_unrolled": "report.diagrams.unrolled",
    "explain": "report.explain",
    "from_frame": "series.from_frame",
    "load": "series.catalogue",
    "load_model": "runs.model_file",
    "lookback_curve": "runs.lookback",
    "memory_profile": "runs.memory",
    "memory_test": "runs.memory_test",
    "parameter_breakdown": "models.breakdown",
    "plot_attention": "report.memory_plots",
    "plot_forecast": "report.plots",
    "plot_gates": "report.memory_plots",
    "plot_history": "report.plots",
    "plot_leaderboard": "report.plots",
    "plot_leads": "report.leads_plot",
    "plot_lesson": "report.plots",
    "plot_lookback": "report.lookback_plot",
    "plot_memory": "report.memory_plots",
    "plot_memory_test": "report.memory_plots",
    "plot_slopes": "report.memory_plots",
    "plot_states": "report.memory_plots",
    "read_series": "series.read",
    "rolling_folds": "windows.folds",
    "run_lesson": "runs.lesson",
    "split_by_dates": "windows.split",
    "split_by_fractions": "windows.split",
    "tune": "runs.tune",
    "write_report": "report.report",
}

__version__ = "0.1.0"
__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name == "recurrence":
        return import_module("backsight.recurrence")
    if name not in _HOME:
        raise AttributeError(f"module 'backsight' has no attribute {name!r}")
    return getattr(import_module(f"backsight.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
