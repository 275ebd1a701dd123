"""The data doctor: what in a table can't be so, or is unlikely to be, found before anything is forecast."""
