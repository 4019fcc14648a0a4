// Rows in quad order, pieces, and the parity basis of one quad.
//
// A quad is four consecutive rows: a position (i, j) of a cell and its mirror images, (i, j) (i, j') (i', j) (i', j')
// with i' = n - 1 - i (kind 0); or the pairs (middle, j) (middle, j') and (j, middle) (j', middle), one of which may be
// empty in an oblong cell (kind 1); or the middle of both axes alone (kind 2, three rows empty).
// A piece is what one channel has at (ky, kx) and at (-ky, kx): two complex numbers, its members 0 and 1. In the basis
//
//     even = (v_j + v_j') / sqrt 2,   odd = (v_j - v_j') / sqrt 2    along each axis,
//
// with -i on rows that are odd under inversion and -1 in member 1 of rows that are odd in y, the operator is one real
// matrix for all columns (docs/physics.md). Exchanged pieces belong to (kx, ky) and the transposed cell, so that there
// the rows odd in x change sign.

#define ROOT_HALF 0.707106781f

// Which slots change sign in member 1: bit s for slot s.
inline int mirrored_slots(int kind, int exchanged) {
    return kind == 0 ? (exchanged ? 10 : 12) : kind == 1 ? (exchanged ? 2 : 8) : 0;
}

// Which slots are odd under inversion.
inline int odd_slots(int kind) { return kind == 0 ? 6 : kind == 1 ? 10 : 0; }

inline void butterfly(float2 *v, int kind) {
    if (kind == 2) return;
    const float2 a = (v[0] + v[1]) * ROOT_HALF, b = (v[0] - v[1]) * ROOT_HALF;
    const float2 c = (v[2] + v[3]) * ROOT_HALF, d = (v[2] - v[3]) * ROOT_HALF;
    if (kind == 1) {
        v[0] = a, v[1] = b, v[2] = c, v[3] = d;
    } else {
        v[0] = (a + c) * ROOT_HALF, v[1] = (b + d) * ROOT_HALF;
        v[2] = (a - c) * ROOT_HALF, v[3] = (b - d) * ROOT_HALF;
    }
}

inline void to_parity(float2 *v, int kind, int exchanged, int member) {
    butterfly(v, kind);
    const int odd = odd_slots(kind), mirrored = member ? mirrored_slots(kind, exchanged) : 0;
    _Pragma("unroll") for (int s = 1; s < 4; s++) {
        if (odd >> s & 1) v[s] = (float2)(v[s].y, -v[s].x);
        if (mirrored >> s & 1) v[s] = -v[s];
    }
}

inline void from_parity(float2 *v, int kind, int exchanged, int member) {
    const int odd = odd_slots(kind), mirrored = member ? mirrored_slots(kind, exchanged) : 0;
    _Pragma("unroll") for (int s = 1; s < 4; s++) {
        if (odd >> s & 1) v[s] = (float2)(-v[s].y, v[s].x);
        if (mirrored >> s & 1) v[s] = -v[s];
    }
    butterfly(v, kind);
}
