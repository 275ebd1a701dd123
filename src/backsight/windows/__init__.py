"""Floor 2: what a forecaster may see."""
