"""Diagrams of networks, drawn for the shapes they really have."""
