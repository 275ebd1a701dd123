"""Floor 5: one small file a recipe family; `registry` is the one table of them all."""
