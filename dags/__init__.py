"""Declarations of the pipelines. A package, so that the linter of imports sees it."""
