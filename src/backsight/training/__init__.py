"""Floor 4: how a network is trained. Knows a `keras.Model` and windows, no recipe."""
