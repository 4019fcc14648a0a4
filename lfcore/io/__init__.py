"""File formats and storage: the only place that opens files."""
