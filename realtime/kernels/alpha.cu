// The network's alpha, made ready for full resolution: smoothed over time, then either as it is or as the coefficients
// of a guided filter. What leaves is one pair (a, b) a pixel; full resolution shows a * gray + b with gray from 0 to 255, so the plain matte is
// (0, alpha).

// state: the smoothed alpha of the last frame; NaN where there is none. The step towards the new alpha grows with how
// far they are apart, so that still edges are steady and moving ones do not ghost: least = 1 switches smoothing off.
// bad becomes 1 when an alpha is no number; that pixel is then background, which shows nothing of the room.
template <class Value>
__device__ void take_alpha(const Value *output, float *state, float2 *pairs, int *bad, int count, float least, float slope) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count)
        return;
    float alpha = value(output[at]);
    if (!(alpha > -1e4f && alpha < 1e4f)) {
        *bad = 1;
        alpha = 0.0f;
    }
    alpha = fminf(fmaxf(alpha, 0.0f), 1.0f);
    const float before = state[at];
    if (before >= 0.0f && before <= 1.0f)
        alpha = before + fminf(least + slope * fabsf(alpha - before), 1.0f) * (alpha - before);
    state[at] = alpha;
    pairs[at] = make_float2(0.0f, alpha);
}

extern "C" __global__ void take_alpha_f16(const Half *output, float *state, float2 *pairs, int *bad, int count, float least,
                                          float slope) {
    take_alpha(output, state, pairs, bad, count, least, slope);
}

extern "C" __global__ void take_alpha_f32(const float *output, float *state, float2 *pairs, int *bad, int count, float least,
                                          float slope) {
    take_alpha(output, state, pairs, bad, count, least, slope);
}

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
