"""From a white frame to the lattice of lenslets, and from camera frames to whole pixels per lenslet."""
