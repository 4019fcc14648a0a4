// What a device computes at most: float32 multiply-adds, and the steps of its matrix units, all else left out.
//
// ``float_rate``   128 ``steps`` operations v <- v a + b (64 multiply-adds of 32 chains) a work-item, in registers
// ``matrix_rate``  8 ``steps`` products (16 x 16) (16 x 8) a warp of 32 work-items, in registers
// (Williams, Waterman and Patterson 2009, Commun. ACM 52, 65: the ceilings of a roofline.)
// Results are stored so that no compiler may leave the work out. ``matrix_rate`` is there where PTX is defined.
// needs matrix_units.cl for ``matrix_rate``

__kernel void float_rate(__global float *out, const int steps, const float a, const float b) {
    float8 v[4];
    for (int i = 0; i < 4; i++) v[i] = (float8)(get_local_id(0) + i);
    for (int step = 0; step < steps; step++) {
        _Pragma("unroll") for (int repeat = 0; repeat < 2; repeat++) {
            _Pragma("unroll") for (int i = 0; i < 4; i++) v[i] = fma(v[i], (float8)(a), (float8)(b));
        }
    }
    const float8 sums = v[0] + v[1] + v[2] + v[3];
    const float4 sum = sums.lo + sums.hi;
    out[get_global_id(0)] = sum.x + sum.y + sum.z + sum.w;
}

#ifdef PTX
inline void matrix_steps(SCRATCH_ARGUMENT float *sums, const uint4 a, const uint2 b, const int steps) {
    for (int step = 0; step < steps; step++) {
        _Pragma("unroll") for (int i = 0; i < 8; i++) { multiply_add(sums + 4 * i, a, b); }
    }
}

__kernel void matrix_rate(__global float *out, const int steps, const uint a, const uint b) {
    SCRATCH
    float sums[32];
    _Pragma("unroll") for (int i = 0; i < 32; i++) sums[i] = 0.0f;
    matrix_steps(SCRATCH_GIVEN sums, (uint4)(a), (uint2)(b), steps);
    float sum = 0.0f;
    _Pragma("unroll") for (int i = 0; i < 32; i++) sum += sums[i];
    out[get_global_id(0)] = sum;
}
#endif
