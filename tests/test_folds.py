"""Rolling folds: order, gaps, sizes and adjacency, for any numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backsight.errors import SettingError, WindowError
from backsight.windows.folds import folds_before_test, folds_of_split, rolling_folds
from backsight.windows.split import split_by_fractions

counts = st.integers(1, 40)


@st.composite
def settings(draw):
    """Numbers that fit, with at least one training row to spare for the first fold."""
    folds, validation, test, gap, spare = (
        draw(s) for s in (st.integers(1, 8), counts, counts, st.integers(0, 9), counts)
    )
    start = draw(st.integers(0, 20))
    rows = range(start, start + folds * test + 2 * gap + validation + spare)
    return rows, folds, {"validation": validation, "test": test, "gap": gap}


@given(settings(), st.sampled_from(["expanding", "sliding"]))
def test_parts_of_a_fold_follow_each_other_by_the_gap(given_, window):
    rows, folds, numbers = given_
    for fold in rolling_folds(rows, folds, window=window, **numbers):
        assert fold.gap == numbers["gap"]
        assert fold.validation.start - fold.train.stop == numbers["gap"]
        assert fold.test.start - fold.validation.stop == numbers["gap"]
        assert len(fold.validation) == numbers["validation"]
        assert set(fold.train) | set(fold.validation) | set(fold.test) <= set(rows)


@given(settings(), st.sampled_from(["expanding", "sliding"]))
def test_test_parts_lie_side_by_side_and_end_with_the_last_row(given_, window):
    rows, folds, numbers = given_
    found = rolling_folds(rows, folds, window=window, **numbers)
    tested = [row for fold in found for row in fold.test]
    assert len(found) == folds
    assert tested == list(rows)[-folds * numbers["test"] :]  # each row once, in order, up to the last


@given(settings())
def test_an_expanding_window_begins_with_the_first_row_and_grows_by_a_test_part(given_):
    rows, folds, numbers = given_
    found = rolling_folds(rows, folds, **numbers)
    assert {fold.train.start for fold in found} == {rows.start}
    assert {len(b.train) - len(a.train) for a, b in pairwise(found)} <= {numbers["test"]}


@given(settings(), st.data())
def test_a_sliding_window_keeps_its_size(given_, data):
    rows, folds, numbers = given_
    first = rolling_folds(rows, folds, **numbers)[0]
    size = data.draw(st.none() | st.integers(1, len(first.train)))
    found = rolling_folds(rows, folds, window="sliding", train=size, **numbers)
    assert {len(fold.train) for fold in found} == {size or len(first.train)}
    assert found[0].train.stop == first.train.stop


@given(settings())
def test_one_row_too_few_is_refused_and_the_message_says_how_many(given_):
    rows, folds, numbers = given_
    shortest = folds * numbers["test"] + 2 * numbers["gap"] + numbers["validation"] + 1
    start = rows.start
    assert len(rolling_folds(range(start, start + shortest), folds, **numbers)[0].train) == 1
    with pytest.raises(WindowError, match="1 rows shorter in all, or a longer series"):
        rolling_folds(range(start, start + shortest - 1), folds, **numbers)
    with pytest.raises(WindowError, match=r"it needs 50\. Take fewer folds, .* 49 rows shorter"):
        rolling_folds(range(start, start + shortest), folds, window="sliding", train=50, **numbers)


@given(st.integers(100, 2000), st.integers(1, 4), st.integers(0, 5))
def test_the_last_fold_of_a_split_is_the_split(steps, folds, gap):
    split = split_by_fractions(steps, gap=gap)
    assert folds_of_split(split, folds)[-1] == split


@given(st.integers(100, 2000), st.integers(1, 4), st.integers(0, 5))
def test_folds_to_choose_by_end_with_the_validation_part(steps, folds, gap):
    split = split_by_fractions(steps, gap=gap)
    found = folds_before_test(split, folds)
    assert found[-1].test == split.validation
    assert max(max(part) for fold in found for part in fold.parts.values()) < split.test.start


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"folds": 0}, "number of folds must be 1 or more; 0"),
        ({"validation": 0}, "number of validation rows must be 1 or more; 0"),
        ({"test": -3}, "number of test rows must be 1 or more; -3"),
        ({"gap": -1}, "0 or more; -1"),
        ({"train": 10}, "takes no number of training rows .* take a sliding window"),
        ({"train": 0, "window": "sliding"}, "number of training rows must be 1 or more; 0"),
        ({"rows": range(0, 100, 2)}, "side by side"),
        ({"rows": range(-1, 100)}, "side by side"),
    ],
)
def test_what_can_not_be_is_refused(changed, message):
    numbers = {"rows": range(100), "folds": 2, "validation": 10, "test": 10} | changed
    with pytest.raises(SettingError, match=message):
        rolling_folds(numbers.pop("rows"), numbers.pop("folds"), **numbers)
