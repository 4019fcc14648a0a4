"""OpenCL C sources, addressed by file name; ``lfcore.opencl.program`` builds them."""
