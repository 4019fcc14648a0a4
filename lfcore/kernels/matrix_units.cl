// One product step of a matrix unit: 16 x 8 numbers += (16 x 16) (16 x 8), spread over the 32 work-items of a warp.
//
// Factors are halves, two in a uint; sums are float32. On NVIDIA (PTX 1) it is the instruction mma.m16n8k16 of compute
// capability 8.0 (PTX ISA, section "Matrix Fragments for mma.m16n8k16"). Elsewhere the same step is done through local
// memory with the same layout, so that the kernels can be tested on any device.
// With g = lane / 4 and t = lane % 4 a lane holds
//     a: (g, 2t) (g, 2t + 1); (g + 8, the same); (g, 2t + 8) (g, 2t + 9); (g + 8, the same)
//     b: (2t, g) (2t + 1, g); (2t + 8, g) (2t + 9, g)
//     c: (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1)
// Every work-item of the work-group takes part in every step.
// Compile-time: PTX WARPS.

#if PTX
#define SCRATCH
#define SCRATCH_ARGUMENT
#define SCRATCH_GIVEN

inline uint two_halves(float low, float high) {
    uint bits;
    __asm__("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}

// The low halves of two pairs, and the high ones.
inline uint low_halves(uint first, uint second) {
    uint bits;
    __asm__("prmt.b32 %0, %1, %2, 0x5410;" : "=r"(bits) : "r"(first), "r"(second));
    return bits;
}

inline uint high_halves(uint first, uint second) {
    uint bits;
    __asm__("prmt.b32 %0, %1, %2, 0x7632;" : "=r"(bits) : "r"(first), "r"(second));
    return bits;
}

inline void multiply_add(float *c, uint4 a, uint2 b) {
    __asm__("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
            "{%0, %1, %2, %3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b.x), "r"(b.y));
}
#else
typedef struct {
    uint4 a[32 * WARPS];
    uint2 b[32 * WARPS];
} Scratch;
#define SCRATCH __local Scratch scratch;
#define SCRATCH_ARGUMENT __local Scratch *scratch,
#define SCRATCH_GIVEN &scratch,

inline uint two_halves(float low, float high) {
    uint bits;
    vstore_half2_rte((float2)(low, high), 0, (half *)&bits);
    return bits;
}

inline uint low_halves(uint first, uint second) { return (first & 0xffffu) | second << 16; }

inline uint high_halves(uint first, uint second) { return first >> 16 | (second & 0xffff0000u); }

inline float half_of(uint bits, int high) {
    const float2 pair = vload_half2(0, (const half *)&bits);
    return high ? pair.y : pair.x;
}

inline float element_a(__local const uint4 *a, int row, int k) {
    const uint4 held = a[row % 8 * 4 + k % 8 / 2];
    return half_of(row < 8 ? (k < 8 ? held.x : held.z) : (k < 8 ? held.y : held.w), k % 2);
}

inline void emulated_multiply_add(__local Scratch *scratch, float *c, uint4 a, uint2 b) {
    const int id = get_local_id(0), lane = id % 32, g = lane / 4, t = lane % 4;
    barrier(CLK_LOCAL_MEM_FENCE);
    scratch->a[id] = a;
    scratch->b[id] = b;
    barrier(CLK_LOCAL_MEM_FENCE);
    __local const uint4 *warp_a = scratch->a + id - lane;
    __local const uint2 *warp_b = scratch->b + id - lane;
    for (int i = 0; i < 4; i++) {
        const int row = g + i / 2 * 8, column = 2 * t + i % 2;
        for (int k = 0; k < 16; k++) {
            const uint2 held = warp_b[column * 4 + k % 8 / 2];
            c[i] += element_a(warp_a, row, k) * half_of(k < 8 ? held.x : held.y, k % 2);
        }
    }
}
#define multiply_add(C, A, B) emulated_multiply_add(scratch, C, A, B)
#endif
