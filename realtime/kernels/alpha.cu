// The network's alpha, made ready for full resolution: smoothed over time, then either as it is or as the coefficients
// of a guided filter. What leaves is one pair (a, b) a pixel; full resolution shows a * gray + b with gray from 0 to 255, so the plain matte is
// (0, alpha).

// The two kernels of steady mattes are the CPU path's picture/steady.py, whose constants they are given. All but the
// totals are (h, w).

// How far each place has moved since the kept luma: the largest |mean change| of the 3 x 3 squares around it, borders
// repeated, in grey levels. To `total` goes the number of pixels that changed by more than cut. A block's threads are a power of two.
__device__ inline void find_movement(const float *luma, const float *kept_luma, float *moved, float *total, int width,
                                     int height, float cut) {
    DYNAMIC_SHARED(shared);
    float *sums = shared;
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    float own = 0.0f;
    if (at < width * height) {
        const int x = at % width, y = at / width;
        float most = 0.0f;
        for (int j = -1; j <= 1; j++)
            for (int i = -1; i <= 1; i++) {
                const int cx = clamped(x + i, 0, width - 1), cy = clamped(y + j, 0, height - 1);
                float sum = 0.0f;
                for (int row = cy - 1; row <= cy + 1; row++)
                    for (int column = cx - 1; column <= cx + 1; column++) {
                        const int near = clamped(row, 0, height - 1) * width + clamped(column, 0, width - 1);
                        sum += luma[near] - kept_luma[near];
                    }
                most = fmaxf(most, fabsf(sum) * (1.0f / 9.0f));
            }
        moved[at] = most;
        own = fabsf(luma[at] - kept_luma[at]) > cut ? 1.0f : 0.0f;
    }
    sums[threadIdx.x] = own;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0)
        atomicAdd(total, sums[0]);
}

extern "C" __global__ void movement(const float *luma, const float *kept_luma, float *moved, float *total, int width,
                                    int height, float cut) {
    find_movement(luma, kept_luma, moved, total, width, height, cut);
}

__device__ inline float ramp(float x, float from, float to) { return __saturatef((x - from) / (to - from)); }

struct Steady {
    float rest, apart0, apart1, moved0, moved1, sure, leave, held;

    __device__ float weight(float alpha, float before, float moved) const {
        float w = rest + (1.0f - rest) * ramp(fabsf(alpha - before), apart0, apart1);
        if ((before < sure && alpha < leave) || (1.0f - before < sure && 1.0f - alpha < leave))
            w *= held;
        return fmaxf(w, ramp(moved, moved0, moved1));
    }
};

// kept_alpha: the steady alpha of the frame before, NaN where there is none. bad becomes 1 when an alpha is no number;
// that pixel is then background, which shows nothing of the room.
template <class Value>
__device__ void take_alpha(const Value *output, const float *luma, const float *moved, const float *total,
                           float *kept_alpha, float *kept_luma, float2 *pairs, int *bad, int count, const Steady &steady) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count)
        return;
    float alpha = value(output[at]);
    if (!(alpha > -1e4f && alpha < 1e4f)) {
        *bad = 1;
        alpha = 0.0f;
    }
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
    extern "C" __global__ void take_alpha_##TYPE(                                                                      \
        const VALUE *output, const float *luma, const float *moved, const float *total, float *kept_alpha,             \
        float *kept_luma, float2 *pairs, int *bad, int count, float rest, float apart0, float apart1, float moved0,    \
        float moved1, float sure, float leave, float held) {                                                           \
        take_alpha(output, luma, moved, total, kept_alpha, kept_luma, pairs, bad, count,                               \
                   Steady{rest, apart0, apart1, moved0, moved1, sure, leave, held});                                   \
    }

TAKE_ALPHA(f16, Half)
TAKE_ALPHA(f32, float)

// Guided upsampling, the CPU path's picture/guided.py: in each square of 2 radius + 1 pixels (borders repeated), with
// luma y in [0, 1], gain = cov(y, p) / (var(y) + epsilon) after He and Sun, "Fast Guided Filter", 2015, and the line
// gain * luma + p - gain * y, stretched so that low becomes 0 and high 1. Where the square holds nothing between, the
// gain is 0. luma, alpha, pairs: (h, w).
extern "C" __global__ void guided_pairs(const float *luma, const float *alpha, float2 *pairs, int width, int height,
                                        int radius, float epsilon, float low, float high) {
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
    if (most <= low || least >= high)
        gain = 0.0f;
    const float stretch = 1.0f / (high - low);
    pairs[at] = make_float2(gain * stretch * unit, (p - gain * here * unit - low) * stretch);
}
