// Rows in quad order, and the parity basis of one quad.
//
// A quad is four consecutive rows: a position (i, j) of a cell of n x n and its mirror images, (i, j) (i, j') (i', j)
// (i', j') with i' = n - 1 - i (kind 0); or, where n is odd, the pairs (middle, j) (middle, j') and (j, middle)
// (j', middle) (kind 1), or the middle alone (kind 2, three rows empty).
// A piece is a float4: (Re, Im) at (ky, kx), then (Re, Im) at (-ky, kx). In the basis
//
//     even = (v_j + v_j') / sqrt 2,   odd = (v_j - v_j') / sqrt 2    along each axis,
//
// with -i on rows that are odd under inversion and -1 on the (-ky) half of rows that are odd in y, the operator is one
// real matrix for all columns (docs/physics.md). Exchanged pieces belong to (kx, ky) and the transposed cell, so that
// there the rows odd in x change sign.

#define ROOT_HALF 0.707106781f

inline float4 over_i_both(float4 v) { return (float4)(v.y, -v.x, v.w, -v.z); }

inline float4 mirrored(float4 v) { return (float4)(v.xy, -v.zw); }

inline void mirror_odd(float4 *v, int kind, int exchanged) {
    if (kind == 0) {
        if (exchanged) v[1] = mirrored(v[1]);
        else v[2] = mirrored(v[2]);
        v[3] = mirrored(v[3]);
    } else if (kind == 1) {
        if (exchanged) v[1] = mirrored(v[1]);
        else v[3] = mirrored(v[3]);
    }
}

inline void butterfly(float4 *v, int kind) {
    if (kind == 2) return;
    const float4 a = (v[0] + v[1]) * ROOT_HALF, b = (v[0] - v[1]) * ROOT_HALF;
    const float4 c = (v[2] + v[3]) * ROOT_HALF, d = (v[2] - v[3]) * ROOT_HALF;
    if (kind == 1) {
        v[0] = a, v[1] = b, v[2] = c, v[3] = d;
    } else {
        v[0] = (a + c) * ROOT_HALF, v[1] = (b + d) * ROOT_HALF;
        v[2] = (a - c) * ROOT_HALF, v[3] = (b - d) * ROOT_HALF;
    }
}

inline void to_parity(float4 *v, int kind, int exchanged) {
    butterfly(v, kind);
    if (kind == 2) return;
    v[1] = over_i_both(v[1]);
    if (kind == 0) v[2] = over_i_both(v[2]);
    else v[3] = over_i_both(v[3]);
    mirror_odd(v, kind, exchanged);
}

inline void from_parity(float4 *v, int kind, int exchanged) {
    if (kind == 2) return;
    v[1] = -over_i_both(v[1]);
    if (kind == 0) v[2] = -over_i_both(v[2]);
    else v[3] = -over_i_both(v[3]);
    mirror_odd(v, kind, exchanged);
    butterfly(v, kind);
}
