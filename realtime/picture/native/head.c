/* The network's last layers: `Head` of model/backends/_head.py. A 3x3 convolution of the features and of the picture
   itself at half resolution, whose four outputs are the alpha of a pixel's four quarters.

   With only four outputs, a library's convolution leaves most of a vector unused; here a vector holds a row's pixels.
 */

#include "rows.h"

enum { QUARTERS = 4, COLOURS = 3, TAPS = 3 };

/* exp(x) within 2e-7: 2^n from the exponent's bits, 2^f of the remaining fraction from its Taylor series. */
INLINE float exponential(float x) {
    const float t = clamped(x, -87.0f, 87.0f) * 1.44269504f;
    const int n = (int)(t + 128.5f) - 128; /* to the nearest, for t above -128 */
    const float f = (t - (float)n) * 0.69314718f;
    const float series = 1.0f + f * (1.0f + f * (0.5f + f * (1.0f / 6 + f * (1.0f / 24 + f * (1.0f / 120 + f / 720)))));
    const uint32_t bits = (uint32_t)(n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return power * series;
}

/* Splits a row of features (width, channels) into one row per channel, `stride` apart, with a zero at either end. */
FAST static void split_features(const float *restrict from, float *restrict rows, int width, int channels, int stride) {
    for (int c = 0; c < channels; c++)
        for (int x = 0; x < width; x++)
            rows[(size_t)c * stride + x + 1] = from[(size_t)x * channels + c];
}

/* Splits two rows of a plane of the picture, (2, 2 * width), into four rows, one for each quarter of a pixel. */
FAST static void split_picture(const float *restrict from, float *restrict rows, int width, int stride) {
    for (int quarter = 0; quarter < QUARTERS; quarter++)
        for (int x = 0; x < width; x++)
            rows[(size_t)quarter * stride + x + 1] = from[(quarter / 2) * 2 * width + 2 * x + quarter % 2];
}

/* Adds one row of each channel, `stride` apart, to the sums (4, stride). weights: (channels, 3, 3, 4). */
FAST static void add_rows(const float *restrict rows, const float *restrict weights, float *restrict sums, int width,
                          int channels, int stride) {
    float *restrict a = sums, *restrict b = a + stride, *restrict c = b + stride, *restrict d = c + stride;
    for (int channel = 0; channel < channels; channel++) {
        const float *restrict row = rows + (size_t)channel * stride;
        const float *restrict w = weights + (size_t)channel * TAPS * TAPS * QUARTERS;
        for (int x = 0; x < width; x++) {
            const float left = row[x], here = row[x + 1], right = row[x + 2];
            a[x] += left * w[0] + here * w[4] + right * w[8];
            b[x] += left * w[1] + here * w[5] + right * w[9];
            c[x] += left * w[2] + here * w[6] + right * w[10];
            d[x] += left * w[3] + here * w[7] + right * w[11];
        }
    }
}

/* Turns a row of sums (4, stride) into two rows of alpha (2, 2 * width). Returns whether all sums are finite. That is
   tested by their bits, because a compiler with fast floating point may assume that they are. */
FAST static int finish(const float *restrict sums, float *restrict alpha, int width, int stride) {
    uint32_t not_finite = 0;
    for (int quarter = 0; quarter < QUARTERS; quarter++)
        for (int x = 0; x < width; x++) {
            const float sum = sums[quarter * stride + x];
            uint32_t bits;
            memcpy(&bits, &sum, sizeof bits);
            not_finite |= (bits & 0x7f800000u) == 0x7f800000u;
            alpha[(quarter / 2) * 2 * width + 2 * x + quarter % 2] = 1.0f / (1.0f + exponential(-sum));
        }
    return !not_finite;
}

/* features: (height, width, channels). planes: (3, 2 * height, 2 * width). alpha: (2 * height, 2 * width).
   weights: (channels + 12, 3, 3, 4), rows before columns. bias: (4). A row with a sum that is not finite becomes NaN
   throughout, and its matte is refused. Returns DONE or NO_MEMORY. */
EXPORT int bgcam_head(const float *features, const float *planes, float *alpha, int32_t width, int32_t height,
                      int32_t channels, const float *weights, const float *bias) {
    const int stride = PADDED(width + 2), inputs = channels + COLOURS * QUARTERS;
    const size_t rows_size = (size_t)inputs * stride, plane = (size_t)4 * width * height;
    float *memory = calloc(TAPS * rows_size + (size_t)QUARTERS * stride, sizeof *memory);
    if (!memory)
        return NO_MEMORY;
    float *sums = memory + TAPS * rows_size;
    for (int y = -1; y < height; y++) {
        if (y + 1 < height) {
            float *rows = memory + (size_t)((y + 1) % TAPS) * rows_size;
            split_features(features + (size_t)(y + 1) * width * channels, rows, width, channels, stride);
            for (int colour = 0; colour < COLOURS; colour++)
                split_picture(planes + colour * plane + (size_t)(y + 1) * 4 * width,
                              rows + (size_t)(channels + colour * QUARTERS) * stride, width, stride);
        }
        if (y < 0)
            continue;
        for (int quarter = 0; quarter < QUARTERS; quarter++)
            for (int x = 0; x < width; x++)
                sums[quarter * stride + x] = bias[quarter];
        for (int tap = 0; tap < TAPS; tap++) {
            const int from = y + tap - 1;
            if (from >= 0 && from < height)
                add_rows(memory + (size_t)(from % TAPS) * rows_size, weights + tap * TAPS * QUARTERS, sums, width,
                         inputs, stride);
        }
        if (!finish(sums, alpha + (size_t)y * 4 * width, width, stride))
            memset(alpha + (size_t)y * 4 * width, 0xff, (size_t)4 * width * sizeof *alpha);
    }
    free(memory);
    return DONE;
}
