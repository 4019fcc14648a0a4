"""What the Airflow UI gets from this project. Every Airflow process imports this file, so it imports nothing heavy."""

from airflow.plugins_manager import AirflowPlugin

from lightfield.refusals import RefuseBadRequests


class LightfieldPlugin(AirflowPlugin):
    """Registers the page, the links on tasks and the check of requests."""

    name = "lightfield"
    fastapi_root_middlewares = [  # noqa: RUF012 - an instance variable to Airflow, which makes one instance
        {"middleware": RefuseBadRequests, "name": "requests of light field runs"},
    ]
