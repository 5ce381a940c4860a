// The guided filter of picture/guided_filter.py, whose constants are passed in: the coefficients (a, b) of each pixel,
// for alpha = a * gray + b at full resolution with gray from 0 to 255.
//
// In each square of 2 radius + 1 pixels (borders repeated), with luma y in [0, 1], a = cov(y, p) / (var(y) + eps) after
// He and Sun, "Fast Guided Filter", 2015, and b = p - a * y, stretched so that `low` becomes 0 and `high` becomes 1.
// Where the square spans less than `span` of alpha, a is smaller in proportion; where no alpha is between low and high,
// it is 0. luma, alpha, coefficients: (h, w).
extern "C" __global__ void guided_filter(const float *luma, const float *alpha, float2 *coefficients, int width,
                                         int height, int radius, float eps, float low, float high, float span) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= width * height)
        return;
    const int x = at % width, y = at / width;
    // Moments about this pixel's own luma: differences of large sums would lose precision.
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
    float a = (sum_yp * share - mean_y * mean_p) / (fmaxf(sum_yy * share - mean_y * mean_y, 0.0f) + eps);
    a *= fminf(1.0f, (most - least) / span);
    if (most <= low || least >= high)
        a = 0.0f;
    const float stretch = 1.0f / (high - low);
    coefficients[at] = make_float2(a * stretch * unit, (p - a * here * unit - low) * stretch);
}
