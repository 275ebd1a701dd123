"""The report: one HTML file, built from stored values by small pure functions that escape everything."""
