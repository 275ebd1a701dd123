"""Floor 7: carrying out a comparison."""
