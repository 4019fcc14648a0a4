"""Runs on AWS Batch without Airflow: submitted, watched, stopped and resumed from the command line."""
