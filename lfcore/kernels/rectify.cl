// Resampling of a camera frame to whole pixels a lenslet (lfcore/calibration/rectify.py is the twin in numpy).
//
//     r(p) = mean over the samples of p of sum over k of c[k] B3(x - k),   c = f * h along y and x,   h[k] = sqrt(3) z^|k|
//
// with the cubic B-spline B3, its filter's pole z = sqrt(3) - 2 and mirror boundaries (Unser 1999, IEEE Signal Process.
// Mag. 16(6), 22). The filter is cut off where z^k falls below 1e-8. Missing pixels are not finite; they are filled with
// the mean of their neighbours, and samples near them stay missing.
//
// frame, filled, coefficients [y][x], spoiled [y][x] uchar: a missing pixel is there or next to it
// nearest [sample y][sample x] int: flat index of the camera pixel there, or -1 off the camera
// offsets [sample y][sample x] float2: where a sample lies (y, x) from the centre of that pixel, px, at most half a one:
// camera positions in float32 would not place it well enough on a large camera.
// Launch: (columns, rows) of what is written, rounded up to whole groups.

#define POLE -0.267949192f
#define GAIN 1.73205081f
#define TAPS 14
#define FILL_REACH 2

// A position past a boundary, mirrored in the centre of the last pixel.
inline int mirrored(int position, int length) {
    const int period = max(2 * (length - 1), 1), folded = abs(position) % period;
    return folded < length ? folded : period - folded;
}

__kernel void from_counts(__global const ushort *frame, const int2 size, __global float *filled,
                          __global uchar *spoiled) {
    const int x = get_global_id(0), y = get_global_id(1), here = y * size.x + x;
    if (x >= size.x || y >= size.y) return;
    filled[here] = frame[here];
    spoiled[here] = 0;
}

// Neighbours past the edge count as the edge's own pixels, as often as they come up.
__kernel void from_values(__global const float *frame, const int2 size, __global float *filled,
                          __global uchar *spoiled) {
    const int x = get_global_id(0), y = get_global_id(1), here = y * size.x + x;
    if (x >= size.x || y >= size.y) return;
    float total = 0.0f;
    int count = 0, near = 0;
    for (int dy = -FILL_REACH; dy <= FILL_REACH; dy++) {
        for (int dx = -FILL_REACH; dx <= FILL_REACH; dx++) {
            const float value = frame[clamp(y + dy, 0, size.y - 1) * size.x + clamp(x + dx, 0, size.x - 1)];
            const int there = isfinite(value);
            if (there) total += value;
            count += there;
            near |= !there && max(abs(dy), abs(dx)) <= 1;
        }
    }
    const float value = frame[here];
    filled[here] = isfinite(value) ? value : total / max(count, 1);
    spoiled[here] = near;
}

// One axis of the filter: along y if ``down``, else along x.
__kernel void spline_filter(__global const float *from, const int2 size, const int down, __global float *to) {
    const int x = get_global_id(0), y = get_global_id(1);
    if (x >= size.x || y >= size.y) return;
    const int position = down ? y : x, length = down ? size.y : size.x, step = down ? size.x : 1;
    __global const float *line = from + (down ? x : y * size.x);
    float weight = GAIN, sum = GAIN * line[position * step];
    for (int k = 1; k <= TAPS; k++) {
        weight *= POLE;
        sum += weight * (line[mirrored(position - k, length) * step] + line[mirrored(position + k, length) * step]);
    }
    to[y * size.x + x] = sum;
}

inline float4 spline_weights(float part) {
    const float rest = 1.0f - part, squared = part * part, rest_squared = rest * rest;
    return (float4)(rest * rest_squared, 4.0f - 3.0f * squared * (1.0f + rest), 4.0f - 3.0f * rest_squared * (1.0f + part),
                    part * squared) / 6.0f;
}

inline float spline_at(__global const float *coefficients, int2 size, int pixel, float2 offset_yx) {
    const float2 carry = floor(offset_yx), part_yx = offset_yx - carry;
    const int y = pixel / size.x + (int)carry.x, x = pixel % size.x + (int)carry.y;
    const float4 down = spline_weights(part_yx.x), right = spline_weights(part_yx.y);
    const int4 columns = (int4)(mirrored(x - 1, size.x), mirrored(x, size.x), mirrored(x + 1, size.x),
                                mirrored(x + 2, size.x));
    float rows[4];
    for (int i = 0; i < 4; i++) {
        __global const float *row = coefficients + mirrored(y - 1 + i, size.y) * size.x;
        rows[i] = dot(right, (float4)(row[columns.x], row[columns.y], row[columns.z], row[columns.w]));
    }
    return dot(down, (float4)(rows[0], rows[1], rows[2], rows[3]));
}

// ``samples`` along each side of a pixel; ``target``: pixels (x, y) of the result, NaN where a sample is missing.
__kernel void resample(__global const float *coefficients, __global const uchar *spoiled, const int2 size,
                       __global const int *nearest, __global const float2 *offsets, const int samples,
                       const int2 target, __global float *rectified) {
    const int x = get_global_id(0), y = get_global_id(1);
    if (x >= target.x || y >= target.y) return;
    float sum = 0.0f;
    for (int i = y * samples; i < (y + 1) * samples; i++) {
        for (int j = x * samples; j < (x + 1) * samples; j++) {
            const size_t sample = (size_t)i * target.x * samples + j;
            const int pixel = nearest[sample];
            const int missing = pixel < 0 || spoiled[max(pixel, 0)];
            sum += missing ? NAN : spline_at(coefficients, size, pixel, offsets[sample]);
        }
    }
    rectified[y * target.x + x] = sum / (samples * samples);
}
