"""Floor 9: the command line. Parses, makes one library call, shows what came of it."""
