"""Whoever imports backsight gets Keras on JAX, and whoever had another Keras is told so: each in a fresh process."""

import os
import subprocess
import sys

import pytest


def fresh(tmp_path, code, **environment):
    """What a fresh process says, in which nothing has chosen a backend but `environment` and the code."""
    # Keras's own file of settings would choose too, and is read from this folder.
    clean = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**clean, "KERAS_HOME": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_keras_after_backsight_is_on_jax(tmp_path):
    run = fresh(
        tmp_path,
        "import backsight, sys; assert 'keras' not in sys.modules; import keras; print(keras.backend.backend());"
        "x = keras.Input((3, 2)); m = keras.Model(x, backsight.recurrence.LSTM(4)(x)); print(m.count_params())",
    )
    assert run.stdout.split() == ["jax", "112"], run.stderr  # 4 gates of 4 x (2 + 4 + 1) weights


def test_a_backend_that_the_user_has_set_stays(tmp_path):
    run = fresh(tmp_path, "import backsight, keras; print(keras.backend.backend())", KERAS_BACKEND="numpy")
    assert run.stdout.strip() == "numpy", run.stderr


@pytest.mark.parametrize(
    "use",
    [
        "backsight.recurrence.LSTM",
        "backsight.compare(backsight.load('seattle'), 'temp_max', models='gru', lookback=[2], baselines=False)",
    ],
)
def test_keras_on_another_backend_is_a_clear_error_where_it_is_used(tmp_path, use):
    run = fresh(
        tmp_path, f"import keras, backsight; backsight.load('seattle'); print('so far'); {use}", KERAS_BACKEND="numpy"
    )
    assert run.returncode == 1
    assert run.stdout.strip() == "so far"
    assert "SettingError: backsight trains on Keras's JAX backend" in run.stderr
    assert "'numpy'" in run.stderr
