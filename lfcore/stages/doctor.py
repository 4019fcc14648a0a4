"""Doctor: what this machine has for the work, found by trying."""

import importlib.metadata
import importlib.util
import os
import platform
import tempfile
import uuid
from dataclasses import asdict
from typing import Any

import lfcore
from lfcore.errors import LfcoreError
from lfcore.io import store
from lfcore.opencl.device import absence, automatic, candidates

LIBRARIES = ("numpy", "scipy", "tifffile", "imagecodecs", "zarr", "pydantic", "s3fs", "pyopencl")


def examine_machine(storage: str | None = None) -> dict[str, Any]:
    """Versions, processors, BLAS, OpenCL, AWS, and a write test of ``storage`` (default: the temporary folder)."""
    return {
        "lfcore": lfcore.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "linear_algebra": linear_algebra(),
        "opencl": opencl(),
        "storage": try_storage(storage or tempfile.gettempdir()),
        "aws": aws_credentials(),
    }


def linear_algebra() -> list[str]:
    """The BLAS libraries that numpy and scipy use, with their numbers of threads."""
    import numpy  # noqa: F401  # loads the library that is to be found
    from threadpoolctl import threadpool_info

    return [f"{pool['internal_api']} {pool['version']}, {pool['num_threads']} threads" for pool in threadpool_info()]


def opencl() -> dict[str, Any]:
    """Every OpenCL device, each tried by building and running a kernel, and the one that ``--device auto`` picks."""
    devices = [{**asdict(device), "refused": refused} for device, refused in candidates()]
    return {"devices": devices, "auto": [device.selector for device in automatic()], "note": absence()}


def try_storage(folder: str) -> dict[str, Any]:
    """Write, read and delete a small file in ``folder``."""
    path = f"{folder.rstrip('/')}/lfcore-doctor-{uuid.uuid4().hex}"
    try:
        store.write_bytes(path, b"lfcore")
        usable = store.read_bytes(path) == b"lfcore"
        store.delete(path)
    except LfcoreError as error:
        return {"path": folder, "usable": False, "note": str(error)}
    return {"path": folder, "usable": usable, "note": "written, read and deleted"}


def aws_credentials() -> dict[str, Any]:
    """Whether credentials for AWS are at hand, and by which way; their values are never shown."""
    if importlib.util.find_spec("botocore") is None:
        return {"credentials": False, "note": "botocore is not installed; install lfcore[s3] for s3:// paths"}
    from botocore.session import Session

    session = Session(session_vars={"metadata_service_timeout": (None, None, 1, int)})
    credentials = session.get_credentials()
    if credentials is None:
        return {"credentials": False, "note": "none found; local paths need none"}
    region = session.get_config_variable("region")
    return {"credentials": True, "note": f"found by {credentials.method}, region {region}"}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
