"""Light field microscopy: optics, calibration and 3-D reconstruction.

Importing this package loads nothing heavy; each module imports what it needs.
"""

__version__ = "0.1.0"
