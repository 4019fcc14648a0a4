// The batched real matrix products of the operator on matrix units; same data and result as product.cl.
//
// A warp makes 8 quads of output rows (32 rows) for TILES_N * 8 numbers (two pieces each 8). A lane holds the 4 x 4 block
// of output quad g and input quad t, straight from memory: 32 bytes, whichever way the matrix is used. Input quads are
// brought to the parity basis on the way to local memory, in the order in which lanes read them: [step of 4 quads][n]
// [lane] float4 = the four slots of quad t in column g.
// Compile-time: FORWARD MATRIX_SCALE VOLUME_QUADS IMAGE_QUADS EXCHANGES, WARPS, TILES_N, DEPTH (steps between barriers).
// Launch: (splits of the pieces * 32 WARPS, splits of the output quads, groups).
// needs quad.cl matrix_units.cl

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
// Tiles whose steps are interleaved, lest a step wait for the one before it in the same sum.
#define TOGETHER (TILES_N % 4 == 0 ? 4 : TILES_N % 3 == 0 ? 3 : TILES_N % 2 == 0 ? 2 : 1)
#define ITEMS (DEPTH * 4 * PIECES_N)
#define THREADS (32 * WARPS)
#define LOADS ((ITEMS + THREADS - 1) / THREADS)

typedef struct {
    uint4 low, high;  // sixteen halves: volume slots 0 1, then 2 3, four image slots each
} Block;

inline float2 two_halves(uint bits) {
#if PTX
    float2 value;
    __asm__("{.reg .f16 low, high; mov.b32 {low, high}, %2; cvt.f32.f16 %0, low; cvt.f32.f16 %1, high;}"
            : "=f"(value.x), "=f"(value.y)
            : "r"(bits));
    return value;
#else
    return vload_half2(0, (const half *)&bits);
#endif
}

// m[i][k]: row i of the output quad, slot k of the input quad.
inline void unpack_block(Block block, float m[4][4]) {
    const uint bits[8] = {block.low.x, block.low.y, block.low.z, block.low.w,
                          block.high.x, block.high.y, block.high.z, block.high.w};
    _Pragma("unroll") for (int i = 0; i < 8; i++) {
        const float2 pair = two_halves(bits[i]);
        const int volume = i / 2, image = i % 2 * 2;
#if FORWARD
        m[image][volume] = pair.x, m[image + 1][volume] = pair.y;
#else
        m[volume][image] = pair.x, m[volume][image + 1] = pair.y;
#endif
    }
}

// Quad ``item`` % 4 of step ``item`` / (4 PIECES_N) of a round: neighbours write to neighbouring places.
inline void fetch(float4 *v, __global const float4 *in, int round, int item, int first_piece, int pieces) {
    const int quad = (round * DEPTH + item / (4 * PIECES_N)) * 4 + item % 4;
    const int piece = first_piece + item / 4 % PIECES_N;
    const int there = item < ITEMS && quad < IN_QUADS && piece < pieces;
    _Pragma("unroll") for (int s = 0; s < 4; s++)
        v[s] = there ? in[((size_t)4 * quad + s) * pieces + piece] : (float4)(0.0f);
}

inline void place(__local float4 *tile, float4 *v, __global const uchar *kinds, int round, int item, int first_piece,
                  int columns) {
    if (item >= ITEMS) return;
    const int step = item / (4 * PIECES_N), t = item % 4, piece = item / 4 % PIECES_N;
    const int quad = min((round * DEPTH + step) * 4 + t, IN_QUADS - 1);
    to_parity(v, kinds[quad], first_piece + piece >= columns);
    __local float4 *to = tile + (step * TILES_N + piece / 2) * 32 + piece % 2 * 16 + t;
    to[0] = (float4)(to_tf32(v[0].x), to_tf32(v[1].x), to_tf32(v[2].x), to_tf32(v[3].x));
    to[4] = (float4)(to_tf32(v[0].y), to_tf32(v[1].y), to_tf32(v[2].y), to_tf32(v[3].y));
    to[8] = (float4)(to_tf32(v[0].z), to_tf32(v[1].z), to_tf32(v[2].z), to_tf32(v[3].z));
    to[12] = (float4)(to_tf32(v[0].w), to_tf32(v[1].w), to_tf32(v[2].w), to_tf32(v[3].w));
}

inline void multiply_step(SCRATCH_ARGUMENT float sum[2][TILES_N][4], Block block, __local const float4 *tile) {
    float m[4][4];
    unpack_block(block, m);
    _Pragma("unroll") for (int first = 0; first < TILES_N; first += TOGETHER) {
        float4 in[TOGETHER];
        _Pragma("unroll") for (int n = 0; n < TOGETHER; n++) in[n] = tile[(first + n) * 32];
        _Pragma("unroll") for (int n = 0; n < TOGETHER; n++)
            _Pragma("unroll") for (int i = 0; i < 2; i++)
                multiply_add(sum[i][first + n], (float4)(m[2 * i][0], m[2 * i + 1][0], m[2 * i][1], m[2 * i + 1][1]),
                             in[n].xy);
        _Pragma("unroll") for (int n = 0; n < TOGETHER; n++)
            _Pragma("unroll") for (int i = 0; i < 2; i++)
                multiply_add(sum[i][first + n], (float4)(m[2 * i][2], m[2 * i + 1][2], m[2 * i][3], m[2 * i + 1][3]),
                             in[n].zw);
    }
}

inline void store(__global float2 *out, float sum[2][TILES_N][4], int kind, int quad, int t, int first_piece,
                  int pieces, int columns) {
    const int member = t % 2;
    for (int n = 0; n < TILES_N; n++) {
        const int piece = first_piece + 2 * n + t / 2;
        if (quad >= OUT_QUADS || piece >= pieces) continue;
        float4 v[4];
        _Pragma("unroll") for (int s = 0; s < 4; s++) {
            const float2 value = (float2)(sum[s / 2][n][s % 2 * 2], sum[s / 2][n][s % 2 * 2 + 1]) * (1.0f / MATRIX_SCALE);
            v[s] = member ? (float4)(0.0f, 0.0f, value) : (float4)(value, 0.0f, 0.0f);
        }
        from_parity(v, kind, piece >= columns);
        _Pragma("unroll") for (int s = 0; s < 4; s++)
            out[(((size_t)4 * quad + s) * pieces + piece) * 2 + member] = member ? v[s].zw : v[s].xy;
    }
}

__kernel __attribute__((reqd_work_group_size(THREADS, 1, 1))) void product(
    __global const uint4 *matrices, __global const float4 *in, __global float4 *out, __global const uchar *in_kinds,
    __global const uchar *out_kinds, const int columns) {
    __local float4 tiles[2][DEPTH * TILES_N * 32];
    SCRATCH
    const int id = get_local_id(0), lane = id % 32, t = lane % 4, pieces = EXCHANGES * columns;
    const int quad = (get_group_id(1) * WARPS + id / 32) * 8 + lane / 4, first_piece = get_group_id(0) * PIECES_N;
    const size_t group = get_global_id(2);
    matrices += group * VOLUME_QUADS * IMAGE_QUADS * 2 + (size_t)min(quad, OUT_QUADS - 1) * OUT_STRIDE;
    in += group * IN_QUADS * 4 * pieces;
    float sum[2][TILES_N][4] = {{{0.0f}}};
    float4 held[LOADS][4];
    Block next[DEPTH];
    _Pragma("unroll") for (int load = 0; load < LOADS; load++) {
        fetch(held[load], in, 0, id + load * THREADS, first_piece, pieces);
        place(tiles[0], held[load], in_kinds, 0, id + load * THREADS, first_piece, columns);
    }
    _Pragma("unroll") for (int step = 0; step < DEPTH; step++) {
        const size_t at = (size_t)(min(step, STEPS - 1) * 4 + t) * IN_STRIDE;
        next[step].low = matrices[at], next[step].high = matrices[at + 1];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int round = 0; round < ROUNDS; round++) {
        if (round + 1 < ROUNDS)
            _Pragma("unroll") for (int load = 0; load < LOADS; load++)
                fetch(held[load], in, round + 1, id + load * THREADS, first_piece, pieces);
        _Pragma("unroll") for (int step = 0; step < DEPTH; step++) {
            const Block block = next[step];
            const size_t at = (size_t)(min((round + 1) * DEPTH + step, STEPS - 1) * 4 + t) * IN_STRIDE;
            next[step].low = matrices[at], next[step].high = matrices[at + 1];
            if (round * DEPTH + step < STEPS)
                multiply_step(SCRATCH_GIVEN sum, block, tiles[round % 2] + step * TILES_N * 32 + lane);
        }
        if (round + 1 < ROUNDS)
            _Pragma("unroll") for (int load = 0; load < LOADS; load++)
                place(tiles[(round + 1) % 2], held[load], in_kinds, round + 1, id + load * THREADS, first_piece, columns);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    const int kind = out_kinds[min(quad, OUT_QUADS - 1)];
    store((__global float2 *)(out + group * OUT_QUADS * 4 * pieces), sum, kind, quad, t, first_piece, pieces, columns);
}
