// Foreground colours on a grid of square cells: picture/foreground.py, whose constants are passed in. composite.cu uses
// the result.
//
// A cell is a float4: b, g, r from 0 to 255 times a weight, and the weight. Planes of cells follow each other in
// memory. seen: what the network saw, (h, w), each pixel a word of b, g, r. width, height: of the network's input.
// columns, rows: of the grid.

__device__ inline float4 plus(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}
__device__ inline float4 times(float4 a, float k) {
    return make_float4(a.x * k, a.y * k, a.z * k, a.w * k);
}
__device__ inline float4 colour_of(unsigned seen) {
    return make_float4(byte_of(seen, 0), byte_of(seen, 1), byte_of(seen, 2), 1.0f);
}

// Bilinear interpolation between the centres of cells at a position, with repeated borders.
struct Bilinear {
    int upper_left, upper_right, lower_left, lower_right;
    float right, lower;

    __device__ Bilinear(float x, float y, int width, int height) {
        x = fminf(fmaxf(x, 0.0f), width - 1.0f);
        y = fminf(fmaxf(y, 0.0f), height - 1.0f);
        const int x0 = int(x), y0 = int(y), x1 = min(x0 + 1, width - 1), y1 = min(y0 + 1, height - 1);
        right = x - x0;
        lower = y - y0;
        upper_left = y0 * width + x0;
        upper_right = y0 * width + x1;
        lower_left = y1 * width + x0;
        lower_right = y1 * width + x1;
    }

    __device__ float between(float a, float b, float c, float d) const {
        const float upper = a + right * (b - a), low = c + right * (d - c);
        return upper + lower * (low - upper);
    }
    __device__ float of(const float *plane) const {
        return between(plane[upper_left], plane[upper_right], plane[lower_left], plane[lower_right]);
    }
    __device__ float2 of(const float2 *plane) const {
        const float2 a = plane[upper_left], b = plane[upper_right], c = plane[lower_left], d = plane[lower_right];
        return make_float2(between(a.x, b.x, c.x, d.x), between(a.y, b.y, c.y, d.y));
    }
    __device__ float4 of(const float4 *plane) const {
        return mean(plane[upper_left], plane[upper_right], plane[lower_left], plane[lower_right]);
    }
    __device__ float4 of(const unsigned *seen) const {
        return mean(colour_of(seen[upper_left]), colour_of(seen[upper_right]), colour_of(seen[lower_left]),
                    colour_of(seen[lower_right]));
    }
    __device__ float4 mean(float4 a, float4 b, float4 c, float4 d) const {
        return make_float4(between(a.x, b.x, c.x, d.x), between(a.y, b.y, c.y, d.y), between(a.z, b.z, c.z, d.z),
                           between(a.w, b.w, c.w, d.w));
    }
};

// At the centre of a grid's cell, which is `step` pixels of the network's input wide and high.
__device__ inline Bilinear at_cell(int at, int columns, float step_x, float step_y, int width, int height) {
    return Bilinear((at % columns + 0.5f) * step_x - 0.5f, (at / columns + 0.5f) * step_y - 0.5f, width, height);
}

__device__ inline float fourth(float x) {
    return x * x * (x * x);
}

// Plane 0: colours weighted by share^4, the person's; plane 1: by (1 - share)^4, the room's.
extern "C" __global__ void foreground_known(const unsigned *seen, const float *alpha, float4 *known, int width,
                                            int height, int columns, int rows, float step_x, float step_y, float low,
                                            float high) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= columns * rows)
        return;
    const Bilinear cell = at_cell(at, columns, step_x, step_y, width, height);
    const float4 colour = cell.of(seen);
    const float share = ramp(cell.of(alpha), low, high);
    known[at] = times(colour, fourth(share));
    known[columns * rows + at] = times(colour, fourth(1.0f - share));
}

// Means of 2 x 2 cells, the last column or row repeated to an even count.
extern "C" __global__ void foreground_halve(const float4 *known, float4 *half, int columns, int rows, int planes) {
    const int across = (columns + 1) / 2, down = (rows + 1) / 2, at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= planes * across * down)
        return;
    const float4 *plane = known + size_t(at / (across * down)) * columns * rows;
    const int x0 = at % across * 2, y0 = at / across % down * 2, x1 = min(x0 + 1, columns - 1),
              y1 = min(y0 + 1, rows - 1);
    const float4 upper = plus(plane[y0 * columns + x0], plane[y0 * columns + x1]);
    half[at] = times(plus(upper, plus(plane[y1 * columns + x0], plane[y1 * columns + x1])), 0.25f);
}

// (box3(known) + least * coarser) / (box3(weight) + least). coarse_columns is 0 at the coarsest level, without
// `coarser`.
extern "C" __global__ void foreground_fill(const float4 *known, const float4 *coarser, float4 *filled, int columns,
                                           int rows, int coarse_columns, int coarse_rows, int planes, float least) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= planes * columns * rows)
        return;
    const int which = at / (columns * rows), x = at % columns, y = at / columns % rows;
    const float4 *plane = known + size_t(which) * columns * rows;
    float4 near = make_float4(0, 0, 0, 0);
    for (int j = -1; j <= 1; j++)
        for (int i = -1; i <= 1; i++)
            near = plus(near, plane[clamped(y + j, 0, rows - 1) * columns + clamped(x + i, 0, columns - 1)]);
    near = times(near, 1.0f / 9.0f);
    const float whole = 1.0f / (near.w + least);
    if (coarse_columns > 0) {
        const Bilinear beneath((x + 0.5f) * coarse_columns / columns - 0.5f, (y + 0.5f) * coarse_rows / rows - 0.5f,
                               coarse_columns, coarse_rows);
        near = plus(near, times(beneath.of(coarser + size_t(which) * coarse_columns * coarse_rows), least));
    }
    filled[at] = times(near, whole);
}
