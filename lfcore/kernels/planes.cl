// Planes that are sums of planes, in place: x[j] = sum over k of mixture[j][k] u[k].
//
// Field: [frame][plane][value] float2, ``size`` values a plane. A work-item takes one value of all planes, through its
// own column of local memory; a row of the mixture is zero outside planes ``span[j].x`` to ``span[j].y - 1``.
// Launch: (values, frames), work-groups of (ITEMS, 1). Compile-time: PLANES, ITEMS.

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void mix_planes(
    __global float2 *field, __global const float *mixture, __global const int2 *span, const ulong size) {
    __local float2 columns[PLANES * ITEMS];
    __local float2 *column = columns + get_local_id(0);
    const size_t at = get_global_id(0);
    if (at >= size) return;
    field += get_global_id(1) * PLANES * size + at;
    for (int k = 0; k < PLANES; k++) column[k * ITEMS] = field[k * size];
    for (int j = 0; j < PLANES; j++) {
        float2 sum = 0.0f;
        for (int k = span[j].x; k < span[j].y; k++) sum += mixture[j * PLANES + k] * column[k * ITEMS];
        field[j * size] = sum;
    }
}
