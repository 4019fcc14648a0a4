// The batched real matrix products of the operator, portable: one group of frequencies a slice of the launch.
//
//     out[m] = sum over k of M[m, k] in[k]      FORWARD 1: m image rows, k volume rows;  FORWARD 0: the transpose
//
// Matrices: [group][volume quad][image quad][4][4] (volume slot, image slot), float or half times MATRIX_SCALE.
// Spectra: spectrum.cl, rows = 4 * quads. ``slots``[group]: the slot of a group of frequencies.
// Compile-time: FORWARD HALF_MATRICES MATRIX_SCALE VOLUME_QUADS IMAGE_QUADS EXCHANGES, and the tile of a work-group:
// TILE_PIECES x TILE_QUADS work-items, TILE_DEPTH quads of the sum at a time.
// Launch: (pieces up to TILE_PIECES, quads up to TILE_QUADS, groups).
// needs spectrum.cl quad.cl

#if FORWARD
#define OUT_QUADS IMAGE_QUADS
#define IN_QUADS VOLUME_QUADS
#else
#define OUT_QUADS VOLUME_QUADS
#define IN_QUADS IMAGE_QUADS
#endif
#define WORK_ITEMS (TILE_PIECES * TILE_QUADS)

#if HALF_MATRICES
typedef half Element;
inline float4 four(__global const Element *from) { return vload_half4(0, from); }
#else
typedef float Element;
inline float4 four(__global const Element *from) { return vload4(0, from); }
#endif

// Row s of the 4 x 4 block of (out quad, in quad) as stored: volume slot s, all image slots.
inline float4 block_row(__global const Element *matrix, int out_quad, int in_quad, int s) {
    const int volume = FORWARD ? in_quad : out_quad, image = FORWARD ? out_quad : in_quad;
    return four(matrix + ((size_t)volume * IMAGE_QUADS + image) * 16 + 4 * s);
}

inline void change_basis(float4 *v, int kind, int exchanged, int enter) {
    float2 plus[4], minus[4];
    for (int s = 0; s < 4; s++) plus[s] = v[s].xy, minus[s] = v[s].zw;
    if (enter) to_parity(plus, kind, exchanged, 0), to_parity(minus, kind, exchanged, 1);
    else from_parity(plus, kind, exchanged, 0), from_parity(minus, kind, exchanged, 1);
    for (int s = 0; s < 4; s++) v[s] = (float4)(plus[s], minus[s]);
}

inline void load_pieces(__local float4 *tile, __global const float4 *in, __global const uchar *kinds, int slot, int first_quad,
                        int first_piece, int pieces, int columns, int id) {
    for (int item = id; item < TILE_DEPTH * TILE_PIECES; item += WORK_ITEMS) {
        const int quad = first_quad + item / TILE_PIECES, piece = first_piece + item % TILE_PIECES;
        float4 v[4] = {(float4)(0.0f), (float4)(0.0f), (float4)(0.0f), (float4)(0.0f)};
        if (quad < IN_QUADS && piece < pieces) {
            for (int s = 0; s < 4; s++) v[s] = in[product_reads(slot, 4 * quad + s, piece, pieces)];
            change_basis(v, kinds[quad], piece >= columns, 1);
        }
        for (int s = 0; s < 4; s++) tile[4 * item + s] = v[s];
    }
}

inline void load_blocks(__local float4 *tile, __global const Element *matrix, int first_out, int first_in, int id) {
    for (int item = id; item < TILE_DEPTH * TILE_QUADS * 4; item += WORK_ITEMS) {
        const int s = item % 4, out_quad = first_out + item / 4 % TILE_QUADS, in_quad = first_in + item / 4 / TILE_QUADS;
        const int there = out_quad < OUT_QUADS && in_quad < IN_QUADS;
        tile[item] = there ? block_row(matrix, out_quad, in_quad, s) : (float4)(0.0f);
    }
}

inline void add_block(float4 *sum, __local const float4 *block, __local const float4 *in) {
    _Pragma("unroll") for (int s = 0; s < 4; s++) {
        const float4 m = block[s];
#if FORWARD
        const float4 v = in[s];
        sum[0] += m.x * v;
        sum[1] += m.y * v;
        sum[2] += m.z * v;
        sum[3] += m.w * v;
#else
        sum[s] += m.x * in[0] + m.y * in[1] + m.z * in[2] + m.w * in[3];
#endif
    }
}

__kernel __attribute__((reqd_work_group_size(TILE_PIECES, TILE_QUADS, 1))) void product(
    __global const Element *matrices, __global const float4 *in, __global float4 *out, __global const uchar *in_kinds,
    __global const uchar *out_kinds, __global const int *slots, const int columns) {
    __local float4 pieces_tile[TILE_DEPTH * TILE_PIECES * 4];
    __local float4 blocks_tile[TILE_DEPTH * TILE_QUADS * 4];
    const int x = get_local_id(0), y = get_local_id(1), id = y * TILE_PIECES + x, pieces = EXCHANGES * columns;
    const int first_piece = get_group_id(0) * TILE_PIECES, first_quad = get_group_id(1) * TILE_QUADS;
    const int slot = slots[get_group_id(2)];
    __global const Element *matrix = matrices + (size_t)get_group_id(2) * VOLUME_QUADS * IMAGE_QUADS * 16;
    float4 sum[4] = {(float4)(0.0f), (float4)(0.0f), (float4)(0.0f), (float4)(0.0f)};
    for (int first = 0; first < IN_QUADS; first += TILE_DEPTH) {
        load_pieces(pieces_tile, in, in_kinds, slot, first, first_piece, pieces, columns, id);
        load_blocks(blocks_tile, matrix, first_quad, first, id);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int d = 0; d < TILE_DEPTH; d++)
            add_block(sum, blocks_tile + (d * TILE_QUADS + y) * 4, pieces_tile + (d * TILE_PIECES + x) * 4);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const int quad = first_quad + y, piece = first_piece + x;
    if (quad >= OUT_QUADS || piece >= pieces) return;
    for (int s = 0; s < 4; s++) sum[s] *= 1.0f / MATRIX_SCALE;
    change_basis(sum, out_kinds[quad], piece >= columns, 0);
    for (int s = 0; s < 4; s++) out[product_writes(slot, 4 * quad + s, piece, pieces)] = sum[s];
}
