// The camera image of a point, all images of one plane at once (lfcore/optics/psf.py is the twin in numpy).
//
//     U = F^-1{P(f) ramp(fy) ramp(fx)},   V = F^-1{T(f) F{lens U}},   image = scale * sum over a pixel's samples of |V|^2
//
// with the pupil P (apodisation, defocus), ramps that move the point, the lenslets' transmission and the free space T
// behind them (Broxton 2013, Opt. Express 21, 25418; Goodman 2005, section 3.10). Four passes, each a line transform or
// two in local memory; frequencies stay where the transform leaves them.
//
// frequency [size] int: signed frequency at each position of a transformed line
// pupil     [squares] float2: P at the squared radius i*i + j*j of whole frequencies, nothing beyond; with no squares
//           [2 reach + 1][2 reach + 1] float2 (y, x), of a pupil that is not round
// ramps     [offset][2 reach + 1] float2: frequencies -reach .. reach, the pupil's;  offsets [point] int2: (y, x)
// near      [point][y][near_stride] float2: column c has the frequency c - reach
// field     [point][y][stride] float2: x or, in the order of ``frequency``, its frequencies
// needs radix.cl line.cl

typedef struct {
    int reach, squares;       // of the pupil, frequencies and table
    int near_stride, stride;  // columns that are kept of each row
    int start, side, fine;    // first sample of the window; pixels a side of it; samples a pixel's side
    int cell;                 // samples a lenslet's side
    int first;                // point among all, of which this launch has some
} Field;

// T in the field's order. ``quarter``[|f|]: (phase factor, real and imaginary; (lambda f)^2; 0) of frequencies up to
// half the size. Phases are large: the paraxial part comes from the table, exact, and only the small rest is computed,
//     sqrt(1 - s) - 1 = -s / 2 - s^2 / (2 (1 + sqrt(1 - s))^2).
__kernel void travel_table(const Line plan, __global const int *frequency, __global const float4 *quarter,
                           const float cycles, const int stride, __global float2 *travel) {
    const int row = get_global_id(1), column = get_global_id(0);
    const float4 y = quarter[abs(frequency[row])], x = quarter[abs(frequency[column])];
    const float squared = y.z + x.z, root = sqrt(fmax(1.0f - squared, 0.0f));
    const float ratio = squared / (1.0f + root);
    const float rest = -0.5f * cycles * ratio * ratio;
    const float scale = squared < 1.0f ? 1.0f / ((float)plan.size * plan.size) : 0.0f;
    travel[row * stride + column] = scale * times(times(y.xy, x.xy), (float2)(cos(rest), sin(rest)));
}

// Columns of the pupil, inverse along y. Groups (blocks of columns, points).
__kernel void pupil_columns(PLAN, __global const int *frequency, const Field field, __global const float2 *pupil,
                            __global const float2 *ramps, __global const int2 *offsets, __global float2 *near,
                            __local float2 *line) {
    const int column = get_global_id(0), kx = column - field.reach, ramp_size = 2 * field.reach + 1;
    const int2 offset = offsets[field.first + get_group_id(2)] * ramp_size + field.reach;
    near += (size_t)get_group_id(2) * plan.size * field.near_stride + column;
    FOR_LINE(position) {
        const int ky = frequency[position], square = ky * ky + kx * kx;
        const int place = field.squares ? square : (ky + field.reach) * ramp_size + kx + field.reach;
        const int inside = field.squares ? square < field.squares : max(abs(ky), abs(kx)) <= field.reach;
        float2 value = (float2)(0.0f);
        if (inside) value = times(pupil[place], times(ramps[offset.x + ky], ramps[offset.y + kx])).yx;
        line[at(position)] = value;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    transform(line, plan, stages, roots, 1);
    if (column < field.near_stride) FOR_LINE(y) near[y * field.near_stride] = line[at(y)].yx;
}

// Rows: inverse along x, times the lenslets, forward. Groups (rows, points). ``lens``[cell][cell] is one lenslet.
__kernel void lenslet_rows(PLAN, __global const int *frequency, const Field field, __global const float2 *near,
                           __global const float2 *lens, __global float2 *spectrum, __local float2 *line) {
    const size_t row = (size_t)get_group_id(2) * plan.size + get_group_id(0);
    // The window begins at a lenslet's edge; the modulus is of numbers that are not negative.
    const int before = field.cell - field.start % field.cell;
    near += row * field.near_stride + field.reach;
    spectrum += row * field.stride;
    lens += ((int)get_group_id(0) + before) % field.cell * field.cell;
    FOR_LINE(position) {
        const int kx = frequency[position];
        line[at(position)] = abs(kx) <= field.reach ? near[kx].yx : (float2)(0.0f);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    transform(line, plan, stages, roots, 1);
    FOR_LINE(x) line[at(x)] = times(line[at(x)].yx, lens[(x + before) % field.cell]);
    barrier(CLK_LOCAL_MEM_FENCE);
    transform(line, plan, stages, roots, 0);
    FOR_LINE(position) spectrum[position] = line[at(position)];
}

// Columns: forward along y, times the free space, inverse; the rows of the window only. Groups (blocks of columns, points).
__kernel void travel_columns(PLAN, const Field field, __global const float2 *travel, __global float2 *spectrum,
                             __local float2 *line) {
    const int column = get_global_id(0), exists = column < plan.size;
    spectrum += (size_t)get_group_id(2) * plan.size * field.stride + column;
    travel += column;
    FOR_LINE(y) line[at(y)] = exists ? spectrum[y * field.stride] : (float2)(0.0f);
    barrier(CLK_LOCAL_MEM_FENCE);
    transform(line, plan, stages, roots, 0);
    if (exists) FOR_LINE(position) line[at(position)] = times(line[at(position)], travel[position * field.stride]).yx;
    barrier(CLK_LOCAL_MEM_FENCE);
    transform(line, plan, stages, roots, 1);
    const int last = field.start + field.side * field.fine;
    if (exists) FOR_LINE(y) if (y >= field.start && y < last) spectrum[y * field.stride] = line[at(y)].yx;
}

// Rows of the window: inverse along x, squared, summed over pixels. Groups (rows of pixels, points).
// ``images``[point][side][side] float; a wavelength that is not the first is added to what is there.
__kernel void camera_rows(PLAN, const Field field, __global const float2 *spectrum, const float scale,
                          const int is_first, __global float *images, __local float2 *line) {
    const int first = field.start + get_group_id(0) * field.fine;
    spectrum += ((size_t)get_group_id(2) * plan.size + first) * field.stride;
    images += ((field.first + get_group_id(2)) * field.side + get_group_id(0)) * field.side;
    for (int row = 0; row < field.fine; row++, spectrum += field.stride) {
        FOR_LINE(position) line[at(position)] = spectrum[position].yx;
        barrier(CLK_LOCAL_MEM_FENCE);
        transform(line, plan, stages, roots, 1);
        for (int pixel = get_local_id(1); pixel < field.side; pixel += get_local_size(1)) {
            float sum = 0.0f;
            for (int sample = 0; sample < field.fine; sample++) {
                const float2 value = line[at(field.start + pixel * field.fine + sample)];
                sum += dot(value, value);
            }
            const float before = is_first && row == 0 ? 0.0f : images[pixel];
            images[pixel] = before + scale * sum;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}
