"""Tables and sentences of a tuning, from its record (see `runs.tuning_record`)."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from backsight.report.sentences import pair_sentence
from backsight.report.tables import show_mean

Record = dict[str, Any]

#: A gain below this share of the error is none to speak of.
NOTHING = 0.001


def tuning_table(record: Record) -> Table:
    """What the search found for each model: the best untuned and the best tuned trial on the folds."""
    search = record["search"]
    days = sum(fold["days"] for fold in search["folds"])
    in_unit = f", {search['unit']}," if search["unit"] else ""
    table = _table(
        f"Search: {search['target']}, RMSE{in_unit} as mean over {_count(search['folds'], 'fold')} "
        f"({days} days, {search['folds'][0]['first']} to {search['folds'][-1]['last']}) and "
        f"{search['seeds']} seeds",
        *("model", "finished", "given up", "untuned", "tuned", "lookback", "settings"),
    )
    for model in record["models"]:
        best, untuned = model["best"], model["untuned"]
        table.add_row(
            escape(model["name"]),
            str(model["finished"]),
            str(model["pruned"]),
            _show_rmse(untuned),
            _show_rmse(best),
            str(best["settings"].get("lookback", "")) if best else "",
            escape(_settings(best)),
        )
    return table


def tuning_sentences(record: Record) -> list[str]:
    """What the search and the exam say about tuning, model by model."""
    unit = f" {record['search']['unit']}" if record["search"]["unit"] else ""
    said = [sentence for model in record["models"] for sentence in _of_model(model, unit)]
    scored = [m["best"] for m in record["models"] if m["best"] and m["best"]["rmse"] is not None]
    if len(scored) > 1:
        best = min(scored, key=lambda trial: trial["rmse"])
        said.append(f"Lowest of all on the folds is {best['entry']}, with {best['rmse']:.3f}{unit}.")
    if scored:
        said.append(
            "The best of many trials looks better on the days that it was chosen by than it is: the lowest of many "
            "noisy errors is low by luck too."
        )
    return said


def estimate_table(record: Record) -> Table:
    """How many fits a search would take, and how long."""
    workers = record["workers"]
    table = _table(
        f"{record['data']}: at most so many fits, and so long with {workers} at a time",
        *("model", "trials", "folds", "seeds", "fits", "and in the exam", "s a fit", "s with another seed", "minutes"),
    )
    for model in record["models"]:
        table.add_row(
            escape(model["model"]),
            *(f"{model[name]:,}" for name in ("trials", "folds", "seeds", "search_fits", "exam_fits")),
            f"{'up to ' if model['broken_off'] else ''}{model['first_seconds']:.2f}",
            f"{model['further_seconds']:.2f}",
            f"{model['seconds'] / workers / 60:.1f}",
        )
    if len(record["models"]) > 1:
        fits, minutes = (sum(m[name] for m in record["models"]) for name in ("search_fits", "seconds"))
        exam = sum(m["exam_fits"] for m in record["models"])
        table.add_row("all", "", "", "", f"{fits:,}", f"{exam:,}", "", "", f"{minutes / workers / 60:.1f}")
    return table


def _of_model(model: Record, unit: str) -> list[str]:
    best, untuned = model["best"], model["untuned"]
    trials = f"{model['finished']} trials finished" + (f", {model['pruned']} given up" if model["pruned"] else "")
    if not model["finished"]:
        return [f"Tuning {model['name']}: no trial was done in time."]
    if best is None or best["rmse"] is None:
        return [f"Tuning {model['name']} found nothing: {trials}, and no forecast of any was a number on all days."]
    if untuned is None or untuned["rmse"] is None:
        return [
            f"Tuning {model['name']} ({trials}): best is {_settings(best)}, RMSE {best['rmse']:.3f}{unit} on the folds."
        ]
    if untuned["rmse"] - best["rmse"] < NOTHING * untuned["rmse"]:
        return [
            f"Tuning {model['name']} ({trials}) found nothing better than {untuned['entry']} to speak of: RMSE "
            f"{untuned['rmse']:.3f}{unit} on the folds."
        ]
    said = [
        f"Tuning {model['name']} ({trials}) lowered its RMSE on the folds from {untuned['rmse']:.3f} "
        f"({untuned['entry']}) to {best['rmse']:.3f}{unit}, with {_settings(best)}."
    ]
    if model["gain"]:
        said.append(pair_sentence(model["gain"], unit))
    if model["importance"]:
        named = [f"{name} ({share:.0%})" for name, share in list(model["importance"].items())[:3] if share >= 0.05]
        said.append(f"What mattered among the settings of {model['name']}: {', '.join(named)}.")
    return said


def _settings(trial: Record | None) -> str:
    """What was changed, as one would write it.

    >>> _settings({"changed": {"units": 7, "dropout": 0.1}, "settings": {"lookback": 3}})
    'units=7, dropout=0.1, lookback=3'
    """
    if trial is None:
        return ""
    shown = [f"{name}={value}" for name, value in trial["changed"].items()]
    if not shown:
        return "as it was"
    if "lookback" in trial["settings"]:
        shown.append(f"lookback={trial['settings']['lookback']}")
    return ", ".join(shown)


def _show_rmse(trial: Record | None) -> str:
    if trial is None:
        return ""
    return show_mean([trial["rmse"]])


def _count(things: list[Any], name: str) -> str:
    return f"{len(things)} {name}{'s' if len(things) != 1 else ''}"


def _table(title: str, *names: str) -> Table:
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name in ("model", "settings") else "right", no_wrap=name != "settings")
    return table
