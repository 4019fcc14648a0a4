"""The linear operator between a volume and a rectified light field, and its transpose."""
