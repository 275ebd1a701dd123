"""Reading is strict, and what it accepts it reads right."""

import io
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight.errors import BacksightError, ColumnError, DataError
from backsight.series.columns import expand_globs
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
