"""The page's application: its routes behind its gate."""

from fastapi import FastAPI

from lightfield_page import interface, pages
from lightfield_page.access import Gate
from lightfield_page.answers import explain_errors
from lightfield_page.asked import Tools
from lightfield_page.mount import Application


def create_page() -> Application:
    """The page as Airflow mounts it."""
    return Gate(create_routes())


def create_routes() -> FastAPI:
    """The routes, without the gate; they hold neither documentation nor a schema."""
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    application.state.tools = Tools()
    explain_errors(application)
    application.include_router(pages.router)
    application.include_router(interface.router)
    return application
