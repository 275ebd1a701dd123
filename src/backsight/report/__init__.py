"""Floor 8: stored results to tables, sentences, plots and files; knows no model."""
