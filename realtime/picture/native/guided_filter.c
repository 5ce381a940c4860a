/* `guided_coefficients` of picture/guided_filter.py for a radius of 1, row by row: the sums of a 3x3 window are made of
   the sums of its columns. */

#include "rows.h"

/* The constants of picture/guided_filter.py; the same structure as `GuidedRules` in structures.py. */
typedef struct {
    float eps, span, low, high;
} GuidedRules;

/* For each column of three rows: the sums of luma, p and their products, and the smallest and largest p. Luma is in
   [0, 1]. */
FAST static void gather_columns(const float *const p[3], const uint8_t *const luma[3], float *restrict y_of,
                                float *restrict p_of, float *restrict yp_of, float *restrict yy_of,
                                float *restrict lowest_of, float *restrict highest_of, int width) {
    const float *restrict p0 = p[0], *restrict p1 = p[1], *restrict p2 = p[2];
    const uint8_t *restrict l0 = luma[0], *restrict l1 = luma[1], *restrict l2 = luma[2];
    for (int x = 0; x < width; x++) {
        const float y0 = l0[x] * (1.0f / 255.0f), y1 = l1[x] * (1.0f / 255.0f), y2 = l2[x] * (1.0f / 255.0f);
        y_of[x + 1] = y0 + y1 + y2;
        p_of[x + 1] = p0[x] + p1[x] + p2[x];
        yp_of[x + 1] = y0 * p0[x] + y1 * p1[x] + y2 * p2[x];
        yy_of[x + 1] = y0 * y0 + y1 * y1 + y2 * y2;
        const float less = p0[x] < p1[x] ? p0[x] : p1[x], more = p0[x] > p1[x] ? p0[x] : p1[x];
        lowest_of[x + 1] = less < p2[x] ? less : p2[x];
        highest_of[x + 1] = more > p2[x] ? more : p2[x];
    }
}

FAST static void coefficients_row(const float *restrict y_of, const float *restrict p_of, const float *restrict yp_of,
                                  const float *restrict yy_of, const float *restrict lowest_of,
                                  const float *restrict highest_of, const float *restrict p,
                                  const uint8_t *restrict luma, float *restrict a, float *restrict b,
                                  uint8_t *restrict unsure, int width, const GuidedRules *rules) {
    const GuidedRules r = *rules;
    const float ninth = 1.0f / 9.0f, to_span = 1.0f / r.span, contrast = 1.0f / (r.high - r.low);
    for (int x = 0; x < width; x++) {
        const float mean_y = (y_of[x] + y_of[x + 1] + y_of[x + 2]) * ninth;
        const float mean_p = (p_of[x] + p_of[x + 1] + p_of[x + 2]) * ninth;
        const float mean_yp = (yp_of[x] + yp_of[x + 1] + yp_of[x + 2]) * ninth;
        const float mean_yy = (yy_of[x] + yy_of[x + 1] + yy_of[x + 2]) * ninth;
        const float less = lowest_of[x] < lowest_of[x + 1] ? lowest_of[x] : lowest_of[x + 1];
        const float more = highest_of[x] > highest_of[x + 1] ? highest_of[x] : highest_of[x + 1];
        const float lowest = less < lowest_of[x + 2] ? less : lowest_of[x + 2];
        const float highest = more > highest_of[x + 2] ? more : highest_of[x + 2];
        const float slope = (mean_yp - mean_y * mean_p) / (mean_yy - mean_y * mean_y + r.eps);
        const int soft = (highest > r.low) & (lowest < r.high);
        const float damped = soft ? slope * clamped((highest - lowest) * to_span, 0.0f, 1.0f) : 0.0f;
        a[x] = damped * contrast * (1.0f / 255.0f);
        b[x] = (p[x] - damped * (luma[x] * (1.0f / 255.0f)) - r.low) * contrast;
        unsure[x] = (uint8_t)soft;
    }
}

/* p, luma, and the results a, b and unsure: (height, width). Returns DONE or NO_MEMORY. */
EXPORT int bgcam_guided_filter(const float *p, const uint8_t *luma, float *a, float *b, uint8_t *unsure, int32_t width,
                               int32_t height, const GuidedRules *rules) {
    const size_t padded = (size_t)width + 2;
    float *memory = malloc(6 * padded * sizeof(float));
    if (!memory)
        return NO_MEMORY;
    float *of[6];
    for (int i = 0; i < 6; i++)
        of[i] = memory + i * padded;
    for (int y = 0; y < height; y++) {
        const float *rows[3];
        const uint8_t *lumas[3];
        for (int i = 0; i < 3; i++) {
            const size_t at = (size_t)min_int(max_int(y + i - 1, 0), height - 1) * width;
            rows[i] = p + at;
            lumas[i] = luma + at;
        }
        gather_columns(rows, lumas, of[0], of[1], of[2], of[3], of[4], of[5], width);
        for (int i = 0; i < 6; i++) {
            of[i][0] = of[i][1];
            of[i][width + 1] = of[i][width];
        }
        const size_t at = (size_t)y * width;
        coefficients_row(of[0], of[1], of[2], of[3], of[4], of[5], p + at, luma + at, a + at, b + at, unsure + at,
                         width, rules);
    }
    free(memory);
    return DONE;
}
