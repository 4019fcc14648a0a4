"""Errors that a user meets: one line each, saying what is wrong, where, and what to do.

Each class carries the process exit code that a scheduler acts on (see ``docs/contracts.md``):
retrying cannot help with 65 and 78, and helps with 75.
"""

import errno
from typing import ClassVar

EXIT_DONE = 0
EXIT_USAGE = 2
EXIT_BAD_DATA = 65
EXIT_UNAVAILABLE = 69
EXIT_TEMPORARY = 75
EXIT_BAD_SETTINGS = 78

DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The numbers of the operating system's errors that mean: no room for this file."""


class LfcoreError(Exception):
    """Base of every error that is reported to the user as one line."""

    exit_code: ClassVar[int] = EXIT_BAD_DATA


class UsageError(LfcoreError):
    """The command line itself is wrong."""

    exit_code = EXIT_USAGE


class DataError(LfcoreError, ValueError):
    """Input data cannot be used; retrying cannot help."""

    exit_code = EXIT_BAD_DATA


class CalibrationError(DataError):
    """The microlens lattice cannot be found in the calibration image."""


class SettingsError(LfcoreError, ValueError):
    """A setting is unknown, out of range or in contradiction with another one."""

    exit_code = EXIT_BAD_SETTINGS


class UnavailableError(LfcoreError, RuntimeError):
    """A device or service that was demanded is not there."""

    exit_code = EXIT_UNAVAILABLE


class KernelBuildError(UnavailableError):
    """A device's compiler refuses a kernel."""


class DeviceMemoryError(UnavailableError):
    """A device has too little free memory for a plan; a smaller one may fit."""


class TemporaryError(LfcoreError, OSError):
    """Something passing: a full disk, a lost connection, an interruption. Retrying helps."""

    exit_code = EXIT_TEMPORARY
