"""Reading is strict, and what it accepts it reads right."""

import io
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight.cli.main import main
from backsight.errors import BacksightError, ColumnError, DataError, SettingError
from backsight.runs.saved import read_study
from backsight.series.columns import expand_globs
from backsight.series.doctor.diagnosis import audit
from backsight.series.frequency import find_step, grid_places, times_after
from backsight.series.from_frame import from_frame
from backsight.series.read import read_series
from backsight.series.series import Series

DAYS = pd.date_range("2020-02-25", periods=40, freq="D", name="time")


def write(path, frame, **options):
    frame.to_csv(path, index=False, **options)
    return path


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"when": DAYS, "a": rng.standard_normal(40), "b": np.arange(40)})


@pytest.mark.parametrize(
    ("form", "options", "reading"),
    [
        ("%Y-%m-%d", {}, {}),
        ("%Y%m%d", {}, {}),
        ("%Y/%m/%d", {}, {}),
        ("%Y-%m-%dT%H:%M:%SZ", {}, {}),
        ("%d.%m.%Y", {}, {"time_format": "%d.%m.%Y"}),
        ("%Y-%m-%d", {"sep": ";"}, {}),
        ("%Y-%m-%d", {"sep": "\t"}, {}),
        ("%Y-%m-%d", {"encoding": "utf-8-sig"}, {}),
        ("%Y-%m-%d", {"encoding": "utf-16"}, {"encoding": "utf-16"}),
        ("%Y-%m-%d", {"lineterminator": "\r\n"}, {}),
        ("%Y-%m-%d", {"quoting": 1}, {}),
    ],
)
def test_many_ways_to_write_one_series(frame, tmp_path, form, options, reading):
    text = frame.assign(when=frame["when"].dt.strftime(form))
    series = read_series(write(tmp_path / "s.csv", text, **options), time="when", **reading)
    assert (series.times == DAYS).all()
    np.testing.assert_array_equal(series.values, frame[["a", "b"]].to_numpy(float))


def test_a_column_of_dates_is_found_without_a_name(frame, tmp_path):
    assert (read_series(write(tmp_path / "s.csv", frame)).times == DAYS).all()


def test_parquet_equals_csv(frame, tmp_path):
    frame.to_parquet(tmp_path / "s.parquet")
    one, other = read_series(tmp_path / "s.parquet"), read_series(write(tmp_path / "s.csv", frame))
    np.testing.assert_array_equal(one.values, other.values)
    assert (one.times == other.times).all()


def test_summer_time_is_put_on_one_clock(tmp_path):
    """A day of 23 hours on the wall has 24 even steps in UTC."""
    hours = pd.date_range("2021-03-27", periods=72, freq="h", tz="Europe/Zurich")
    frame = pd.DataFrame({"time": hours.map(lambda t: t.isoformat()), "y": range(72)})
    assert find_step(read_series(write(tmp_path / "s.csv", frame)).times) == pd.Timedelta(hours=1)


def test_text_columns_are_named_and_left_out(frame, tmp_path):
    series = read_series(write(tmp_path / "s.csv", frame.assign(sky="grey")))
    assert series.left_out == ("sky",)
    with pytest.raises(ColumnError, match="holds text"):
        series.select(["sky"])


@pytest.mark.parametrize("choice", ["first", "last", "mean"])
def test_repeats_are_settled_as_asked(frame, choice):
    doubled = pd.concat([frame, frame.iloc[[10]].assign(a=100.0)]).sort_values("when", kind="stable")
    series = from_frame(doubled, time="when", on_duplicate=choice)
    first, last = frame["a"][10], 100.0
    assert series.column("a")[10] == {"first": first, "last": last, "mean": (first + last) / 2}[choice]
    assert len(series) == 40


def test_holes_are_filled_from_the_past_only(frame):
    holed = frame.drop(index=[5, 6]).astype({"b": float})
    holed.loc[20, "b"] = np.nan
    series = from_frame(holed, time="when", on_missing="ffill")
    assert len(series) == 40
    assert list(series.column("b")[[4, 5, 6, 7, 19, 20, 21]]) == [4, 4, 4, 7, 19, 19, 21]


def test_a_hole_at_the_start_has_no_past(frame):
    holed = frame.astype({"b": float})
    holed.loc[0, "b"] = np.nan
    with pytest.raises(DataError, match="begins with missing values"):
        from_frame(holed, time="when", on_missing="ffill")


@pytest.mark.parametrize("freq", ["D", "h", "15min", "W", "MS", "ME", "QS", "YS", "YE", "B", "2D", "7h"])
def test_every_usual_frequency_is_even(freq):
    times = pd.date_range("2019-01-01", periods=50, freq=freq, name="time")
    series = from_frame(pd.DataFrame({"y": np.arange(50.0)}, index=times))
    assert (series.times == times).all()
    ahead = pd.date_range("2019-01-01", periods=53, freq=freq)[-3:]
    assert (times_after(times, 3) == ahead).all()
    places, off = grid_places(times, find_step(times))
    assert (places == np.arange(50)).all()
    assert not off.any()
    with pytest.raises(DataError, match="1 missing step"):
        from_frame(pd.DataFrame({"y": np.arange(49.0)}, index=times.delete(30)))


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    with suppress(BacksightError):
        assert isinstance(read_series(path), Series)


cells = st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.just(""), st.just("2020-01-01"))


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_table_is_read_or_refused(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "table.csv"
    buffer = io.StringIO()
    pd.DataFrame(rows, columns=["date", "a", "b"], dtype=object).to_csv(buffer, index=False)
    path.write_bytes(buffer.getvalue().encode("utf-8", errors="replace"))
    with suppress(BacksightError):
        series = read_series(path)
        assert np.isfinite(series.values).all()
        assert (np.diff(series.times.asi8) > 0).all()


@given(st.lists(st.text("ab*?[]_", min_size=1, max_size=4), min_size=1, max_size=6, unique=True), st.data())
def test_every_column_fits_its_own_name_and_order_is_kept(columns, data):
    chosen = data.draw(st.lists(st.sampled_from(columns), min_size=1))
    fitting = expand_globs(chosen, columns)
    assert set(chosen) <= set(fitting)
    assert list(fitting) == [c for c in columns if c in fitting]


def test_rows_between_dates():
    series = Series("s", DAYS, np.zeros((40, 1)), ("y",))
    cut = series.between("2020-02-28", "2020-03-01")
    assert list(cut.times.strftime("%d")) == ["28", "29", "01"]
    assert len(series.head(3)) == 3


def test_only_what_is_asked_for_has_to_be_in_order(frame, tmp_path):
    spoilt = frame.astype({"b": object})
    spoilt.loc[3, "b"] = None
    path = write(tmp_path / "s.csv", spoilt)
    with pytest.raises(DataError, match="missing value"):
        read_series(path)
    assert read_series(path, columns=["a"]).columns == ("a",)
    assert len(read_series(path, first="2020-03-01")) == 35


def test_a_second_column_of_times_does_not_take_over(frame, tmp_path):
    path = write(tmp_path / "s.csv", frame.rename(columns={"when": "date"}).assign(day=range(40)))
    series = read_series(path)
    assert (series.times == DAYS).all()
    assert "day" in series.columns


def test_filled_targets_are_neither_learnt_from_nor_scored(frame):
    from backsight.runs.compare import compare

    holed = frame.astype({"b": float})
    holed.loc[[10, 34], "b"] = np.nan
    series = from_frame(holed, time="when", on_missing="ffill")
    assert series.filled_rows("b") == (10, 34)
    assert series.filled_rows("a") == ()
    found = compare(series, "b", models=["ridge"], lookback=[2], seeds=1, baselines=False)
    assert DAYS[34] not in set(found.forecasts["time"])
    assert found.fitted[0].train_windows == 32 - 2 - 1
    with pytest.raises(BacksightError, match="was observed"):
        holed.loc[30:, "b"] = np.nan
        compare(from_frame(holed, time="when", on_missing="ffill"), "b", models=["ridge"], lookback=[2])


def test_a_row_over_several_lines_is_named_by_its_first(tmp_path):
    (tmp_path / "s.csv").write_text('date,y,note\n2020-01-01,1,"a\nb"\n2020-01-02,x,c\n2020-01-03,3,d\n')
    with pytest.raises(DataError, match="Line 4, column 'y'"):
        read_series(tmp_path / "s.csv")


@pytest.mark.parametrize("days", [28, 30])
def test_even_steps_near_a_month_are_no_months(days):
    times = pd.date_range("2000-01-01", periods=50, freq=f"{days}D", name="time")
    assert find_step(from_frame(pd.DataFrame({"y": np.arange(50.0)}, index=times)).times) == pd.Timedelta(days=days)


def test_months_on_other_days_are_uneven():
    times = pd.DatetimeIndex(["2000-01-01", "2000-02-01", "2000-03-01", "2000-04-02", "2000-05-01", "2000-06-01"])
    with pytest.raises(DataError, match="uneven"):
        from_frame(pd.DataFrame({"y": np.arange(6.0)}, index=times))


def test_parquet_types_that_are_numbers(tmp_path):
    from decimal import Decimal

    frame = pd.DataFrame({"time": DAYS, "d": [Decimal(i) / 4 for i in range(40)], "b": [True, False] * 20})
    frame["n"] = pd.array(range(40), dtype="Int64")
    frame["span"] = pd.Timedelta(days=1)
    frame.to_parquet(tmp_path / "s.parquet")
    series = read_series(tmp_path / "s.parquet")
    assert series.columns == ("d", "b", "n")
    assert series.left_out == ("span",)
    assert series.values[2].tolist() == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("cells", "how"),
    [
        (["1234.5", "-0.25", "1e3", ""], {}),
        (["1234,5", "-0,25", "1e3", ""], {"decimal": ","}),
        (["1,234.5", "-.25", "1,000", "NA"], {"thousands": ","}),
        (["1.234,5", "-,25", "1.000", " "], {"decimal": ",", "thousands": "."}),
        (["1\u202f234,5", "-0,25", "1 000", "nan"], {"decimal": ",", "thousands": " "}),
        (["1'234.5", "-0.25", "1000", ""], {"thousands": "'"}),
    ],
)
def test_numbers_are_read_as_they_are_said_to_be_written(tmp_path, cells, how):
    file = tmp_path / "numbers.csv"
    file.write_text("day;y\n" + "".join(f"2020-01-0{i + 1};{cell}\n" for i, cell in enumerate(cells)))
    read = read_series(file, on_missing="ffill", **how)
    assert read.values[:, 0].tolist() == [1234.5, -0.25, 1000.0, 1000.0]
    assert audit(file, **how).table.numbers["y"].dropna().tolist() == [1234.5, -0.25, 1000.0]


@pytest.mark.parametrize(
    ("cell", "how"),
    [
        ("1.99", {"decimal": ","}),
        ("1.234", {"decimal": ","}),
        ("12,34", {"thousands": ","}),
        ("1,2345", {"thousands": ","}),
        ("1234,567", {"thousands": ","}),
        ("1,234,5", {"decimal": ","}),
        ("1.234.5", {"decimal": ",", "thousands": "."}),
    ],
)
def test_no_number_is_read_in_two_ways(tmp_path, cell, how):
    file = tmp_path / "numbers.csv"
    file.write_text(f"day;y\n2020-01-01;1\n2020-01-02;{cell}\n2020-01-03;3\n")
    with pytest.raises(DataError, match=r"Line 3, column 'y'.* is not a number\. Mend the cell as --"):
        read_series(file, **how)


@pytest.mark.parametrize(
    "how",
    [{"decimal": ";"}, {"thousands": "."}, {"decimal": ",", "thousands": ","}, {"thousands": "0"}, {"thousands": ""}],
)
def test_signs_that_can_not_be_are_refused(tmp_path, how):
    with pytest.raises(SettingError, match=r"--decimal|--thousands"):
        read_series(tmp_path / "none.csv", **how)


def test_the_command_line_says_how_numbers_are_written_and_a_run_remembers(tmp_path):
    file = tmp_path / "german.csv"
    days = pd.date_range("2020-01-01", periods=60)
    lines = [f"{day:%Y-%m-%d};{1000 + i % 7:,}".replace(",", ".") + f",{i % 10}" for i, day in enumerate(days)]
    file.write_text("\n".join(["day;y", *lines]))
    asked = ["--target", "y", "--decimal", ",", "--thousands", "."]
    run = tmp_path / "run"
    assert main(["compare", str(file), *asked, "--models", "ridge", "--lookback", "2", "--out", str(run)]) == 0
    assert read_study(run).series.values[:3, 0].tolist() == [1000.0, 1001.1, 1002.2]
    assert main(["audit", str(file), *asked]) == 0
