"""Floor 3: convolutions over time, computed as matrix products."""
