"""Typed errors: what a request can be refused with, why a version is refused, and why the server cannot start."""

from __future__ import annotations

from enum import Enum

EXIT_PASS = 0
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3


class Code(Enum):
    """TensorFlow's status codes as (number in gRPC, HTTP status that TensorFlow Serving gives it)."""

    OK = (0, 200)
    UNKNOWN = (2, 500)
    INVALID_ARGUMENT = (3, 400)
    DEADLINE_EXCEEDED = (4, 504)
    NOT_FOUND = (5, 404)
    RESOURCE_EXHAUSTED = (8, 429)
    FAILED_PRECONDITION = (9, 400)
    UNIMPLEMENTED = (12, 501)
    INTERNAL = (13, 500)
    UNAVAILABLE = (14, 503)
    DATA_LOSS = (15, 500)
    UNAUTHENTICATED = (16, 401)

    @property
    def number(self) -> int:
        return self.value[0]

    @property
    def http(self) -> int:
        return self.value[1]


class ServingError(Exception):
    """A request, or a version, that is refused.

    Attributes:
        code: the status code.
        message: the text that clients see.
    """

    code = Code.INTERNAL

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        """As TensorFlow prints a status inside another one's text."""
        return f"{self.code.name}: {self.message}"


class InvalidArgument(ServingError):
    """The request is malformed, or does not fit the signature."""

    code = Code.INVALID_ARGUMENT


class VersionOverflow(InvalidArgument):
    """A version number beyond int64: TensorFlow Serving answers 400 with an empty body."""


class NotFound(ServingError):
    """No such model, or no such version."""

    code = Code.NOT_FOUND


class ResourceExhausted(ServingError):
    """More requests than the server keeps waiting."""

    code = Code.RESOURCE_EXHAUSTED


class DeadlineExceeded(ServingError):
    """The request waited for longer than it may."""

    code = Code.DEADLINE_EXCEEDED


class FailedPrecondition(ServingError):
    """The server is not in a state for this."""

    code = Code.FAILED_PRECONDITION


class Unknown(ServingError):
    """TensorFlow Serving has no better code for it: models of a new configuration that did not load."""

    code = Code.UNKNOWN


class Unauthenticated(ServingError):
    """The request carries no token, or a wrong one."""

    code = Code.UNAUTHENTICATED


class Unimplemented(ServingError):
    """TensorFlow Serving cannot do it either."""

    code = Code.UNIMPLEMENTED


class Internal(ServingError):
    """A fault of the server or of a model."""

    code = Code.INTERNAL


class Refused(ServingError):
    """A version that must not take traffic: it does not answer like its certificate."""

    code = Code.FAILED_PRECONDITION


class Damaged(Refused):
    """A version whose files are not those of its manifest."""

    code = Code.DATA_LOSS


class EngineUnavailable(Refused):
    """The package of an engine is not installed."""


class StartFault(Exception):
    """The server cannot start.

    Attributes:
        what: one sentence; `fix`: what to do about it.
        exit_code: 2 for usage, 3 for the environment.
    """

    exit_code = EXIT_USAGE

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what} {fix}")
        self.what = what
        self.fix = fix


class EnvironmentFault(StartFault):
    """Something outside is in the way, such as a port in use."""

    exit_code = EXIT_ENVIRONMENT
