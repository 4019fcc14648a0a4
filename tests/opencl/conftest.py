"""The processor as an OpenCL device: what every OpenCL test runs on."""

import pytest

from lfcore.opencl.device import Device, absence, candidates


@pytest.fixture(scope="session")
def cpu_device() -> Device:
    """The PoCL device of this machine; CI refuses the skip."""
    for device, refused in candidates():
        if device.platform == "Portable Computing Language" and refused is None:
            return device
    pytest.skip(f"no usable PoCL device (Debian: apt-get install pocl-opencl-icd): {absence() or candidates()}")
