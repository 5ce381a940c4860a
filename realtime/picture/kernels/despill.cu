// Despill: picture/despill.py, whose constants are passed in. Cells and sizes are those of foreground.cu.

// Adds b, g, r and the number of the pixels with alpha below `low` to sums (4,). A few blocks, each with a power of two
// of threads, loop over all pixels.
extern "C" __global__ void despill_sums(const unsigned *seen, const float *alpha, float *sums, int count, float low) {
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

// The room's mean colour minus its grey, as a direction. strength: from 0, without one strong colour, to 1.
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

extern "C" __global__ void despill_share(const float *alpha, float *share, int width, int height, int columns, int rows,
                                         float step_x, float step_y, float low, float high) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < columns * rows)
        share[at] = ramp(at_cell(at, columns, step_x, step_y, width, height).of(alpha), low, high);
}

// Colours weighted by the fourth power of the smallest share within `radius` cells: the person's, deep inside.
extern "C" __global__ void despill_known(const unsigned *seen, const float *share, float4 *known, int width, int height,
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
    known[at] = times(at_cell(at, columns, step_x, step_y, width, height).of(seen), fourth(least));
}

// For each cell, how much of the room's tint the person may have, in levels, and the share of the excess that is
// removed: near_times * Gaussian(1 - share), at most 1, times the tint's strength.
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

// Removes the excess of the room's tint from a colour in place. limits: of `despill_limits` at this pixel.
__device__ inline void despill(float &b, float &g, float &r, const Tint &tint, float2 limits) {
    const float excess = fmaxf(b * tint.b + g * tint.g + r * tint.r - limits.x, 0.0f) * limits.y;
    b -= excess * tint.b;
    g -= excess * tint.g;
    r -= excess * tint.r;
}
