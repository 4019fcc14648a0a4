// From point images to the operator's matrices, one real matrix for each group of lenslet frequencies.
//
//     M[p, q] = +- sum over my, mx of h[q][m, p] trig_y(ky my) trig_x(kx mx)
//
// in the parity basis of pixels p and samples q: a cosine along an axis where p and q have the same parity, a sine
// where they differ (docs/physics.md). Three steps: ``fold`` takes the pixels to the parity basis, ``transform_down``
// sums over my, ``transform_across`` over mx.
//
// Images: [position][y][x], ``cells``.x * PIXELS_Y by ``cells``.y * PIXELS_X, ``cells`` (y, x) = 2 radius + 1.
// Folded: [position][my][u][mx][v]; down: [position][parity of a][ky][u][mx][v]; u, v in parity order, evens first.
// Matrices: [group][volume quad][image quad][4][4] (volume slot, image slot).
// ``turns``[frequency][m]: cosine and sine along one axis. Positions may come in parts, the first ``first_position``.
// Compile-time: PIXELS_Y PIXELS_X HALF_Y (frequencies 0 to LY/2) RUN.
#define EVENS_Y ((PIXELS_Y + 1) / 2)
#define EVENS_X ((PIXELS_X + 1) / 2)

#if HALF_MATRICES
typedef half Element;
inline void put_four(float4 value, __global Element *to) { vstore_half4(value, 0, to); }
#else
typedef float Element;
inline void put_four(float4 value, __global Element *to) { vstore4(value, 0, to); }
#endif

// First pixel and weights of the pair that makes parity row u of ``pixels``.
inline void pair_of(int u, int pixels, int *pixel, float *first, float *second) {
    const int evens = (pixels + 1) / 2, odd = u >= evens;
    *pixel = odd ? u - evens : u;
    const int middle = 2 * *pixel + 1 == pixels;
    *first = middle ? 1.0f : 0.707106781f;
    *second = middle ? 0.0f : odd ? -0.707106781f : 0.707106781f;
}

// ``source``[position]: index of its image, and whether that is to be transposed; ``weights``[position]: of the pairs.
// Launch: (mx * v, my * u, positions).
__kernel void fold(__global const float *images, __global float *folded, __global const int2 *source,
                   __global const float *weights, const int first_position, const int2 cells) {
    const int height = cells.x * PIXELS_Y, width = cells.y * PIXELS_X, across = get_global_id(0), down = get_global_id(1);
    const size_t position = get_global_id(2);
    if (across >= width || down >= height) return;
    int pixel_y, pixel_x;
    float y0, y1, x0, x1;
    pair_of(down % PIXELS_Y, PIXELS_Y, &pixel_y, &y0, &y1);
    pair_of(across % PIXELS_X, PIXELS_X, &pixel_x, &x0, &x1);
    const int top = down / PIXELS_Y * PIXELS_Y, left = across / PIXELS_X * PIXELS_X;
    const int2 from = source[first_position + position];
    const int step_y = from.y ? 1 : width, step_x = from.y ? width : 1;
    __global const float *image = images + (size_t)from.x * height * width;
    const int ya = (top + pixel_y) * step_y, yb = (top + PIXELS_Y - 1 - pixel_y) * step_y;
    const int xa = (left + pixel_x) * step_x, xb = (left + PIXELS_X - 1 - pixel_x) * step_x;
    const float upper = x0 * image[ya + xa] + x1 * image[ya + xb], lower = x0 * image[yb + xa] + x1 * image[yb + xb];
    folded[(position * height + down) * width + across] = weights[first_position + position] * (y0 * upper + y1 * lower);
}

// Launch: (mx * v, ky * u, position * 2 + parity).
__kernel void transform_down(__global const float *folded, __global float *result, __global const float2 *turns,
                             const int2 cells) {
    const int height = cells.x * PIXELS_Y, width = cells.y * PIXELS_X, across = get_global_id(0), row = get_global_id(1);
    if (across >= width || row >= HALF_Y * PIXELS_Y) return;
    const int u = row % PIXELS_Y, ky = row / PIXELS_Y, parity = get_global_id(2) % 2, sine = (u >= EVENS_Y) != parity;
    const size_t position = get_global_id(2) / 2;
    __global const float *from = folded + (position * height + u) * width + across;
    float sum = 0.0f;
    for (int m = 0; m < cells.x; m++) {
        const float2 turn = turns[ky * cells.x + m];
        sum += (sine ? turn.y : turn.x) * from[(size_t)m * PIXELS_Y * width];
    }
    result[((position * 2 + parity) * HALF_Y * PIXELS_Y + row) * width + across] = sum;
}

inline float4 four_at(__global const float *from, int4 at) {
    return (float4)(from[at.x], from[at.y], from[at.z], from[at.w]);
}

// Up to RUN frequencies that differ in kx alone, for they need the same values of ``down``.
// ``runs``[run]: ky, first kx, its group, and the number of frequencies, whose groups follow one another.
// ``image_slots``[image quad][4]: (u, v) of the slot, -1 where it is empty. ``targets``[position]: volume quad in the
// plane, then for the parities (a, c) = (0,0) (0,1) (1,0) (1,1) its slot, -1 where there is none.
// Launch: (image quads, runs, positions).
__kernel void transform_across(__global const float *down, __global Element *matrices, __global const int4 *runs,
                               __global const int *image_slots, __global const int *targets,
                               __global const float2 *turns, const int first_position, const int2 cells,
                               const int first_quad, const int volume_quads, const int image_quads) {
    const int image_quad = get_global_id(0), width = cells.y * PIXELS_X;
    const size_t position = get_global_id(2);
    if (image_quad >= image_quads) return;
    const int4 run = runs[get_global_id(1)];
    const int8 slots = vload8(image_quad, image_slots);
    const int4 u = slots.even, v = slots.odd, at = max(u * width + v, (int4)(0));
    __global const float *even = down + (position * 2 * HALF_Y + run.x) * PIXELS_Y * width;
    __global const float *odd = even + (size_t)HALF_Y * PIXELS_Y * width;
    float4 sum[RUN][4] = {{(float4)(0.0f)}};  // cosines of even rows, sines of even, cosines of odd, sines of odd
    for (int m = 0; m < cells.y; m++) {
        const float4 e = four_at(even + m * PIXELS_X, at), o = four_at(odd + m * PIXELS_X, at);
        _Pragma("unroll") for (int k = 0; k < RUN; k++) {
            const float2 turn = turns[(run.y + min(k, run.w - 1)) * cells.y + m];
            sum[k][0] += turn.x * e;
            sum[k][1] += turn.y * e;
            sum[k][2] += turn.x * o;
            sum[k][3] += turn.y * o;
        }
    }
    __global const int *target = targets + (first_position + position) * 5;
    const int4 odd_u = u >= EVENS_Y, odd_v = v >= EVENS_X;
    _Pragma("unroll") for (int parity = 0; parity < 4; parity++) {
        if (target[1 + parity] < 0) continue;
        const int4 sine_y = odd_u ^ -(parity / 2), sine_x = odd_v ^ -(parity % 2);
        const int4 negative = (sine_y & sine_x) | ((sine_y ^ sine_x) & (odd_u ^ odd_v));
        const float4 sign = select((float4)(MATRIX_SCALE), (float4)(-MATRIX_SCALE), negative);
        const float4 scale = select(sign, (float4)(0.0f), u < 0);
        _Pragma("unroll") for (int k = 0; k < RUN; k++) {
            if (k >= run.w) continue;
            const size_t row = (size_t)(run.z + k) * volume_quads + first_quad + target[0];
            const float4 value = select(sum[k][parity / 2 * 2], sum[k][parity / 2 * 2 + 1], sine_x) * scale;
            put_four(value, matrices + (row * image_quads + image_quad) * 16 + 4 * target[1 + parity]);
        }
    }
}
