"""Floor 6: forecasts rows, and everything that is computed from them."""
