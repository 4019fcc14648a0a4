// Fields between host order and device order, and the elementwise steps of a solver on whole fields.
//
// Host: [frame][plane][y][x] float, ``cell`` (y, x) values each.
// Device: [frame][(plane * cell.x + u) * cell.y + v][row pair][lenslet x] float2 = lenslet rows (2i, 2i + 1).
// Launches over whole fields: (work-items of one frame, frames); ``size`` is the float2 count of one frame. An argument
// that is one for all frames is given a stride of 0, else of ``size``.
// Sums: each work-group of WORK items takes a fixed share, [frame][work-group].
// Compile-time: WORK.

// ``origin``: lenslet (y, x) of the field where the host's first lenslet stands; ``count``: lenslets (y, x) of the host.
// Launch: (lenslet x, row pair, frame * planes * values of a cell).
__kernel void pack(__global const float *host, __global float2 *field, const int2 cell, const int pairs, const int width,
                   const int2 origin, const int2 count) {
    const int x = get_global_id(0), pair = get_global_id(1), channel = get_global_id(2) % (cell.x * cell.y);
    const size_t plane = get_global_id(2) / (cell.x * cell.y);
    if (x >= width || pair >= pairs) return;
    float value[2];
    for (int i = 0; i < 2; i++) {
        const int row = 2 * pair + i - origin.x, column = x - origin.y;
        const int there = row >= 0 && row < count.x && column >= 0 && column < count.y;
        const size_t y = (plane * count.x + row) * cell.x + channel / cell.y;
        const size_t at = (y * count.y + column) * cell.y + channel % cell.y;
        value[i] = there ? host[at] : 0.0f;
    }
    field[((size_t)get_global_id(2) * pairs + pair) * width + x] = (float2)(value[0], value[1]);
}

// Launch: (host x, host y, frame * planes).
__kernel void unpack(__global const float2 *field, __global float *host, const int2 cell, const int pairs,
                     const int width, const int2 origin, const int2 count) {
    const int x = get_global_id(0), y = get_global_id(1);
    if (x >= count.y * cell.y || y >= count.x * cell.x) return;
    const int row = y / cell.x + origin.x, channel = y % cell.x * cell.y + x % cell.y;
    const size_t plane = get_global_id(2);
    const float2 pair = field[((plane * cell.x * cell.y + channel) * pairs + row / 2) * width + x / cell.y + origin.y];
    host[(plane * count.x * cell.x + y) * count.y * cell.y + x] = row % 2 ? pair.y : pair.x;
}

__kernel void weigh(__global const float2 *image, const ulong image_stride, __global const float2 *weight,
                    const ulong weight_stride, __global float2 *result, const ulong size) {
    const size_t at = get_global_id(0), frame = get_global_id(1);
    if (at < size) result[frame * size + at] = image[frame * image_stride + at] * weight[frame * weight_stride + at];
}

// The correction W b / (W m + g); sums of (b - W m)^2 over W > 0.
__kernel __attribute__((reqd_work_group_size(WORK, 1, 1))) void compare(
    __global const float2 *expected, __global const float2 *measured, __global const float2 *weight,
    const ulong weight_stride, __global const float *background, __global float2 *correction, __global float *sums,
    const ulong size) {
    __local float partial[WORK];
    const size_t frame = get_global_id(1);
    float sum = 0.0f;
    for (size_t at = get_global_id(0); at < size; at += get_global_size(0)) {
        const size_t i = frame * size + at;
        const float2 w = weight[frame * weight_stride + at], b = measured[i], model = w * expected[i];
        const float2 rest = select((float2)(0.0f), b - model, w > 0.0f), total = model + background[frame];
        sum += dot(rest, rest);
        correction[i] = select((float2)(0.0f), w * b / total, total > 0.0f);
    }
    partial[get_local_id(0)] = sum;
    for (int half_size = WORK / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (get_local_id(0) < half_size) partial[get_local_id(0)] += partial[get_local_id(0) + half_size];
    }
    if (get_local_id(0) == 0) sums[frame * get_num_groups(0) + get_group_id(0)] = partial[0];
}

__kernel void multiply_update(__global const float2 *volume, const ulong volume_stride, __global const float2 *correction,
                              __global const float2 *inverse_normaliser, const ulong normaliser_stride,
                              __global float2 *stepped, const ulong size) {
    const size_t at = get_global_id(0), frame = get_global_id(1), i = frame * size + at;
    if (at >= size) return;
    const float2 factor = fmax(correction[i], 0.0f) * inverse_normaliser[frame * normaliser_stride + at];
    stepped[i] = volume[frame * volume_stride + at] * factor;
}

__kernel void extrapolate(__global const float2 *current, __global const float2 *previous, __global const float *step,
                          __global float2 *result, const ulong size) {
    const size_t at = get_global_id(0), frame = get_global_id(1), i = frame * size + at;
    if (at < size) result[i] = fmax(current[i] + step[frame] * (current[i] - previous[i]), 0.0f);
}

__kernel void difference(__global const float2 *first, __global const float2 *second, __global float2 *result,
                         const ulong size) {
    const size_t at = get_global_id(0), i = get_global_id(1) * size + at;
    if (at < size) result[i] = first[i] - second[i];
}

__kernel __attribute__((reqd_work_group_size(WORK, 1, 1))) void inner(
    __global const float2 *first, __global const float2 *second, __global float *sums, const ulong size) {
    __local float partial[WORK];
    const size_t frame = get_global_id(1);
    float sum = 0.0f;
    for (size_t at = get_global_id(0); at < size; at += get_global_size(0))
        sum += dot(first[frame * size + at], second[frame * size + at]);
    partial[get_local_id(0)] = sum;
    for (int half_size = WORK / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (get_local_id(0) < half_size) partial[get_local_id(0)] += partial[get_local_id(0) + half_size];
    }
    if (get_local_id(0) == 0) sums[frame * get_num_groups(0) + get_group_id(0)] = partial[0];
}

__kernel __attribute__((reqd_work_group_size(WORK, 1, 1))) void largest(
    __global const float2 *field, __global float *sums, const ulong size) {
    __local float partial[WORK];
    const size_t frame = get_global_id(1);
    float most = 0.0f;
    for (size_t at = get_global_id(0); at < size; at += get_global_size(0))
        most = fmax(most, fmax(field[frame * size + at].x, field[frame * size + at].y));
    partial[get_local_id(0)] = most;
    for (int half_size = WORK / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (get_local_id(0) < half_size)
            partial[get_local_id(0)] = fmax(partial[get_local_id(0)], partial[get_local_id(0) + half_size]);
    }
    if (get_local_id(0) == 0) sums[frame * get_num_groups(0) + get_group_id(0)] = partial[0];
}

// 1 / v where v > least[frame], else zero.
__kernel void invert(__global const float2 *field, __global const float *least, __global float2 *result,
                     const ulong size) {
    const size_t at = get_global_id(0), frame = get_global_id(1), i = frame * size + at;
    if (at < size) result[i] = select((float2)(0.0f), 1.0f / field[i], field[i] > least[frame]);
}
