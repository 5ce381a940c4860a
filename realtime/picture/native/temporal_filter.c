/* `temporal_filter` of picture/temporal_filter.py, in three passes over the cells at network size. */

#include "rows.h"

/* The constants of picture/temporal_filter.py; the same structure as `TemporalRules` in structures.py. Each ramp rises
   from its first number to its second. */
typedef struct {
    float rest, apart[2], moved[2], sure, leave, held, cut;
} TemporalRules;

FAST static int change_of(const uint8_t *restrict luma, const float *restrict kept, float *restrict change, int count,
                          float cut) {
    int over = 0;
    for (int i = 0; i < count; i++) {
        change[i] = luma[i] - kept[i];
        over += change[i] > cut || change[i] < -cut;
    }
    return over;
}

/* The absolute mean change of 3x3 cells. sums and drift are one row each, with one more cell at either end. */
FAST static void drift_row(const float *restrict above, const float *restrict here, const float *restrict below,
                           float *restrict sums, float *restrict drift, int width) {
    sum_columns(above, here, below, sums, width);
    for (int x = 0; x < width; x++) {
        const float mean = (sums[x] + sums[x + 1] + sums[x + 2]) * (1.0f / 9.0f);
        drift[x + 1] = mean < 0.0f ? -mean : mean;
    }
    drift[0] = drift[1];
    drift[width + 1] = drift[width];
}

/* Steps 2 to 6 for a row. `largest` is one row with one more cell at either end. */
FAST static void follow_row(const float *restrict above, const float *restrict here, const float *restrict below,
                            float *restrict largest, const float *restrict alpha, const float *restrict kept,
                            const float *restrict change, const float *restrict kept_luma, float *restrict new_alpha,
                            float *restrict new_luma, int width, const TemporalRules *rules) {
    const TemporalRules r = *rules;
    for (int x = 0; x < width + 2; x++)
        largest[x] = larger(larger(above[x], here[x]), below[x]);
    for (int x = 0; x < width; x++) {
        const float moved = larger(larger(largest[x], largest[x + 1]), largest[x + 2]);
        const float apart = alpha[x] - kept[x];
        float weight = r.rest + (1.0f - r.rest) * ramp(apart < 0.0f ? -apart : apart, r.apart);
        const int held =
            ((kept[x] < r.sure) & (alpha[x] < r.leave)) | ((1.0f - kept[x] < r.sure) & (1.0f - alpha[x] < r.leave));
        weight = held ? weight * r.held : weight;
        weight = ((alpha[x] < r.sure) | (alpha[x] > 1.0f - r.sure)) ? 1.0f : weight;
        weight = larger(weight, ramp(moved, r.moved));
        new_alpha[x] = kept[x] + weight * apart;
        new_luma[x] = kept_luma[x] + weight * change[x];
    }
}

/* All arrays are (height, width). Returns DONE, NO_MEMORY, or CUT after a cut, with nothing written. */
EXPORT int bgcam_temporal_filter(const float *alpha, const uint8_t *luma, const float *kept_alpha,
                                 const float *kept_luma, float *new_alpha, float *new_luma, int32_t width,
                                 int32_t height, const TemporalRules *rules) {
    const size_t cells = (size_t)width * height, padded = (size_t)width + 2;
    float *change = malloc((cells + padded * (height + 1)) * sizeof(float));
    if (!change)
        return NO_MEMORY;
    float *drift = change + cells, *row = drift + padded * height;
    int over = 0;
    for (int y = 0; y < height; y++)
        over += change_of(luma + (size_t)y * width, kept_luma + (size_t)y * width, change + (size_t)y * width, width,
                          rules->cut);
    const int cut = 2 * (int64_t)over > (int64_t)cells;
    for (int y = 0; y < height && !cut; y++)
        drift_row(change + (size_t)max_int(y - 1, 0) * width, change + (size_t)y * width,
                  change + (size_t)min_int(y + 1, height - 1) * width, row, drift + padded * y, width);
    for (int y = 0; y < height && !cut; y++) {
        const size_t at = (size_t)y * width;
        follow_row(drift + padded * max_int(y - 1, 0), drift + padded * y, drift + padded * min_int(y + 1, height - 1),
                   row, alpha + at, kept_alpha + at, change + at, kept_luma + at, new_alpha + at, new_luma + at, width,
                   rules);
    }
    free(change);
    return cut ? CUT : DONE;
}
