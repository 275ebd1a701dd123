"""The leak audit as users meet it, and what a random split would have claimed."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import backsight
from backsight.cli.main import main
from backsight.errors import ColumnError
from backsight.evaluation.leaks import make_case
from backsight.evaluation.shuffled import Claim, claim_sentences, deal, random_split_claim
from backsight.evaluation.significance import paired_test
from backsight.series.generated import random_walk, white_noise
from backsight.training.plan import Plan

#: A network that centres its windows over those it is asked for with them.
CENTRING = """
import keras

@keras.saving.register_keras_serializable()
class Centring(keras.layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)

def build(shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(Centring()(inputs))))
"""


def test_a_clean_model_is_told_law_by_law(capsys):
    assert main(["audit", "ridge(penalty=10)", "seattle", "--lookback", "3", "--horizon", "2"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Every value after the last training row (2015-03-13) was replaced by NaN: training windows" in said
    times = backsight.load("seattle").times
    split = backsight.split_by_fractions(len(times))
    origins = re.findall(r"Every value after ([-\d]+) was replaced, by NaN and by other numbers", said)
    rows = [times.get_loc(origin) for origin in origins]
    assert [row in split.validation for row in rows] == [False, True, True, False, False]
    assert [row in split.test for row in rows] == [False, False, False, True, True]
    assert rows[0] == split.train[-1]
    assert said.endswith("ridge(penalty=10.0) read nothing it must not: no difference in 12 trials, to the last bit.")
    assert "LEAK" not in said


def test_a_leaking_network_of_the_users_own_ends_with_1(tmp_path, monkeypatch, capsys):
    (tmp_path / "centring_model.py").write_text(CENTRING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["audit", "centring_model:build", "seattle", "--lookback", "2", "--json", "out.json"]) == 1
    assert "neighbours: " in capsys.readouterr().out
    record = json.loads((tmp_path / "out.json").read_text())
    leaks = {trial["law"] for trial in record["trials"] if trial["leak"]}
    assert "neighbours" in leaks
    assert record["leaks"] == sum(bool(trial["leak"]) for trial in record["trials"])


def test_filled_rows_and_features_of_the_users_choice_are_audited_too():
    frame = backsight.load("seattle")
    audited = backsight.audit_model(
        "trees", frame.head(400), "temp_max", features=["temp_*"], lookback=2, calendar=True
    )
    assert audited.leaks == ()
    assert audited.model == "trees"
    with pytest.raises(ColumnError):
        backsight.audit_model("ridge", frame, "temp")


def test_random_splits_hold_every_test_window_once_and_parts_as_large_as_in_time_order():
    case = make_case("ridge", random_walk(300, 0), "y", lookback=5)
    learn, check, test = (part.origins for part in case.clean)
    hands = deal(case)
    assert np.array_equal(np.sort(np.concatenate([hand.test for hand in hands])), test)
    for hand in hands:
        assert (len(hand.train), len(hand.validation)) == (len(learn), len(check))
        together = np.concatenate([hand.train, hand.validation, hand.test])
        assert len(np.unique(together)) == len(together)
        assert np.isin(together, np.concatenate([learn, check, test])).all()
        # Most test windows have a neighbour, one step off, in training: that is the leak.
        assert np.isin(hand.test[:, None] + [-1, 1], hand.train).any(axis=1).mean() > 0.8


def test_what_a_random_split_claims_of_trees_on_a_random_walk():
    """Trees can't leave the levels they have seen; the walk does in time order, and seldom once it is shuffled."""
    walk = random_walk(1000, 0)
    claim = random_split_claim(make_case("trees", walk, "y", lookback=7), Plan())
    assert claim.persistence == pytest.approx(np.sqrt(np.mean(np.diff(walk.column("y")[-101:]) ** 2)))
    assert 2 * claim.random < claim.ordered
    said = claim_sentences(claim, "km")
    assert f"would have claimed an RMSE of {claim.random:.2f} km; in time order it is {claim.ordered:.2f} km" in said[0]
    # A walk that has left stays away: a hundred steps of it are worth too few independent ones for a test.
    assert "too few independent" in said[1]
    assert claim.record()["differ"] is False


def test_a_difference_is_announced_if_a_paired_test_sees_one():
    rng = np.random.default_rng(0)
    losses = pd.DataFrame({"random": rng.random(300), "ordered": rng.random(300) + 0.5})
    paired = paired_test(losses, "random", "ordered")
    said = claim_sentences(Claim(1.0, 1.25, 2.0, paired), "km")
    assert said[1] == "Shuffling hides an error that is 25% larger than what it shows (Diebold-Mariano, p < 0.001)."


@pytest.mark.parametrize("seed", range(3))
def test_where_nothing_can_be_learnt_by_heart_no_difference_is_announced(seed):
    claim = random_split_claim(make_case("ridge", white_noise(1000, seed), "y", lookback=3), Plan())
    assert not claim.paired.differ
    assert "no difference one can be sure of" in claim_sentences(claim)[1]


def test_too_few_windows_are_no_evidence():
    claim = random_split_claim(make_case("ridge", random_walk(200, 0), "y", lookback=3, horizon=10), Plan())
    assert "too few" in claim_sentences(claim)[1]


def test_demonstration_on_the_command_line(capsys):
    asked = ["audit", "ridge", "seattle", "--lookback", "3", "--demonstrate", "--json", "-"]
    assert main(asked) == 0
    out = capsys.readouterr()
    claim = json.loads(out.out)["random_split"]
    assert claim["paired"]["difference"] == pytest.approx(claim["random"] - claim["ordered"])
    assert "Random splitting would have claimed" in " ".join(out.err.split())
