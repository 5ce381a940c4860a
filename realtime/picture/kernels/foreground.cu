// The person's own colours and what the room's tint leaves of them, on grids of square cells: the CPU path's
// picture/foreground.py and picture/despill.py, whose constants these kernels are given. `compose_own` lays them.
//
// A cell is a float4: b, g, r from 0 to 255 times a weight, and the weight. Planes of cells lie one after another.
// seen: what the network saw, (h, w), a word of b, g, r a pixel. Sizes: width, height of the network; columns, rows of
// a grid.

__device__ inline float4 plus(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}
__device__ inline float4 times(float4 a, float k) {
    return make_float4(a.x * k, a.y * k, a.z * k, a.w * k);
}
__device__ inline float4 colour_of(unsigned seen) {
    return make_float4(byte_of(seen, 0), byte_of(seen, 1), byte_of(seen, 2), 1.0f);
}

// Where, between the centres of cells, a place lies: bilinear with repeated borders.
struct Spot {
    int upper_left, upper_right, lower_left, lower_right;
    float right, lower;

    __device__ Spot(float x, float y, int width, int height) {
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

// The centre of a grid's cell among the network's, `step` of which a cell is wide.
__device__ inline Spot spot_of(int at, int columns, float step_x, float step_y, int width, int height) {
    return Spot((at % columns + 0.5f) * step_x - 0.5f, (at / columns + 0.5f) * step_y - 0.5f, width, height);
}

__device__ inline float fourth(float x) {
    return x * x * (x * x);
}

// Plane 0: colours by share^4, the person's; plane 1: by (1 - share)^4, the room's.
extern "C" __global__ void grid_known(const unsigned *seen, const float *alpha, float4 *known, int width, int height,
                                      int columns, int rows, float step_x, float step_y, float low, float high) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= columns * rows)
        return;
    const Spot spot = spot_of(at, columns, step_x, step_y, width, height);
    const float4 colour = spot.of(seen);
    const float share = ramp(spot.of(alpha), low, high);
    known[at] = times(colour, fourth(share));
    known[columns * rows + at] = times(colour, fourth(1.0f - share));
}

// Means of 2 x 2 cells, the last column or row repeated to an even count.
extern "C" __global__ void grid_halve(const float4 *known, float4 *half, int columns, int rows, int planes) {
    const int across = (columns + 1) / 2, down = (rows + 1) / 2, at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= planes * across * down)
        return;
    const float4 *plane = known + size_t(at / (across * down)) * columns * rows;
    const int x0 = at % across * 2, y0 = at / across % down * 2, x1 = min(x0 + 1, columns - 1),
              y1 = min(y0 + 1, rows - 1);
    const float4 upper = plus(plane[y0 * columns + x0], plane[y0 * columns + x1]);
    half[at] = times(plus(upper, plus(plane[y1 * columns + x0], plane[y1 * columns + x1])), 0.25f);
}

// (box3(known) + least * coarser) / (box3(weight) + least); with coarse_columns 0, the coarsest level, without coarser.
extern "C" __global__ void grid_fill(const float4 *known, const float4 *coarser, float4 *filled, int columns, int rows,
                                     int coarse_columns, int coarse_rows, int planes, float least) {
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
        const Spot spot((x + 0.5f) * coarse_columns / columns - 0.5f, (y + 0.5f) * coarse_rows / rows - 0.5f,
                        coarse_columns, coarse_rows);
        near = plus(near, times(spot.of(coarser + size_t(which) * coarse_columns * coarse_rows), least));
    }
    filled[at] = times(near, whole);
}

// sums (4,): b, g, r and the number of the network's cells with alpha below low, added to what is there. Some blocks,
// of a power of two of threads, go over all cells.
extern "C" __global__ void room_sums(const unsigned *seen, const float *alpha, float *sums, int count, float low) {
    DYNAMIC_SHARED(of_threads);
    float4 *sum = reinterpret_cast<float4 *>(of_threads);
    float4 mine = make_float4(0, 0, 0, 0);
    for (int at = blockIdx.x * blockDim.x + threadIdx.x; at < count; at += gridDim.x * blockDim.x)
        if (alpha[at] < low)
            mine = plus(mine, colour_of(seen[at]));
    sum[threadIdx.x] = mine;
    for (unsigned left = blockDim.x / 2; left > 0; left /= 2) {
        __syncthreads();
        if (threadIdx.x < left)
            sum[threadIdx.x] = plus(sum[threadIdx.x], sum[threadIdx.x + left]);
    }
    if (threadIdx.x)
        return;
    atomicAdd(sums, sum[0].x);
    atomicAdd(sums + 1, sum[0].y);
    atomicAdd(sums + 2, sum[0].z);
    atomicAdd(sums + 3, sum[0].w);
}

// The room's mean colour less its grey, as a direction; strength: from 0, no strong colour, to 1.
struct Tint {
    float b, g, r, strength;

    __device__ Tint(const float *sums, float from, float to) {
        const float share = sums[3] > 0.0f ? 1.0f / sums[3] : 0.0f;
        b = sums[0] * share;
        g = sums[1] * share;
        r = sums[2] * share;
        const float grey = (b + g + r) * (1.0f / 3.0f);
        b -= grey;
        g -= grey;
        r -= grey;
        const float length = sqrtf(b * b + g * g + r * r), unit = length > 0.0f ? 1.0f / length : 0.0f;
        b *= unit;
        g *= unit;
        r *= unit;
        strength = ramp(length, from, to);
    }

    __device__ float of(float4 colour) const {
        return colour.x * b + colour.y * g + colour.z * r;
    }
};

extern "C" __global__ void grid_share(const float *alpha, float *share, int width, int height, int columns, int rows,
                                      float step_x, float step_y, float low, float high) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < columns * rows)
        share[at] = ramp(spot_of(at, columns, step_x, step_y, width, height).of(alpha), low, high);
}

// Colours by the fourth power of the least share within `radius` cells: the person's, deep inside.
extern "C" __global__ void deep_known(const unsigned *seen, const float *share, float4 *known, int width, int height,
                                      int columns, int rows, float step_x, float step_y, int radius) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= columns * rows)
        return;
    float least = 1.0f;
    for (int j = -radius; j <= radius; j++)
        for (int i = -radius; i <= radius; i++) {
            const int x = clamped(at % columns + i, 0, columns - 1), y = clamped(at / columns + j, 0, rows - 1);
            least = fminf(least, share[y * columns + x]);
        }
    known[at] = times(spot_of(at, columns, step_x, step_y, width, height).of(seen), fourth(least));
}

// A cell's pair: how much of the room's tint the person may have, in levels, and how much of what is more goes:
// times * Gaussian(1 - share), at most 1, times the tint's strength.
extern "C" __global__ void despill_limits(const float4 *filled, const float *share, const float *sums, float2 *limits,
                                          int columns, int rows, int radius, float sigma, float near_times, float from,
                                          float to) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= columns * rows)
        return;
    const Tint tint(sums, from, to);
    const float fall = -0.5f / (sigma * sigma);
    float around = 0.0f, weights = 0.0f;
    for (int j = -radius; j <= radius; j++)
        for (int i = -radius; i <= radius; i++) {
            const int x = clamped(at % columns + i, 0, columns - 1), y = clamped(at / columns + j, 0, rows - 1);
            const float weight = expf(fall * float(i * i + j * j));
            around += weight * (1.0f - share[y * columns + x]);
            weights += weight;
        }
    limits[at] =
        make_float2(fmaxf(tint.of(filled[at]), 0.0f), __saturatef(near_times * around / weights) * tint.strength);
}

// One step of --edge: alpha (h, w) mixed with the most (grows) or the least of itself and its four neighbours, then
// made steeper around one half.
extern "C" __global__ void move_edge(const float *alpha, float *moved, int width, int height, int grows, float share,
                                     float steeper) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= width * height)
        return;
    const int x = at % width, y = at / width;
    const float here = alpha[at], left = alpha[at - (x > 0)], right = alpha[at + (x + 1 < width)];
    const float up = alpha[at - (y > 0 ? width : 0)], down = alpha[at + (y + 1 < height ? width : 0)];
    const float most = fmaxf(fmaxf(fmaxf(left, right), fmaxf(up, down)), here);
    const float least = fminf(fminf(fminf(left, right), fminf(up, down)), here);
    const float mixed = here + share * ((grows ? most : least) - here);
    moved[at] = steeper == 1.0f ? mixed : __saturatef((mixed - 0.5f) * steeper + 0.5f);
}
