// The steps of an iteration around the transforms of transform.cl, one channel of one column a work-group.
//
//     volume_step   x <- x max(c, 0) / (H^T W),  then its spectrum           c = H^T (correction)
//     image_step    W b / (W m + g), then its spectrum                       m = H x
//
// (Richardson 1972, J. Opt. Soc. Am. 62, 55; Lucy 1974, Astron. J. 79, 745.)
// ``peaks``[column]: zero before, then the largest sum of magnitudes of a channel, which its spectrum nowhere exceeds.
// Launch: (columns * WORK, channels). ``rows``[channel]: row of the channel, and of its transpose in the cell.
// needs radix.cl spectrum.cl transform.cl

#define SPECTRUM_OF(CHANNEL) rows_of[CHANNEL], get_num_groups(0), get_group_id(0), visits

// Start of this channel's plane in a field of one frame for all (shared) or one each.
inline size_t plane_at(Window window, int shared) {
    const size_t frame = shared ? 0 : get_group_id(0) / window.tiles;
    return (frame * get_num_groups(1) + get_group_id(1)) * window.pairs * window.width;
}

// Row pair and lenslet of the field at the origin of this tile's grid.
inline int2 origin_of(Window window) {
    const int tile = get_group_id(0) % window.tiles;
    return (int2)((window.base_y + tile / window.tiles_x * window.step_y) / 2,
                  window.base_x + tile % window.tiles_x * window.step_x);
}

// Index in the plane of a field of lenslet ``column`` of a row pair, or -1 outside it.
inline int inside(Window window, int pair, int column) {
    return (uint)pair < (uint)window.pairs && (uint)column < (uint)window.width ? pair * window.width + column : -1;
}

// Keeps the lenslets that exist.
inline float2 existing(Window window, int pair, int column, float2 value) {
    if (column < window.column0 || column >= window.column1) return (float2)(0.0f);
    return (float2)(2 * pair >= window.row0 && 2 * pair < window.row1 ? value.x : 0.0f,
                    2 * pair + 1 >= window.row0 && 2 * pair + 1 < window.row1 ? value.y : 0.0f);
}

// Sum over the work-items, in work-item 0.
inline float sum_of_all(__local float *sums, float value) {
    const int id = get_local_id(0);
    sums[id] = value;
    for (int half_size = WORK / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (id < half_size) sums[id] += sums[id + half_size];
    }
    return sums[id];
}

// Numbers that are not negative have bits in order of their size.
inline void raise_to(volatile __global uint *peaks, float value) { atomic_max(peaks + get_group_id(0), as_uint(value)); }

// Of values that are not negative the transform at zero is the largest; rounding may leave it a little below zero.
inline void raise_peak(volatile __global uint *peaks, __local const float2 *plane) {
    if (get_local_id(0) == 0) raise_to(peaks, fmax(plane[0].x, 0.0f));
}

inline float magnitude(float2 v) { return fabs(v.x) + fabs(v.y); }

__kernel __attribute__((reqd_work_group_size(WORK, 1, 1))) void field_spectrum(
    __global const float2 *field, __global float4 *spectrum, volatile __global uint *peaks, __global const int2 *rows_of,
    const Window window, __global const float2 *roots_y, __global const float2 *roots_x,
    __global const int *column_of, __global const int2 *visits) {
    __local float2 plane[PAIRS * STRIDE];
    const int2 origin = origin_of(window);
    __local float sums[WORK];
    __global const float2 *from = field + plane_at(window, 0);
    float magnitudes = 0.0f;
    for (int item = get_local_id(0); item < PAIRS * X2; item += WORK) {
        const int i = item / X2, n2 = item % X2, pair = i + origin.x, column = n2 + origin.y;
        float2 v[X1];
        for (int j = 0; j < X1; j++) {
            const int at = inside(window, pair, column + X2 * j);
            v[j] = at < 0 ? (float2)(0.0f) : from[at];
            magnitudes += magnitude(v[j]);
        }
        transform_values(plane + i * STRIDE, n2, v, roots_x);
    }
    from_rows(plane, roots_y, column_of);
    store_spectrum(plane, spectrum, SPECTRUM_OF(get_group_id(1)));
    const float sum = sum_of_all(sums, magnitudes);
    if (get_local_id(0) == 0) raise_to(peaks, sum);
}

__kernel __attribute__((reqd_work_group_size(WORK, 1, 1))) void spectrum_field(
    __global const float4 *spectrum, __global float2 *field, __global const int2 *rows_of,
    const Window window, __global const float2 *roots_y, __global const float2 *roots_x,
    __global const int *column_of, __global const int2 *visits) {
    __local float2 plane[PAIRS * STRIDE];
    const int2 origin = origin_of(window);
    __global float2 *to = field + plane_at(window, 0);
    load_spectrum(plane, spectrum, SPECTRUM_OF(get_group_id(1)));
    to_rows(plane, roots_y, roots_x, column_of);
    for (int item = get_local_id(0); item < PAIRS * X2; item += WORK) {
        const int i = item / X2, n2 = item % X2, pair = i + origin.x, column = n2 + origin.y;
        float2 v[X1];
        row_values(plane + i * STRIDE, n2, v);
        if (2 * i < window.low_y || 2 * i >= window.high_y) continue;
        for (int j = 0; j < X1; j++) {
            const int x = X2 * j + n2, at = inside(window, pair, column + X2 * j);
            if (at >= 0 && x >= window.low_x && x < window.high_x)
                to[at] = existing(window, pair, column + X2 * j, v[j]);
        }
    }
}

// Lenslets whose values are on their way from memory at the same time.
#define TOGETHER (X1 % 4 == 0 ? 4 : X1 % 5 == 0 ? 5 : X1 % 3 == 0 ? 3 : 2)

// ``inverse_normaliser``: 1 / H^T W, zero where the camera does not see. ``shared``: (volume, normaliser).
__kernel __attribute__((reqd_work_group_size(WORK, 1, 1))) void volume_step(
    __global const float4 *correction, __global const float2 *volume, __global const float2 *inverse_normaliser,
    const int2 shared, __global float2 *stepped, __global float4 *spectrum, volatile __global uint *peaks,
    __global const int2 *rows_of, const Window window,
    __global const float2 *roots_y, __global const float2 *roots_x,
    __global const int *column_of, __global const int2 *visits) {
    __local float2 plane[PAIRS * STRIDE];
    const int2 origin = origin_of(window);
    volume += plane_at(window, shared.x);
    inverse_normaliser += plane_at(window, shared.y);
    stepped += plane_at(window, 0);
    load_spectrum(plane, correction, SPECTRUM_OF(get_group_id(1)));
    to_rows(plane, roots_y, roots_x, column_of);
    for (int item = get_local_id(0); item < PAIRS * X2; item += WORK) {
        const int i = item / X2, n2 = item % X2, pair = i + origin.x, column = n2 + origin.y;
        float2 v[X1];
        row_values(plane + i * STRIDE, n2, v);
        _Pragma("unroll") for (int first = 0; first < X1; first += TOGETHER) {
            float2 before[TOGETHER], divisor[TOGETHER];
            _Pragma("unroll") for (int j = 0; j < TOGETHER; j++) {
                const int at = max(inside(window, pair, column + X2 * (first + j)), 0);
                before[j] = volume[at];
                divisor[j] = inverse_normaliser[at];
            }
            _Pragma("unroll") for (int j = 0; j < TOGETHER; j++) {
                const int at = inside(window, pair, column + X2 * (first + j));
                const float2 value = fmax(v[first + j], 0.0f) * before[j] * divisor[j];
                v[first + j] = at < 0 ? (float2)(0.0f) : value;
                if (at >= 0) stepped[at] = value;
            }
        }
        transform_values(plane + i * STRIDE, n2, v, roots_x);
    }
    from_rows(plane, roots_y, column_of);
    store_spectrum(plane, spectrum, SPECTRUM_OF(get_group_id(1)));
    raise_peak(peaks, plane);
}

// ``squares``[column][channel]: sum of (b - W m)^2 over W > 0. ``shared``: one weight for all frames.
// ``background``[frame]: g.
__kernel __attribute__((reqd_work_group_size(WORK, 1, 1))) void image_step(
    __global const float4 *expected, __global const float2 *measured, __global const float2 *weight,
    const int shared, __global const float *background, __global float *squares, __global float4 *spectrum,
    volatile __global uint *peaks, __global const int2 *rows_of,
    const Window window, __global const float2 *roots_y, __global const float2 *roots_x,
    __global const int *column_of, __global const int2 *visits) {
    __local float2 plane[PAIRS * STRIDE];
    const int2 origin = origin_of(window);
    __local float sums[WORK];
    measured += plane_at(window, 0);
    weight += plane_at(window, shared);
    const float dark = background[get_group_id(0) / window.tiles];
    float sum = 0.0f;
    load_spectrum(plane, expected, SPECTRUM_OF(get_group_id(1)));
    to_rows(plane, roots_y, roots_x, column_of);
    for (int item = get_local_id(0); item < PAIRS * X2; item += WORK) {
        const int i = item / X2, n2 = item % X2, pair = i + origin.x, column = n2 + origin.y;
        float2 v[X1];
        row_values(plane + i * STRIDE, n2, v);
        for (int j = 0; j < X1; j++) {
            const int at = inside(window, pair, column + X2 * j);
            float2 value = (float2)(0.0f);
            if (at >= 0) {
                const float2 w = weight[at], b = measured[at], model = w * v[j];
                const float2 rest = select((float2)(0.0f), b - model, w > 0.0f);
                const float2 total = model + dark;
                sum += dot(rest, rest);
                value = select((float2)(0.0f), w * b / total, total > 0.0f);
            }
            v[j] = value;
        }
        transform_values(plane + i * STRIDE, n2, v, roots_x);
    }
    from_rows(plane, roots_y, column_of);
    store_spectrum(plane, spectrum, SPECTRUM_OF(get_group_id(1)));
    const float total = sum_of_all(sums, sum);
    if (get_local_id(0) == 0) squares[get_group_id(0) * get_num_groups(1) + get_group_id(1)] = total;
    raise_peak(peaks, plane);
}
