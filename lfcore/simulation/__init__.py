"""Synthetic data sets with known truth, by a model that shares the optics with the reconstruction but not the operator."""
