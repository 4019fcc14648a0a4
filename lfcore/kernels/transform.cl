// Fourier transforms over the lenslet grid, one channel of one column (a frame, or a tile of one) a work-group.
//
//     X[ky, kx] = sum over y, x of v[y, x] exp(-2 pi i (ky y / LY + kx x / LX)),        v real
//
// The plane stays in local memory. Lenslet rows 2i and 2i + 1 are the real and imaginary part of one complex row; its
// transform Z gives both spectra, A = (Z[k] + conj Z[-k])/2 and B = (Z[k] - conj Z[-k])/2i, which take the places of Z[k]
// and Z[-k]. Each axis has two stages of radices L = L1 L2 (decimation in frequency forward, in time inverse), so that
// frequency k1 + L1 k2 stays at slot L2 k1 + k2 and nothing is sorted.
//
// A local row keeps X2 numbers every PITCH (odd, so that lanes that step by it meet different banks); two of the gaps
// hold what the odd rows have at frequencies 0 and LX / 2. ``column``[HALF_X]: x | place in even rows << 10 | in odd rows
// << 20, in the order of the places, so that neighbouring work-items read neighbouring banks.
// Compile-time: LY LX Y1 Y2 X1 X2 PITCH STRIDE (float2 a local row) WORK (work-items) EXCHANGES (2 on a square grid, else
// 1) SCALE (1/(LY LX)) STORES (visits to store a spectrum).
// Field: [frame][channel][row pair][x] float2 = lenslet rows (2i, 2i + 1); zero where there is no lenslet.
// needs radix.cl spectrum.cl

#define PAIRS (LY / 2)
#define HALF_Y (LY / 2 + 1)

typedef struct {
    int pairs, width;      // of the field: row pairs and lenslets a row
    int row0, row1, column0, column1;  // lenslets that exist
    int tiles_x, tiles;    // tiles a row, tiles a frame
    int step_y, step_x;    // from tile to tile, lenslets; step_y even
    int base_y, base_x;    // field position of the first tile's grid origin; base_y even
    int low_y, high_y, low_x, high_x;  // grid positions that are right after an inverse transform
} Window;

// Frequency x of column c, and its places: an odd lenslet row keeps x where an even one keeps -x.
#define COLUMN(C) const int packed = column_of[C], x = packed & 1023, even = packed >> 10 & 1023, odd = packed >> 20

// ``visits``: (slot * 2 + exchange, places of the piece's numbers in the plane: plus | minus << 16), see ``Tiling``.
inline void load_spectrum(__local float2 *plane, __global const float4 *spectrum, int2 row, int columns, int column,
                          __global const int2 *visits) {
    const int pieces = EXCHANGES * columns;
    const size_t first = product_writes(0, row.x, column, pieces);
    const size_t first_exchanged = product_writes(0, row.y, columns + column, pieces);
    for (int item = get_local_id(0); item < HALF_Y * HALF_X; item += WORK) {
        const int2 visit = visits[item];
        const int plus = visit.y & 0xffff, minus = (uint)visit.y >> 16;
        const size_t slot = (size_t)(uint)(visit.x >> 1) * (uint)(16 * pieces);
        const float4 piece = spectrum[(visit.x & 1 ? first_exchanged : first) + slot];
        plane[plus] = piece.xy;
        if (minus != plus) plane[minus] = piece.zw;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

inline void store_spectrum(__local const float2 *plane, __global float4 *spectrum, int2 row, int columns, int column,
                           __global const int2 *visits) {
    const int pieces = EXCHANGES * columns;
    const size_t first = product_reads(0, row.x, column, pieces);
    const size_t first_exchanged = product_reads(0, row.y, columns + column, pieces);
    visits += HALF_Y * HALF_X;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int item = get_local_id(0); item < STORES; item += WORK) {
        const int2 visit = visits[item];
        const int pair = visit.x >> 2, second = visit.x >> 1 & 1;
        const float4 piece = (float4)(plane[visit.y & 0xffff], plane[(uint)visit.y >> 16]);
        spectrum[(visit.x & 1 ? first_exchanged : first) + (size_t)(uint)pair * (uint)(32 * pieces) + second] = piece;
    }
}

// Where rows FIRST, FIRST + STEP, ... of column x lie; of an even step all are even rows or all are odd ones.
#define ROWS(FIRST, STEP) \
    const int at = (FIRST) / 2 * STRIDE + ((FIRST) % 2 ? odd : even), other = (FIRST) / 2 * STRIDE + ((FIRST) % 2 ? even : odd); \
    const int carry = (FIRST) % 2 * STRIDE
#define ROW(J, STEP) \
    ((STEP) % 2 == 0 || (J) % 2 == 0 ? at + (J) * (STEP) / 2 * STRIDE : other + carry + ((J) * (STEP) - 1) / 2 * STRIDE)

inline void columns_inverse(__local float2 *plane, __global const float2 *roots, __global const int *column_of) {
    for (int item = get_local_id(0); item < HALF_X * Y1; item += WORK) {
        const int k1 = item / HALF_X;
        COLUMN(item % HALF_X);
        ROWS(Y2 * k1, 1);
        float2 v[Y2];
        _Pragma("unroll") for (int j = 0; j < Y2; j++) v[j] = plane[ROW(j, 1)].yx;
        DFT(Y2)(v);
        _Pragma("unroll") for (int j = 0; j < Y2; j++) plane[ROW(j, 1)] = j == 0 ? v[0] : times(v[j], roots[j * k1]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int item = get_local_id(0); item < HALF_X * Y2; item += WORK) {
        const int n2 = item / HALF_X;
        COLUMN(item % HALF_X);
        ROWS(n2, Y2);
        float2 v[Y1];
        _Pragma("unroll") for (int j = 0; j < Y1; j++) v[j] = plane[ROW(j, Y2)];
        DFT(Y1)(v);
        _Pragma("unroll") for (int j = 0; j < Y1; j++) plane[ROW(j, Y2)] = v[j].yx;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

inline void columns_forward(__local float2 *plane, __global const float2 *roots, __global const int *column_of) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int item = get_local_id(0); item < HALF_X * Y2; item += WORK) {
        const int n2 = item / HALF_X;
        COLUMN(item % HALF_X);
        ROWS(n2, Y2);
        float2 v[Y1];
        _Pragma("unroll") for (int j = 0; j < Y1; j++) v[j] = plane[ROW(j, Y2)];
        DFT(Y1)(v);
        _Pragma("unroll") for (int j = 0; j < Y1; j++) plane[ROW(j, Y2)] = j == 0 ? v[0] : times(v[j], roots[j * n2]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int item = get_local_id(0); item < HALF_X * Y1; item += WORK) {
        const int k1 = item / HALF_X;
        COLUMN(item % HALF_X);
        ROWS(Y2 * k1, 1);
        float2 v[Y2];
        _Pragma("unroll") for (int j = 0; j < Y2; j++) v[j] = plane[ROW(j, 1)];
        DFT(Y2)(v);
        _Pragma("unroll") for (int j = 0; j < Y2; j++) plane[ROW(j, 1)] = v[j];
    }
}

// Spectra A, B of two real rows to the spectrum Z = A + iB of the complex row.
inline void join_rows(__local float2 *plane, __global const int *column_of) {
    for (int item = get_local_id(0); item < PAIRS * HALF_X; item += WORK) {
        COLUMN(item % HALF_X);
        __local float2 *row = plane + item / HALF_X * STRIDE;
        const float2 a = row[even], b = row[odd];
        if (x == 0 || 2 * x == LX) {
            row[even] = (float2)(a.x, b.x);
        } else {
            row[even] = (float2)(a.x - b.y, a.y + b.x);
            row[odd] = (float2)(a.x + b.y, b.x - a.y);
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

inline void split_rows(__local float2 *plane, __global const int *column_of) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int item = get_local_id(0); item < PAIRS * HALF_X; item += WORK) {
        COLUMN(item % HALF_X);
        __local float2 *row = plane + item / HALF_X * STRIDE;
        const float2 plus = row[even], minus = (x == 0 || 2 * x == LX) ? plus : row[odd];
        row[even] = 0.5f * (float2)(plus.x + minus.x, plus.y - minus.y);
        row[odd] = 0.5f * (float2)(plus.y + minus.y, minus.x - plus.x);
    }
}

// First stage of the rows' inverse transform; the second is ``row_values``.
inline void rows_inverse(__local float2 *plane, __global const float2 *roots) {
    for (int item = get_local_id(0); item < PAIRS * X1; item += WORK) {
        const int k1 = item % X1;
        __local float2 *part = plane + item / X1 * STRIDE + PITCH * k1;
        float2 v[X2];
        _Pragma("unroll") for (int j = 0; j < X2; j++) v[j] = part[j].yx;
        DFT(X2)(v);
        _Pragma("unroll") for (int j = 0; j < X2; j++) part[j] = j == 0 ? v[0] : times(v[j], roots[j * k1]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
}

// Lenslets n2 + X2 j of a row pair, j < X1, from the first stage of its inverse transform.
inline void row_values(__local const float2 *row, int n2, float2 *v) {
    _Pragma("unroll") for (int j = 0; j < X1; j++) v[j] = row[PITCH * j + n2];
    DFT(X1)(v);
    _Pragma("unroll") for (int j = 0; j < X1; j++) v[j] = v[j].yx * SCALE;
}

// First stage of a row pair's forward transform; the second is ``rows_forward``.
inline void transform_values(__local float2 *row, int n2, float2 *v, __global const float2 *roots) {
    DFT(X1)(v);
    _Pragma("unroll") for (int j = 0; j < X1; j++) row[PITCH * j + n2] = j == 0 ? v[0] : times(v[j], roots[j * n2]);
}

inline void rows_forward(__local float2 *plane) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int item = get_local_id(0); item < PAIRS * X1; item += WORK) {
        __local float2 *part = plane + item / X1 * STRIDE + PITCH * (item % X1);
        float2 v[X2];
        _Pragma("unroll") for (int j = 0; j < X2; j++) v[j] = part[j];
        DFT(X2)(v);
        _Pragma("unroll") for (int j = 0; j < X2; j++) part[j] = v[j];
    }
}

inline void to_rows(__local float2 *plane, __global const float2 *roots_y, __global const float2 *roots_x,
                    __global const int *column_of) {
    columns_inverse(plane, roots_y, column_of);
    join_rows(plane, column_of);
    rows_inverse(plane, roots_x);
}

inline void from_rows(__local float2 *plane, __global const float2 *roots_y, __global const int *column_of) {
    rows_forward(plane);
    split_rows(plane, column_of);
    columns_forward(plane, roots_y, column_of);
}
