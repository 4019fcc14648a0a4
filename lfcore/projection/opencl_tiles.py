"""Projections of fields that several tiles cover, some tiles at a time, so that only those have spectra in memory."""

from lfcore.projection.opencl_fields import Field, Fields, Side
from lfcore.projection.opencl_products import Products
from lfcore.projection.tiling import part_of


class TileStream:
    """``H`` and ``H^T`` from the values of a field to a kernel that takes what tiles give."""

    def __init__(self, fields: Fields, products: Products, tiles_at_a_time: int) -> None:
        self.fields, self.products = fields, products
        self.block = fields.tiling.block(tiles_at_a_time)
        self.blocks = fields.tiling.blocks(tiles_at_a_time)

    def run(self, source: Field, target: Side, step: str, *arguments: object) -> None:
        """Project ``source`` and start ``step`` (of the ``kernels``) on each block's product."""
        for first in self.blocks:
            self._project(first, source, target, step, *arguments)

    def _project(self, first: tuple[int, int], source: Field, target: Side, step: str, *arguments: object) -> None:
        fields, frames = self.fields, source.frames
        columns = frames * self.block[0] * self.block[1]
        reads, writes = (part_of(window, first, self.block) for window in (source.side.reads, target.writes))
        spectrum = fields.take_spectrum(source.side, columns)
        product = fields.take_product(target, columns)
        values = fields.values(source), spectrum.pieces, spectrum.peaks
        fields.step("field_spectrum", source.side, frames, reads, *values)
        self.products(target is fields.image, columns, spectrum.pieces, spectrum.peaks, product)
        fields.step(step, target, frames, writes, product, *arguments)
