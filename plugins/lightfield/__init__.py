"""What the light field DAGs are made of: parameters, fan-out and the operator that runs a stage.

Airflow's scheduler imports all of it, so nothing heavy is imported here.
"""
