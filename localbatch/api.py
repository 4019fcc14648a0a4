"""HTTP: which request is which operation, and how answers and errors are written.

A web page must not be able to start processes through this server, so requests need the header of an AWS signature
(which a browser does not send to another origin) and must be addressed to the server by its name. The signature itself
is not checked: whoever can open a connection may run jobs.
"""

import json
import logging
import uuid
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from localbatch.batch_operations import BatchOperations
from localbatch.errors import ApiError, SerializationError, UnknownOperationError, UnsignedRequestError
from localbatch.log_operations import LogOperations

LOG = logging.getLogger(__name__)
LOCAL_HOST = "127.0.0.1"
LOCAL_NAMES = {LOCAL_HOST, "localhost"}
MAXIMUM_BODY_BYTES = 1024 * 1024
IDLE_CONNECTION_S = 120
LOGS_TARGET = "Logs_20140328."

Operation = Callable[[Mapping[str, Any]], dict[str, Any]]


def routes(batch: BatchOperations, logs: LogOperations) -> dict[str, Operation]:
    """Every operation by the name under which a request asks for it: a path, or CloudWatch's target."""
    return {
        "/v1/submitjob": batch.submit_job,
        "/v1/describejobs": batch.describe_jobs,
        "/v1/listjobs": batch.list_jobs,
        "/v1/terminatejob": batch.terminate_job,
        "/v1/canceljob": batch.cancel_job,
        "/v1/registerjobdefinition": batch.register_job_definition,
        "/v1/deregisterjobdefinition": batch.deregister_job_definition,
        "/v1/describejobdefinitions": batch.describe_job_definitions,
        "/v1/describejobqueues": batch.describe_job_queues,
        LOGS_TARGET + "GetLogEvents": logs.get_log_events,
        LOGS_TARGET + "DescribeLogStreams": logs.describe_log_streams,
        LOGS_TARGET + "FilterLogEvents": logs.filter_log_events,
    }


class Server(ThreadingHTTPServer):
    """Listens on one address; a thread a connection."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self, host: str, port: int, operations: Mapping[str, Operation]) -> None:
        """``host`` is the name by which clients call, and whose address is listened on; ``port`` 0 takes any free one.

        Raises ``OSError`` where the port is taken, or the name has no address of this machine.
        """
        self.operations = operations
        self.names = LOCAL_NAMES | {host.lower()}
        super().__init__((host, port), Handler)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_CONNECTION_S
    server: Server

    def do_GET(self) -> None:
        """Answer the health check."""
        if self.path == "/health":
            self._answer(200, {"status": "ok"})
        else:
            self._refuse(UnknownOperationError(f"GET {self.path} is not provided by this server"))

    def do_POST(self) -> None:
        """Carry out an operation."""
        try:
            request = self._request()
            self._check_sender()
            self._answer(200, self._operation()(request))
        except ApiError as error:
            self._refuse(error)
        except (AttributeError, KeyError, TypeError) as error:
            # boto3 checks types before it sends; another client's odd types end here.
            LOG.exception("%s %s", self.path, self.headers.get("X-Amz-Target", ""))
            self._refuse(SerializationError(f"the request has not the form that AWS's model gives: {error!r}"))

    def _check_sender(self) -> None:
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host.lower() not in self.server.names:
            names = ", ".join(sorted(self.server.names))
            raise UnsignedRequestError(f"the request is addressed to '{host}'; this server answers to {names}")
        if not self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 "):
            raise UnsignedRequestError("Missing Authentication Token; any credentials will do")

    def _operation(self) -> Operation:
        name = self.headers.get("X-Amz-Target") or self.path
        if name not in self.server.operations:
            raise UnknownOperationError(f"{name} is not provided by this server")
        return self.server.operations[name]

    def _request(self) -> Mapping[str, Any]:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAXIMUM_BODY_BYTES:
            self.close_connection = True
            raise SerializationError(f"Content-Length '{length}' is not a number up to {MAXIMUM_BODY_BYTES}")
        try:
            request = json.loads(self.rfile.read(int(length)) or b"{}")
        except ValueError as error:
            raise SerializationError(f"the body is not valid JSON: {error}") from error
        if not isinstance(request, dict):
            raise SerializationError("the body is not a JSON object")
        return request

    def _refuse(self, error: ApiError) -> None:
        self._answer(error.status, {"__type": error.code, "message": str(error)}, error.code)

    def _answer(self, status: int, content: Mapping[str, Any], error: str | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        if error is not None:
            self.send_header("x-amzn-errortype", error)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep requests out of the log, except when debugging: pollers make many."""
        LOG.debug(format, *arguments)
