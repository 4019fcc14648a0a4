"""What the Airflow UI gets from this project. Every Airflow process imports this file, so it imports nothing heavy."""

from airflow.plugins_manager import AirflowPlugin

from lightfield.links import JobLogLink, PageLink, ReportLink
from lightfield.refusals import RefuseBadRequests
from lightfield_page.mount import MakePageEarly, PageOnDemand

PAGE = PageOnDemand()


class LightfieldPlugin(AirflowPlugin):
    """Registers the page, the links on tasks and the check of requests."""

    name = "lightfield"
    operator_extra_links = [PageLink(), ReportLink(), JobLogLink()]  # noqa: RUF012 - as below
    fastapi_root_middlewares = [  # noqa: RUF012 - an instance variable to Airflow, which makes one instance
        {"middleware": RefuseBadRequests, "name": "requests of light field runs"},
        {"middleware": MakePageEarly, "kwargs": {"page": PAGE}, "name": "early start of the light field page"},
    ]
    fastapi_apps = [  # noqa: RUF012 - as above
        {"app": PAGE, "url_prefix": "/lightfield", "name": "Light field"},
    ]
    # Without a slash in front, they also hold where Airflow is served below a path.
    external_views = [  # noqa: RUF012 - as above
        {"name": "Light field", "href": "lightfield/", "destination": "nav", "url_route": "lightfield"},
        {
            "name": "Light field",
            "href": "lightfield/run?dag_id={DAG_ID}&run_id={RUN_ID}",
            "destination": "dag_run",
            "url_route": "lightfield-run",
        },
    ]
