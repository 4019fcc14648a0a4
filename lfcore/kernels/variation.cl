// A step of Richardson-Lucy tempered by the total variation of the volume x before it (Dey 2006, Microsc. Res. Tech.
// 69, 260; twin: variation.py):
//
//     stepped / max(1 - strength div(grad x / sqrt(|grad x|^2 + smallest^2)), LEAST_DIVISOR)
//
// with differences of neighbouring voxels; where the volume ends there are none.
// Device layout and ``cell``, ``origin`` and ``count`` (y, x) as in fields.cl.

#define LEAST_DIVISOR 0.1f

// ``low`` and ``high`` (y, x): where the voxels that exist begin and end, counted from the field's first.
typedef struct {
    int2 cell, low, high;
    int pairs, width, planes;
} Layout;

// Index among the floats of voxel (y, x) of a plane; planes of all frames are counted together.
inline size_t place(const Layout layout, size_t plane, int y, int x) {
    const size_t channel = (plane * layout.cell.x + y % layout.cell.x) * layout.cell.y + x % layout.cell.y;
    const int row = y / layout.cell.x;
    return ((channel * layout.pairs + row / 2) * layout.width + x / layout.cell.y) * 2 + row % 2;
}

// grad x / |grad x| at a voxel, by the differences to the next along (x, y, z).
inline float3 direction(const Layout layout, __global const float *field, size_t plane, int y, int x, float smallest) {
    const float here = field[place(layout, plane, y, x)];
    float3 slope = (float3)(0.0f);
    if (x + 1 < layout.high.y) slope.x = field[place(layout, plane, y, x + 1)] - here;
    if (y + 1 < layout.high.x) slope.y = field[place(layout, plane, y + 1, x)] - here;
    if (plane % layout.planes + 1 < layout.planes) slope.z = field[place(layout, plane + 1, y, x)] - here;
    return slope / sqrt(dot(slope, slope) + smallest * smallest);
}

// Launch: (field x, field y, frame * planes), all of the field; lenslets that do not exist become zero.
__kernel void temper(__global const float *stepped, __global const float *before, __global float *result,
                     const int2 cell, const int pairs, const int width, const int2 origin, const int2 count,
                     const int planes, const float strength, __global const float *smallest) {
    const Layout layout = {cell, origin * cell, (origin + count) * cell, pairs, width, planes};
    const int x = get_global_id(0), y = get_global_id(1);
    const size_t plane = get_global_id(2), at = place(layout, plane, y, x);
    if (any((int2)(y, x) < layout.low) || any((int2)(y, x) >= layout.high)) {
        result[at] = 0.0f;
        return;
    }
    const float edge = smallest[plane / planes] > 0.0f ? smallest[plane / planes] : 1.0f;
    const float3 here = direction(layout, before, plane, y, x, edge);
    float divergence = here.x + here.y + here.z;
    if (x > layout.low.y) divergence -= direction(layout, before, plane, y, x - 1, edge).x;
    if (y > layout.low.x) divergence -= direction(layout, before, plane, y - 1, x, edge).y;
    if (plane % planes > 0) divergence -= direction(layout, before, plane - 1, y, x, edge).z;
    result[at] = stepped[at] / fmax(1.0f - strength * divergence, LEAST_DIVISOR);
}
