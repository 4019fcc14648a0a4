// Where the pieces of a spectrum lie, as float4. A piece is what one channel has at (ky, kx) and (-ky, kx) (quad.cl).
//
// Slots: one for each group of frequencies (ky, kx) that shares a matrix, each ky beginning at an even one. On a square
// grid, kx <= ky, and a slot holds (ky, kx) of channel (a, c) as exchange 0 of the row of (a, c), and (kx, ky) of channel
// (c, a) as exchange 1 of the same row. Pieces of a row: [exchange][column].
// Sixteen rows (four quads) of all slots lie together, [row / 16][slot][row % 16], so that a work-group that visits one
// row of every slot stays within a few pages of memory. Products write so; they read two neighbouring slots interleaved,
// [row / 16][slot / 2][row % 16][piece][slot % 2], so that transforms write whole 32-byte sectors.
// Compile-time: SLOTS EXCHANGES, and HALF_X for grids that are not square.

inline int slot_of(int ky, int kx) {
#if EXCHANGES == 2
    return 2 * ((ky + 1) / 2) * (ky / 2 + 1) + kx;
#else
    return (HALF_X + 1) / 2 * 2 * ky + kx;
#endif
}

inline size_t product_writes(int slot, int row, int piece, int pieces) {
    return (((size_t)(row / 16) * SLOTS + slot) * 16 + row % 16) * pieces + piece;
}

inline size_t product_reads(int slot, int row, int piece, int pieces) {
    return ((((size_t)(row / 16) * (SLOTS / 2) + slot / 2) * 16 + row % 16) * pieces + piece) * 2 + slot % 2;
}
