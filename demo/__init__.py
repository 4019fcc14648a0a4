"""The launcher behind ``make demo`` and ``make up``: Airflow and a local Batch on this machine, on synthetic data."""
