"""Wave optics of a light field microscope: from a point in the medium to camera pixels."""
