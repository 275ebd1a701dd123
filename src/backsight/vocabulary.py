"""The array shapes, named once.

A step is one row of a series. A window is `lookback` consecutive steps that end at its origin; its
outputs are the `horizon` steps after the origin.

| name | shape | type | unit |
|---|---|---|---|
| `Inputs` | (windows, lookback, features) | float32 | scaled |
| `Outputs` | (windows, horizon) | float64 | the target's |
| `Band` | two of them: lower and upper end | float64 | the target's |
| `Steps` | (steps, features) | float32 | scaled |
| `Targets` | (steps,) | float64 | the target's |
| `Origins` | (windows,) | int32 | row numbers |
"""

import numpy as np
from numpy.typing import NDArray

Inputs = NDArray[np.float32]
Outputs = NDArray[np.float64]
Band = tuple[Outputs, Outputs]
Steps = NDArray[np.float32]
Targets = NDArray[np.float64]
Origins = NDArray[np.int32]
