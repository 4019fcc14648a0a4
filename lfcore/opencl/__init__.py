"""OpenCL devices, and the programs that run on them; only ``lfcore.opencl.device`` is of use without pyopencl."""
