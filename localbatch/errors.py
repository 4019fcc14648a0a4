"""Errors as AWS sends them: an HTTP status, a code that boto3 raises, and a message."""

from typing import ClassVar


class ApiError(Exception):
    """Base of everything that is answered with an error document."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "ClientException"


class BatchClientError(ApiError):
    """The request cannot be carried out as it stands; AWS Batch calls this ``ClientException``."""

    def __init__(self, problem: str) -> None:
        """``problem`` is wrapped in the sentence with which AWS Batch begins its own."""
        super().__init__(f"Error executing request, Exception : {problem}")


class SerializationError(ApiError):
    """The body is not the JSON that was announced."""

    code = "SerializationException"


class UnsignedRequestError(ApiError):
    """The request carries no AWS signature, or was addressed to another host."""

    status = 403
    code = "MissingAuthenticationTokenException"


class UnknownOperationError(ApiError):
    """No such operation here."""

    status = 404
    code = "UnknownOperationException"


class ResourceNotFoundError(ApiError):
    """A log group or log stream that does not exist."""

    code = "ResourceNotFoundException"


class InvalidParameterError(ApiError):
    """A parameter of a CloudWatch Logs request is wrong."""

    code = "InvalidParameterException"


class ConfigurationError(Exception):
    """The configuration file or the state folder cannot be used; one line for the terminal."""
