"""Solvers: from a measured light field to a volume, through the projector's protocol alone."""
