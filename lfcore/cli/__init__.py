"""The command line: thin, and importing a verb's code only when the verb runs."""
