// From point images to the operator's matrices, one real matrix for each group of lenslet frequencies.
//
//     M[p, q] = +- sum over my, mx of h[q][m, p] trig_y(ky my) trig_x(kx mx)
//
// in the parity basis of pixels p and samples q: a cosine along an axis where p and q have the same parity, a sine
// where they differ (docs/physics.md). Three steps: ``fold`` takes the pixels to the parity basis, ``transform_down``
// sums over my, ``transform_across`` over mx.
//
// Images: [octant position][y][x], SIDE = LENSLETS * PIXELS a side, LENSLETS = 2 radius + 1.
// Folded: [position][my][u][mx][v]; down: [position][parity of a][ky][u][mx][v]; u, v in parity order, evens first.
// Matrices: [group][volume quad][image quad][4][4] (volume slot, image slot).
// Compile-time: PIXELS HALF_Y (frequencies 0 to LY/2); the number of lenslets of a plane is an argument.
#define EVENS ((PIXELS + 1) / 2)

#if HALF_MATRICES
typedef half Element;
inline void put_four(float4 value, __global Element *to) { vstore_half4(value, 0, to); }
#else
typedef float Element;
inline void put_four(float4 value, __global Element *to) { vstore4(value, 0, to); }
#endif

// First pixel and weights of the pair that makes parity row u.
inline void pair_of(int u, int *pixel, float *first, float *second) {
    const int odd = u >= EVENS;
    *pixel = odd ? u - EVENS : u;
    const int middle = 2 * *pixel + 1 == PIXELS;
    *first = middle ? 1.0f : 0.707106781f;
    *second = middle ? 0.0f : odd ? -0.707106781f : 0.707106781f;
}

// ``source``[position]: octant index and whether its image is to be transposed; ``weights``[position]: of the pairs.
// Launch: (mx * v, my * u, positions).
__kernel void fold(__global const float *images, __global float *folded, __global const int2 *source,
                   __global const float *weights, const int lenslets) {
    const int side = lenslets * PIXELS, across = get_global_id(0), down = get_global_id(1), position = get_global_id(2);
    if (across >= side || down >= side) return;
    int pixel_y, pixel_x;
    float y0, y1, x0, x1;
    pair_of(down % PIXELS, &pixel_y, &y0, &y1);
    pair_of(across % PIXELS, &pixel_x, &x0, &x1);
    const int top = down / PIXELS * PIXELS, left = across / PIXELS * PIXELS;
    const int2 from = source[position];
    const int step_y = from.y ? 1 : side, step_x = from.y ? side : 1;
    __global const float *image = images + (size_t)from.x * side * side;
    const int ya = (top + pixel_y) * step_y, yb = (top + PIXELS - 1 - pixel_y) * step_y;
    const int xa = (left + pixel_x) * step_x, xb = (left + PIXELS - 1 - pixel_x) * step_x;
    const float value = y0 * (x0 * image[ya + xa] + x1 * image[ya + xb]) + y1 * (x0 * image[yb + xa] + x1 * image[yb + xb]);
    folded[((size_t)position * side + down) * side + across] = weights[position] * value;
}

// ``cosines``, ``sines``: [ky][my]. Launch: (mx * v, ky * u, position * 2 + parity).
__kernel void transform_down(__global const float *folded, __global float *result, __global const float *cosines,
                             __global const float *sines, const int lenslets) {
    const int side = lenslets * PIXELS, across = get_global_id(0), row = get_global_id(1);
    if (across >= side || row >= HALF_Y * PIXELS) return;
    const int u = row % PIXELS, ky = row / PIXELS, parity = get_global_id(2) % 2;
    const size_t position = get_global_id(2) / 2;
    __global const float *from = folded + (position * side + u) * side + across;
    __global const float *table = ((u >= EVENS) == parity ? cosines : sines) + ky * lenslets;
    float sum = 0.0f;
    for (int m = 0; m < lenslets; m++) sum += table[m] * from[(size_t)m * PIXELS * side];
    result[((position * 2 + parity) * HALF_Y * PIXELS + row) * side + across] = sum;
}

// ``image_slots``[image quad][4]: (u, v) of the slot, u = -1 where it is empty. ``targets``[position]: volume quad in the
// plane, then for the parities (a, c) = (0,0) (0,1) (1,0) (1,1) its slot, -1 where there is none.
// ``group_of``[group]: (ky, kx). Launch: (image quads, groups, positions).
__kernel void transform_across(__global const float *down, __global Element *matrices, __global const int2 *group_of,
                               __global const int *image_slots, __global const int *targets,
                               __global const float *cosines, __global const float *sines, const int lenslets,
                               const int first_quad, const int volume_quads, const int image_quads) {
    const int image_quad = get_global_id(0), side = lenslets * PIXELS;
    const size_t group = get_global_id(1), position = get_global_id(2);
    if (image_quad >= image_quads) return;
    const int2 frequency = group_of[group];
    __global const int *slots = image_slots + image_quad * 8, *target = targets + position * 5;
    __global const float *even = down + (position * 2 * HALF_Y + frequency.x) * PIXELS * side;
    __global const float *odd = even + (size_t)HALF_Y * PIXELS * side;
    int at[4];
    for (int s = 0; s < 4; s++) at[s] = slots[2 * s] < 0 ? 0 : slots[2 * s] * side + slots[2 * s + 1];
    float sum[4][4] = {{0.0f}};
    for (int m = 0; m < lenslets; m++) {
        const float c = cosines[frequency.y * lenslets + m], s = sines[frequency.y * lenslets + m];
        _Pragma("unroll") for (int slot = 0; slot < 4; slot++) {
            const float e = even[at[slot] + m * PIXELS], o = odd[at[slot] + m * PIXELS];
            const int odd_v = slots[2 * slot + 1] >= EVENS;
            sum[0][slot] += e * (odd_v ? s : c);
            sum[1][slot] += e * (odd_v ? c : s);
            sum[2][slot] += o * (odd_v ? s : c);
            sum[3][slot] += o * (odd_v ? c : s);
        }
    }
    const size_t block = (group * volume_quads + first_quad + target[0]) * image_quads + image_quad;
    for (int parity = 0; parity < 4; parity++) {
        if (target[1 + parity] < 0) continue;
        for (int slot = 0; slot < 4; slot++) {
            const int odd_u = slots[2 * slot] >= EVENS, odd_v = slots[2 * slot + 1] >= EVENS;
            const int sines_used = (odd_u != parity / 2) + (odd_v != parity % 2);
            const int negative = sines_used == 2 || (sines_used == 1 && odd_u != odd_v);
            sum[parity][slot] *= slots[2 * slot] < 0 ? 0.0f : negative ? -MATRIX_SCALE : MATRIX_SCALE;
        }
        const float4 row = (float4)(sum[parity][0], sum[parity][1], sum[parity][2], sum[parity][3]);
        put_four(row, matrices + block * 16 + 4 * target[1 + parity]);
    }
}
