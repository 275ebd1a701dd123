"""Figures as plain values, made once from stored results and drawn twice: with matplotlib and as HTML."""
