"""What the Airflow UI gets from this project. Every Airflow process imports this file, so it imports nothing heavy."""

from airflow.plugins_manager import AirflowPlugin


class LightfieldPlugin(AirflowPlugin):
    """Registers the page, the links on tasks and the check of requests."""

    name = "lightfield"
