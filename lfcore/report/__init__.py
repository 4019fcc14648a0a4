"""The report: pictures and one self-contained page. Reads and writes no files."""
