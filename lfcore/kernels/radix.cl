// Small discrete Fourier transforms held in registers.
//
//     X[k] = sum over n of x[n] exp(-2 pi i n k / R),    R = 2 3 4 5 6 8 9 10 12 15 16
//
// Each works in place on a private array of R complex numbers (float2: real, imaginary), natural order in and out. The
// composite ones split R = A B (Cooley and Tukey 1965, Math. Comput. 19, 297). The inverse is the same with real and
// imaginary parts exchanged before and after. A kernel that includes this file indexes its arrays with constants only
// (unrolled loops), so that they stay in registers.

inline float2 times(float2 a, float2 b) { return (float2)(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }

inline float2 over_i(float2 a) { return (float2)(a.y, -a.x); }

inline void dft_2(float2 *v) {
    const float2 a = v[0];
    v[0] = a + v[1];
    v[1] = a - v[1];
}

inline void dft_3(float2 *v) {
    const float2 sum = v[1] + v[2], turned = over_i(v[1] - v[2]) * 0.866025404f;
    const float2 rest = v[0] - 0.5f * sum;
    v[0] += sum;
    v[1] = rest + turned;
    v[2] = rest - turned;
}

inline void dft_4(float2 *v) {
    const float2 a = v[0] + v[2], b = v[0] - v[2], c = v[1] + v[3], d = over_i(v[1] - v[3]);
    v[0] = a + c;
    v[1] = b + d;
    v[2] = a - c;
    v[3] = b - d;
}

inline void dft_5(float2 *v) {
    const float2 a = v[1] + v[4], b = v[2] + v[3], c = over_i(v[1] - v[4]), d = over_i(v[2] - v[3]);
    const float2 p = v[0] + 0.309016994f * a - 0.809016994f * b, q = v[0] - 0.809016994f * a + 0.309016994f * b;
    const float2 r = 0.951056516f * c + 0.587785252f * d, s = 0.587785252f * c - 0.951056516f * d;
    v[0] += a + b;
    v[1] = p + r;
    v[2] = q + s;
    v[3] = q - s;
    v[4] = p - r;
}

__constant float2 ROOTS_6[6] = {
    (float2)(1.0f, 0.0f), (float2)(0.5f, -0.866025404f), (float2)(-0.5f, -0.866025404f), (float2)(-1.0f, 0.0f),
    (float2)(-0.5f, 0.866025404f), (float2)(0.5f, 0.866025404f)
};
__constant float2 ROOTS_8[8] = {
    (float2)(1.0f, 0.0f), (float2)(0.707106781f, -0.707106781f), (float2)(0.0f, -1.0f),
    (float2)(-0.707106781f, -0.707106781f), (float2)(-1.0f, 0.0f), (float2)(-0.707106781f, 0.707106781f),
    (float2)(0.0f, 1.0f), (float2)(0.707106781f, 0.707106781f)
};
__constant float2 ROOTS_9[9] = {
    (float2)(1.0f, 0.0f), (float2)(0.766044443f, -0.64278761f), (float2)(0.173648178f, -0.984807753f),
    (float2)(-0.5f, -0.866025404f), (float2)(-0.939692621f, -0.342020143f), (float2)(-0.939692621f, 0.342020143f),
    (float2)(-0.5f, 0.866025404f), (float2)(0.173648178f, 0.984807753f), (float2)(0.766044443f, 0.64278761f)
};
__constant float2 ROOTS_10[10] = {
    (float2)(1.0f, 0.0f), (float2)(0.809016994f, -0.587785252f), (float2)(0.309016994f, -0.951056516f),
    (float2)(-0.309016994f, -0.951056516f), (float2)(-0.809016994f, -0.587785252f), (float2)(-1.0f, 0.0f),
    (float2)(-0.809016994f, 0.587785252f), (float2)(-0.309016994f, 0.951056516f),
    (float2)(0.309016994f, 0.951056516f), (float2)(0.809016994f, 0.587785252f)
};
__constant float2 ROOTS_12[12] = {
    (float2)(1.0f, 0.0f), (float2)(0.866025404f, -0.5f), (float2)(0.5f, -0.866025404f), (float2)(0.0f, -1.0f),
    (float2)(-0.5f, -0.866025404f), (float2)(-0.866025404f, -0.5f), (float2)(-1.0f, 0.0f),
    (float2)(-0.866025404f, 0.5f), (float2)(-0.5f, 0.866025404f), (float2)(0.0f, 1.0f), (float2)(0.5f, 0.866025404f),
    (float2)(0.866025404f, 0.5f)
};
__constant float2 ROOTS_15[15] = {
    (float2)(1.0f, 0.0f), (float2)(0.913545458f, -0.406736643f), (float2)(0.669130606f, -0.743144825f),
    (float2)(0.309016994f, -0.951056516f), (float2)(-0.104528463f, -0.994521895f), (float2)(-0.5f, -0.866025404f),
    (float2)(-0.809016994f, -0.587785252f), (float2)(-0.978147601f, -0.207911691f),
    (float2)(-0.978147601f, 0.207911691f), (float2)(-0.809016994f, 0.587785252f), (float2)(-0.5f, 0.866025404f),
    (float2)(-0.104528463f, 0.994521895f), (float2)(0.309016994f, 0.951056516f), (float2)(0.669130606f, 0.743144825f),
    (float2)(0.913545458f, 0.406736643f)
};
__constant float2 ROOTS_16[16] = {
    (float2)(1.0f, 0.0f), (float2)(0.923879533f, -0.382683432f), (float2)(0.707106781f, -0.707106781f),
    (float2)(0.382683432f, -0.923879533f), (float2)(0.0f, -1.0f), (float2)(-0.382683432f, -0.923879533f),
    (float2)(-0.707106781f, -0.707106781f), (float2)(-0.923879533f, -0.382683432f), (float2)(-1.0f, 0.0f),
    (float2)(-0.923879533f, 0.382683432f), (float2)(-0.707106781f, 0.707106781f),
    (float2)(-0.382683432f, 0.923879533f), (float2)(0.0f, 1.0f), (float2)(0.382683432f, 0.923879533f),
    (float2)(0.707106781f, 0.707106781f), (float2)(0.923879533f, 0.382683432f)
};

// DFT of A * B points: A-point transforms of every B-th value, roots of unity, then B-point transforms.
#define COMPOSITE(NAME, A, B, DFT_A, DFT_B, ROOTS)                    \
    inline void NAME(float2 *v) {                                     \
        float2 middle[A][B];                                          \
        _Pragma("unroll") for (int j = 0; j < B; j++) {               \
            float2 part[A];                                           \
            _Pragma("unroll") for (int i = 0; i < A; i++) part[i] = v[B * i + j]; \
            DFT_A(part);                                              \
            _Pragma("unroll") for (int i = 0; i < A; i++)             \
                middle[i][j] = (i * j == 0) ? part[i] : times(part[i], ROOTS[i * j]); \
        }                                                             \
        _Pragma("unroll") for (int i = 0; i < A; i++) {               \
            DFT_B(middle[i]);                                         \
            _Pragma("unroll") for (int j = 0; j < B; j++) v[i + A * j] = middle[i][j]; \
        }                                                             \
    }

COMPOSITE(dft_6, 3, 2, dft_3, dft_2, ROOTS_6)
COMPOSITE(dft_8, 4, 2, dft_4, dft_2, ROOTS_8)
COMPOSITE(dft_9, 3, 3, dft_3, dft_3, ROOTS_9)
COMPOSITE(dft_10, 5, 2, dft_5, dft_2, ROOTS_10)
COMPOSITE(dft_12, 4, 3, dft_4, dft_3, ROOTS_12)
COMPOSITE(dft_15, 5, 3, dft_5, dft_3, ROOTS_15)
COMPOSITE(dft_16, 4, 4, dft_4, dft_4, ROOTS_16)

// dft_##R for a radix R that is itself a macro.
#define DFT_NAMED(R) dft_##R
#define DFT(R) DFT_NAMED(R)
