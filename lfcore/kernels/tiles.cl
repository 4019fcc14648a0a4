// The update of a volume that several tiles cover, one channel of one column a work-group.
//
//     x <- x max(c, 0) / (H^T W)              c = H^T (correction), right where a tile's grid is from low to high
//
// (Richardson 1972, J. Opt. Soc. Am. 62, 55; Lucy 1974, Astron. J. 79, 745.)
// ``inverse_normaliser``: 1 / H^T W, zero where the camera does not see. ``shared``: (volume, normaliser), one for all
// frames. ``stepped`` may be ``volume``. Layouts and launch: steps.cl.
// needs radix.cl spectrum.cl transform.cl steps.cl

__kernel __attribute__((reqd_work_group_size(WORK, 1, 1))) void tile_step(
    __global const float4 *correction, __global const float2 *volume, __global const float2 *inverse_normaliser,
    const int2 shared, __global float2 *stepped, __global const int2 *rows_of, const Window window,
    __global const float2 *roots_y, __global const float2 *roots_x, __global const int *column_of,
    __global const int2 *visits) {
    __local float2 plane[PAIRS * STRIDE];
    const int2 origin = origin_of(window);
    volume += plane_at(window, shared.x);
    inverse_normaliser += plane_at(window, shared.y);
    stepped += plane_at(window, 0);
    load_spectrum(plane, correction, SPECTRUM_OF(get_group_id(1)));
    to_rows(plane, roots_y, roots_x, column_of);
    for (int item = get_local_id(0); item < PAIRS * X2; item += WORK) {
        const int i = item / X2, n2 = item % X2;
        float2 v[X1];
        row_values(plane + i * STRIDE, n2, v);
        if (2 * i < window.low_y || 2 * i >= window.high_y) continue;
        for (int j = 0; j < X1; j++) {
            const int x = X2 * j + n2, at = inside(window, i + origin.x, x + origin.y);
            if (at < 0 || x < window.low_x || x >= window.high_x) continue;
            stepped[at] = volume[at] * fmax(v[j], 0.0f) * inverse_normaliser[at];
        }
    }
}
