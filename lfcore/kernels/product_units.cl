// The batched real matrix products of the operator on matrix units; same data and result as product.cl.
//
// A warp makes 8 quads of output rows (32 rows) for TILES_N * 8 numbers (two pieces each 8). A lane holds the 4 x 4 block
// of output quad g and input quad t, straight from memory: 32 bytes, whichever way the matrix is used. Input quads are
// brought to the parity basis on the way to local memory, as halves and in the order in which lanes read them: [step of 4
// quads][n][lane] uint2 = the four slots of quad t in column g.
// ``peaks``[column]: no spectrum of the column exceeds it, so a power of two keeps all halves in range.
// Compile-time: FORWARD MATRIX_SCALE VOLUME_QUADS IMAGE_QUADS EXCHANGES, WARPS, TILES_N, DEPTH (steps between barriers).
// Launch: (splits of the pieces * 32 WARPS, splits of the output quads, groups).
// needs spectrum.cl quad.cl matrix_units.cl

#if FORWARD
#define OUT_QUADS IMAGE_QUADS
#define IN_QUADS VOLUME_QUADS
#define IN_STRIDE (IMAGE_QUADS * 2)
#define OUT_STRIDE 2
#else
#define OUT_QUADS VOLUME_QUADS
#define IN_QUADS IMAGE_QUADS
#define IN_STRIDE 2
#define OUT_STRIDE (IMAGE_QUADS * 2)
#endif
#define STEPS (IN_QUADS / 4)
#define ROUNDS ((STEPS + DEPTH - 1) / DEPTH)
#define PIECES_N (2 * TILES_N)
#define MEMBERS_N (2 * PIECES_N)
#define ITEMS (DEPTH * 4 * MEMBERS_N)
#define THREADS (32 * WARPS)
#define LOADS ((ITEMS + THREADS - 1) / THREADS)
#define LARGEST_HALF_LOG2 15

typedef struct {
    uint4 low, high;  // sixteen halves: volume slots 0 1, then 2 3, four image slots each
} Block;

// A quad on its way to local memory, one member of one piece.
typedef struct {
    float2 v[4];
    int kind;
} Quad;

// Where a work-item finds its quads, round after round. Rounds are ROUND_PIECES pieces apart.
typedef struct {
    __global const float2 *at;
    __global const uchar *kind;
    int left;  // rounds
} Source;

// Rows 2i and 2i + 1 of the output quad in the order of the matrix unit.
inline uint4 two_rows(Block block, int i) {
    const uint4 part = i ? block.high : block.low;
#if FORWARD
    const uint4 low = block.low, high = block.high;
    return i ? (uint4)(low_halves(low.y, low.w), high_halves(low.y, low.w), low_halves(high.y, high.w), high_halves(high.y, high.w))
             : (uint4)(low_halves(low.x, low.z), high_halves(low.x, low.z), low_halves(high.x, high.z), high_halves(high.x, high.z));
#else
    return (uint4)(part.x, part.z, part.y, part.w);
#endif
}

// 2^e with 2 peak 2^e within the range of halves; entering the parity basis at most doubles a number.
inline float scale_for(float peak) { return peak > 0.0f ? ldexp(1.0f, LARGEST_HALF_LOG2 - 2 - ilogb(peak)) : 1.0f; }

// Quad ``item`` % 4 of step ``item`` / (4 MEMBERS_N) of a round, one member: neighbours write to neighbouring places.
inline Source source_of(__global const float2 *in, __global const uchar *kinds, int slot, int item, int first_piece,
                        int pieces) {
    const int index = item / (4 * MEMBERS_N) * 4 + item % 4, member = first_piece * 2 + item / 4 % MEMBERS_N;
    Source source;
    source.at = in + product_reads(slot, 4 * index, member / 2, pieces) * 2 + member % 2;
    source.kind = kinds + index;
    source.left = item < ITEMS && member < 2 * pieces ? (IN_QUADS - index + 4 * DEPTH - 1) / (4 * DEPTH) : 0;
    return source;
}

inline void fetch(Quad *quad, Source *source, int pieces) {
    if (source->left <= 0) {
        _Pragma("unroll") for (int s = 0; s < 4; s++) quad->v[s] = (float2)(0.0f);
        return;
    }
    source->left -= 1;
    quad->kind = *source->kind;
    _Pragma("unroll") for (int s = 0; s < 4; s++) quad->v[s] = source->at[4 * s * pieces];
    source->kind += 4 * DEPTH;
    source->at += (size_t)(DEPTH * SLOTS / 2) * (uint)(64 * pieces);
}

inline void place(__local uint2 *tile, Quad *quad, __local const float *scales, int item, int first_piece, int columns) {
    if (item >= ITEMS) return;
    const int step = item / (4 * MEMBERS_N), t = item % 4, member = item / 4 % MEMBERS_N, piece = member / 2;
    to_parity(quad->v, quad->kind, first_piece + piece >= columns, member % 2);
    const float scale = scales[piece];
    _Pragma("unroll") for (int s = 0; s < 4; s++) quad->v[s] *= scale;
    __local uint2 *to = tile + (step * TILES_N + member / 4) * 32 + member % 4 * 8 + t;
    to[0] = (uint2)(two_halves(quad->v[0].x, quad->v[1].x), two_halves(quad->v[2].x, quad->v[3].x));
    to[4] = (uint2)(two_halves(quad->v[0].y, quad->v[1].y), two_halves(quad->v[2].y, quad->v[3].y));
}

// Puts what was fetched into ``tile`` and fetches for the round after.
inline void next_tile(__local uint2 *tile, Quad *held, Source *sources, __local const float *scales, int id,
                      int first_piece, int columns) {
    _Pragma("unroll") for (int load = 0; load < LOADS; load++) {
        place(tile, held + load, scales, id + load * THREADS, first_piece, columns);
        fetch(held + load, sources + load, EXCHANGES * columns);
    }
}

inline void multiply_step(SCRATCH_ARGUMENT float sum[2][TILES_N][4], Block block, __local const uint2 *tile) {
    const uint4 first = two_rows(block, 0), second = two_rows(block, 1);
    _Pragma("unroll") for (int n = 0; n < TILES_N; n++) {
        const uint2 in = tile[n * 32];
        multiply_add(sum[0][n], first, in);
        multiply_add(sum[1][n], second, in);
    }
}

inline void store(__global float2 *out, float sum[2][TILES_N][4], __local const float *scales, int kind, int slot, int quad, int t,
                  int first_piece, int pieces, int columns) {
    const int member = t % 2;
    for (int n = 0; n < TILES_N; n++) {
        const int piece = first_piece + 2 * n + t / 2;
        if (quad >= OUT_QUADS || piece >= pieces) continue;
        const float scale = 1.0f / (MATRIX_SCALE * scales[2 * n + t / 2]);
        float2 v[4];
        _Pragma("unroll") for (int s = 0; s < 4; s++)
            v[s] = (float2)(sum[s / 2][n][s % 2 * 2], sum[s / 2][n][s % 2 * 2 + 1]) * scale;
        from_parity(v, kind, piece >= columns, member);
        _Pragma("unroll") for (int s = 0; s < 4; s++)
            out[product_writes(slot, 4 * quad + s, piece, pieces) * 2 + member] = v[s];
    }
}

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void product(
    __global const uint4 *matrices, __global const float2 *in, __global float2 *out, __global const uchar *in_kinds,
    __global const uchar *out_kinds, __global const int *slots, const int columns, __global const float *peaks) {
    __local uint2 tiles[2][DEPTH * TILES_N * 32];
    __local float scales[PIECES_N];
    SCRATCH
    const int id = get_local_id(0), lane = id % 32, t = lane % 4, pieces = EXCHANGES * columns;
    const int quad = (get_group_id(1) * WARPS + id / 32) * 8 + lane / 4, first_piece = get_group_id(0) * PIECES_N;
    const size_t group = get_global_id(2);
    const int slot = slots[group];
    matrices += group * VOLUME_QUADS * IMAGE_QUADS * 2 + (size_t)min(quad, OUT_QUADS - 1) * OUT_STRIDE;
    for (int piece = id; piece < PIECES_N; piece += THREADS) scales[piece] = scale_for(peaks[(first_piece + piece) % columns]);
    float sum[2][TILES_N][4] = {{{0.0f}}};
    Quad held[LOADS];
    Source sources[LOADS];
    Block next[DEPTH];
    matrices += t * IN_STRIDE;
    barrier(CLK_LOCAL_MEM_FENCE);
    _Pragma("unroll") for (int load = 0; load < LOADS; load++) {
        sources[load] = source_of(in, in_kinds, slot, id + load * THREADS, first_piece, pieces);
        held[load].kind = 2;
        fetch(held + load, sources + load, pieces);
    }
    next_tile(tiles[0], held, sources, scales, id, first_piece, columns);
    _Pragma("unroll") for (int step = 0; step < DEPTH; step++) {
        const int ahead = min(step, STEPS - 1) * 4 * IN_STRIDE;
        next[step].low = matrices[ahead], next[step].high = matrices[ahead + 1];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int round = 0; round < ROUNDS; round++) {
        next_tile(tiles[(round + 1) % 2], held, sources, scales, id, first_piece, columns);
        _Pragma("unroll") for (int step = 0; step < DEPTH; step++) {
            const Block block = next[step];
            const int ahead = min((round + 1) * DEPTH + step, STEPS - 1) * 4 * IN_STRIDE;
            next[step].low = matrices[ahead], next[step].high = matrices[ahead + 1];
            if (round * DEPTH + step < STEPS)
                multiply_step(SCRATCH_GIVEN sum, block, tiles[round % 2] + step * TILES_N * 32 + lane);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const int kind = out_kinds[min(quad, OUT_QUADS - 1)];
    store(out, sum, scales, kind, slot, quad, t, first_piece, pieces, columns);
}
