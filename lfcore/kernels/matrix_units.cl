// One product step of a matrix unit: 16 x 8 numbers += (16 x 8) (8 x 8), spread over the 32 work-items of a warp.
//
// TF32: float32 with 10 bits of fraction; products and sums in float32. On NVIDIA (PTX 1) it is the instruction
// mma.m16n8k8 of compute capability 8.0 (PTX ISA, section "Matrix Fragments for mma.m16n8k8"). Elsewhere the same step is
// done through local memory with the same layout, so that the kernels can be tested on any device.
// With g = lane / 4 and t = lane % 4 a lane holds
//     a: (g, t) (g + 8, t) (g, t + 4) (g + 8, t + 4)     b: (t, g) (t + 4, g)     c: (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1)
// Every work-item of the work-group takes part in every step.
// Compile-time: PTX WARPS.

#if PTX
#define SCRATCH
#define SCRATCH_ARGUMENT
#define SCRATCH_GIVEN

inline float to_tf32(float value) {
    uint bits;
    __asm__("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
    return as_float(bits);
}

inline void multiply_add(float *c, float4 a, float2 b) {
    __asm__("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(as_uint(a.x)), "r"(as_uint(a.y)), "r"(as_uint(a.z)), "r"(as_uint(a.w)), "r"(as_uint(b.x)),
              "r"(as_uint(b.y)));
}
#else
typedef struct {
    float4 a[32 * WARPS];
    float2 b[32 * WARPS];
} Scratch;
#define SCRATCH __local Scratch scratch;
#define SCRATCH_ARGUMENT __local Scratch *scratch,
#define SCRATCH_GIVEN &scratch,

inline float to_tf32(float value) { return as_float((as_uint(value) + 0x1000u) & ~0x1fffu); }

inline float element_a(__local const float4 *a, int row, int k) {
    const float4 held = a[row % 8 * 4 + k % 4];
    return row < 8 ? (k < 4 ? held.x : held.z) : (k < 4 ? held.y : held.w);
}

inline void emulated_multiply_add(__local Scratch *scratch, float *c, float4 a, float2 b) {
    const int id = get_local_id(0), lane = id % 32, g = lane / 4, t = lane % 4;
    barrier(CLK_LOCAL_MEM_FENCE);
    scratch->a[id] = a;
    scratch->b[id] = b;
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const float4 *warp_a = scratch->a + id - lane;
    __local const float2 *warp_b = scratch->b + id - lane;
    for (int i = 0; i < 4; i++) {
        const int row = g + i / 2 * 8, column = 2 * t + i % 2;
        for (int k = 0; k < 8; k++) {
            const float2 held = warp_b[column * 4 + k % 4];
            c[i] += element_a(warp_a, row, k) * (k < 4 ? held.x : held.y);
        }
    }
}
#define multiply_add(C, A, B) emulated_multiply_add(scratch, C, A, B)
#endif
