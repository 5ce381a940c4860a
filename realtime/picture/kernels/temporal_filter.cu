// The temporal filter of picture/temporal_filter.py, whose constants are passed in. All arrays but `total` and `counts`
// are (h, w).

// Movement since the kept luma: the largest |mean change| of the 3 x 3 squares around each pixel, borders repeated, in
// grey levels. The number of pixels that changed by more than `cut` is added to `total`. A block of TILE_W * TILE_H
// threads computes one tile of the plane from the changes in it and in two pixels around it.

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
        // Beyond the border, the border's mean is repeated, not the mean of repeated changes.
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
    // Also a barrier: all means are complete after it.
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

// Writes the filtered alpha as the guided filter's coefficients (0, alpha), which full resolution uses unless
// guided_filter overwrites them: see composite.cu. kept_alpha: the result of the frame before, NaN before the first.
// counts[0] grows by the number of alphas that are NaN or outside [0, 1] by more than `rounding`; these pixels become
// background, so that they show nothing of the room. counts[1] grows by the number of alphas above `shows`.
template <class Value>
__device__ void temporal_filter(const Value *output, const float *luma, const float *moved, const float *total,
                                float *kept_alpha, float *kept_luma, float2 *coefficients, int *counts, int count,
                                float shows, float rounding, const TemporalRules &rules) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    float alpha = at < count ? value(output[at]) : 0.0f;
    const bool wrong = !(alpha >= -rounding && alpha <= 1.0f + rounding); // written so that NaN is wrong too
    if (wrong)
        alpha = 0.0f;
    const int wrong_count = __syncthreads_count(wrong), shown_count = __syncthreads_count(alpha > shows);
    if (threadIdx.x == 0 && wrong_count)
        atomicAdd(counts, wrong_count);
    if (threadIdx.x == 0 && shown_count)
        atomicAdd(counts + 1, shown_count);
    if (at >= count)
        return;
    alpha = fminf(fmaxf(alpha, 0.0f), 1.0f);
    const float before = kept_alpha[at];
    float new_luma = luma[at];
    if (before >= 0.0f && before <= 1.0f && *total * 2.0f <= count) {
        const float weight = rules.weight(alpha, before, moved[at]);
        alpha = before + weight * (alpha - before);
        new_luma = kept_luma[at] + weight * (new_luma - kept_luma[at]);
    }
    kept_alpha[at] = alpha;
    kept_luma[at] = new_luma;
    coefficients[at] = make_float2(0.0f, alpha);
}

#define TEMPORAL_FILTER(TYPE, VALUE)                                                                                   \
    extern "C" __global__ void temporal_filter_##TYPE(                                                                 \
        const VALUE *output, const float *luma, const float *moved, const float *total, float *kept_alpha,             \
        float *kept_luma, float2 *coefficients, int *counts, int count, float shows, float rounding, float rest,       \
        float apart0, float apart1, float moved0, float moved1, float sure, float leave, float held) {                 \
        temporal_filter(output, luma, moved, total, kept_alpha, kept_luma, coefficients, counts, count, shows,         \
                        rounding, TemporalRules{rest, apart0, apart1, moved0, moved1, sure, leave, held});             \
    }

TEMPORAL_FILTER(f16, Half)
TEMPORAL_FILTER(f32, float)
