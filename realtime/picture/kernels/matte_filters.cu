// The network's alpha, made ready for full resolution: smoothed over time, then either as it is or as the coefficients
// of a guided filter. What leaves is one pair (a, b) a pixel; full resolution shows a * gray + b with gray from 0 to
// 255, so the plain matte is (0, alpha).

// The two kernels of steady mattes are the CPU path's temporal_filter.py, whose constants they are given. All but the
// totals are (h, w).

// How far each place has moved since the kept luma: the largest |mean change| of the 3 x 3 squares around it, borders
// repeated, in grey levels. To `total` goes the number of pixels that changed by more than cut. A block of
// TILE_W * TILE_H threads makes one tile of the plane, from the changes in it and two around it.
const int TILE_W = 32, TILE_H = 8;

extern "C" __global__ void temporal_movement(const float *luma, const float *kept_luma, float *moved, float *total,
                                             int width, int height, float cut) {
    DYNAMIC_SHARED(changes);
    const int CHANGES_W = TILE_W + 4, MEANS_W = TILE_W + 2, CHANGES = CHANGES_W * (TILE_H + 4);
    const int left = int(blockIdx.x) * TILE_W, top = int(blockIdx.y) * TILE_H, threads = TILE_W * TILE_H;
    float *means = changes + CHANGES;
    for (int i = threadIdx.x; i < CHANGES; i += threads) {
        const int x = clamped(left - 2 + i % CHANGES_W, 0, width - 1),
                  y = clamped(top - 2 + i / CHANGES_W, 0, height - 1);
        changes[i] = luma[y * width + x] - kept_luma[y * width + x];
    }
    __syncthreads();
    for (int i = threadIdx.x; i < MEANS_W * (TILE_H + 2); i += threads) {
        // Beyond the border stands the border's own mean, not that of changes repeated further.
        const int x = clamped(left - 1 + i % MEANS_W, 0, width - 1) - left + 2;
        const int y = clamped(top - 1 + i / MEANS_W, 0, height - 1) - top + 2;
        float sum = 0.0f;
#pragma unroll
        for (int j = -1; j <= 1; j++)
#pragma unroll
            for (int k = -1; k <= 1; k++)
                sum += changes[(y + j) * CHANGES_W + x + k];
        means[i] = fabsf(sum) * (1.0f / 9.0f);
    }
    const int column = threadIdx.x % TILE_W, row = threadIdx.x / TILE_W, x = left + column, y = top + row;
    const bool inside = x < width && y < height;
    // A barrier too: after it all means are there.
    const int many = __syncthreads_count(inside && fabsf(changes[(row + 2) * CHANGES_W + column + 2]) > cut);
    if (threadIdx.x == 0 && many)
        atomicAdd(total, float(many));
    if (!inside)
        return;
    float most = 0.0f;
#pragma unroll
    for (int j = 0; j < 3; j++)
#pragma unroll
        for (int k = 0; k < 3; k++)
            most = fmaxf(most, means[(row + j) * MEANS_W + column + k]);
    moved[y * width + x] = most;
}

__device__ inline float ramp(float x, float from, float to) {
    return __saturatef((x - from) / (to - from));
}

struct TemporalRules {
    float rest, apart0, apart1, moved0, moved1, sure, leave, held;

    __device__ float weight(float alpha, float before, float moved) const {
        float w = rest + (1.0f - rest) * ramp(fabsf(alpha - before), apart0, apart1);
        if ((before < sure && alpha < leave) || (1.0f - before < sure && 1.0f - alpha < leave))
            w *= held;
        if (alpha < sure || alpha > 1.0f - sure)
            w = 1.0f;
        return fmaxf(w, ramp(moved, moved0, moved1));
    }
};

// kept_alpha: the steady alpha of the frame before, NaN where there is none. To told[0] goes the number of alphas that
// are no number or outside [0, 1] by more than rounding; these pixels are then background, which shows nothing of the
// room. To told[1] goes the number of alphas above shows.
template <class Value>
__device__ void temporal_filter(const Value *output, const float *luma, const float *moved, const float *total,
                                float *kept_alpha, float *kept_luma, float2 *pairs, int *told, int count, float shows,
                                float rounding, const TemporalRules &steady) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    float alpha = at < count ? value(output[at]) : 0.0f;
    const bool wrong = !(alpha >= -rounding && alpha <= 1.0f + rounding); // so that NaN is wrong too
    if (wrong)
        alpha = 0.0f;
    const int wrong_ones = __syncthreads_count(wrong), many = __syncthreads_count(alpha > shows);
    if (threadIdx.x == 0 && wrong_ones)
        atomicAdd(told, wrong_ones);
    if (threadIdx.x == 0 && many)
        atomicAdd(told + 1, many);
    if (at >= count)
        return;
    alpha = fminf(fmaxf(alpha, 0.0f), 1.0f);
    const float before = kept_alpha[at];
    float seen = luma[at];
    if (before >= 0.0f && before <= 1.0f && *total * 2.0f <= count) {
        const float weight = steady.weight(alpha, before, moved[at]);
        alpha = before + weight * (alpha - before);
        seen = kept_luma[at] + weight * (seen - kept_luma[at]);
    }
    kept_alpha[at] = alpha;
    kept_luma[at] = seen;
    pairs[at] = make_float2(0.0f, alpha);
}

#define TAKE_ALPHA(TYPE, VALUE)                                                                                        \
    extern "C" __global__ void temporal_filter_##TYPE(                                                                 \
        const VALUE *output, const float *luma, const float *moved, const float *total, float *kept_alpha,             \
        float *kept_luma, float2 *pairs, int *told, int count, float shows, float rounding, float rest, float apart0,  \
        float apart1, float moved0, float moved1, float sure, float leave, float held) {                               \
        temporal_filter(output, luma, moved, total, kept_alpha, kept_luma, pairs, told, count, shows, rounding,        \
                        TemporalRules{rest, apart0, apart1, moved0, moved1, sure, leave, held});                       \
    }

TAKE_ALPHA(f16, Half)
TAKE_ALPHA(f32, float)

// Guided upsampling, the CPU path's guided_filter.py: in each square of 2 radius + 1 pixels (borders repeated), with
// luma y in [0, 1], gain = cov(y, p) / (var(y) + epsilon) after He and Sun, "Fast Guided Filter", 2015, and the line
// gain * luma + p - gain * y, stretched so that low becomes 0 and high 1. Where the square spans less than `span` of
// alpha, the gain is less in proportion; where it holds nothing between low and high, 0. luma, alpha, pairs: (h, w).
extern "C" __global__ void guided_filter(const float *luma, const float *alpha, float2 *pairs, int width, int height,
                                         int radius, float epsilon, float low, float high, float span) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= width * height)
        return;
    const int x = at % width, y = at / width;
    // Moments about this pixel's own luma: differences of large sums would lose digits.
    const float here = luma[at], p = alpha[at], unit = 1.0f / 255.0f;
    float sum_y = 0, sum_p = 0, sum_yy = 0, sum_yp = 0, least = p, most = p;
    for (int j = -radius; j <= radius; j++)
        for (int i = -radius; i <= radius; i++) {
            const int near = clamped(y + j, 0, height - 1) * width + clamped(x + i, 0, width - 1);
            const float l = (luma[near] - here) * unit, q = alpha[near];
            sum_y += l;
            sum_p += q;
            sum_yy += l * l;
            sum_yp += l * q;
            least = fminf(least, q);
            most = fmaxf(most, q);
        }
    const float share = 1.0f / float((2 * radius + 1) * (2 * radius + 1));
    const float mean_y = sum_y * share, mean_p = sum_p * share;
    float gain = (sum_yp * share - mean_y * mean_p) / (fmaxf(sum_yy * share - mean_y * mean_y, 0.0f) + epsilon);
    gain *= fminf(1.0f, (most - least) / span);
    if (most <= low || least >= high)
        gain = 0.0f;
    const float stretch = 1.0f / (high - low);
    pairs[at] = make_float2(gain * stretch * unit, (p - gain * here * unit - low) * stretch);
}
