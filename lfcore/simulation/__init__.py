"""Synthetic data sets with known truth; their model shares the optics with the reconstruction, not the operator."""
