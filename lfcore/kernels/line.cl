// Fourier transforms of whole lines in local memory, in place and not sorted (Gentleman and Sande 1966, AFIPS 29, 563).
//
//     forward: natural order to reversed digits, decimation in frequency
//     inverse: reversed digits to natural order, decimation in time, no factor 1 / size; real and imaginary parts of what
//              goes in and comes out are exchanged, which makes it the same code as the forward transform
//
// A work-group of LINES x ITEMS holds get_local_size(0) interleaved lines, element [position][line]; the items of
// dimension 1 share each line. The length is known at run time only, so that one program serves all grids.
//
// stages[stage]: (radix R, span M, where its roots begin, 0), a stage joins R elements M apart, the largest span first.
// roots[begin + k * M + j] = exp(-2 pi i j k / (R M)),  j < M, k < R
// needs radix.cl

// DFT of an odd prime: the cosines act on x[j] + x[R - j], the sines on x[j] - x[R - j].
#define ODD_PRIME(NAME, R, COSINES, SINES)                                                        \
    inline void NAME(float2 *v) {                                                                 \
        float2 sum[R / 2], difference[R / 2];                                                     \
        const float2 zeroth = v[0];                                                               \
        _Pragma("unroll") for (int j = 0; j < R / 2; j++) {                                       \
            sum[j] = v[j + 1] + v[R - 1 - j];                                                     \
            difference[j] = over_i(v[j + 1] - v[R - 1 - j]);                                      \
            v[0] += sum[j];                                                                       \
        }                                                                                         \
        _Pragma("unroll") for (int k = 1; k <= R / 2; k++) {                                      \
            float2 even = zeroth, odd = (float2)(0.0f);                                           \
            _Pragma("unroll") for (int j = 0; j < R / 2; j++) {                                   \
                even += COSINES[(j + 1) * k % R] * sum[j];                                        \
                odd += SINES[(j + 1) * k % R] * difference[j];                                    \
            }                                                                                     \
            v[k] = even + odd;                                                                    \
            v[R - k] = even - odd;                                                                \
        }                                                                                         \
    }

__constant float COSINES_7[7] = {
    1.0f, 0.623489802f, -0.222520934f, -0.900968868f, -0.900968868f, -0.222520934f, 0.623489802f
};
__constant float SINES_7[7] = {
    0.0f, 0.781831482f, 0.974927912f, 0.433883739f, -0.433883739f, -0.974927912f, -0.781831482f
};
__constant float COSINES_11[11] = {
    1.0f, 0.841253533f, 0.415415013f, -0.142314838f, -0.654860734f, -0.959492974f, -0.959492974f, -0.654860734f,
    -0.142314838f, 0.415415013f, 0.841253533f
};
__constant float SINES_11[11] = {
    0.0f, 0.540640817f, 0.909631995f, 0.989821442f, 0.755749574f, 0.281732557f, -0.281732557f, -0.755749574f,
    -0.989821442f, -0.909631995f, -0.540640817f
};

ODD_PRIME(dft_7, 7, COSINES_7, SINES_7)
ODD_PRIME(dft_11, 11, COSINES_11, SINES_11)

typedef struct {
    int size, stages;
} Line;

#define PLAN const Line plan, __constant const int4 *stages, __global const float2 *roots

#define FOR_LINE(POSITION) for (int POSITION = get_local_id(1); POSITION < plan.size; POSITION += get_local_size(1))

// Where this work-item's line keeps a position.
inline int at(int position) { return position * (int)get_local_size(0) + (int)get_local_id(0); }

#define BUTTERFLY(R)                                                                            \
    case R: {                                                                                   \
        float2 v[R];                                                                            \
        _Pragma("unroll") for (int k = 0; k < R; k++) v[k] = line[at(first + k * span)];        \
        if (inverse) {                                                                          \
            _Pragma("unroll") for (int k = 1; k < R; k++) v[k] = times(v[k], root[k * span]);   \
        }                                                                                       \
        DFT(R)(v);                                                                              \
        if (!inverse) {                                                                         \
            _Pragma("unroll") for (int k = 1; k < R; k++) v[k] = times(v[k], root[k * span]);   \
        }                                                                                       \
        _Pragma("unroll") for (int k = 0; k < R; k++) line[at(first + k * span)] = v[k];        \
        break;                                                                                  \
    }

// Leaves the line complete for every work-item; what it finds must be so too.
inline void transform(__local float2 *line, PLAN, int inverse) {
    for (int stage = 0; stage < plan.stages; stage++) {
        const int4 step = stages[inverse ? plan.stages - 1 - stage : stage];
        const int radix = step.x, span = step.y;
        for (int item = get_local_id(1); item < plan.size / radix; item += get_local_size(1)) {
            const int block = item / span, j = item - block * span, first = block * radix * span + j;
            __global const float2 *root = roots + step.z + j;
            switch (radix) {
                BUTTERFLY(2)
                BUTTERFLY(3)
                BUTTERFLY(4)
                BUTTERFLY(5)
                BUTTERFLY(6)
                BUTTERFLY(7)
                BUTTERFLY(8)
                BUTTERFLY(9)
                BUTTERFLY(10)
                BUTTERFLY(11)
                BUTTERFLY(15)
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
