"""The "Light field" page of the Airflow UI: runs, their progress and their volumes.

Only the api-server imports it, at the first request; it may use all of lfcore's stages and io.
"""
