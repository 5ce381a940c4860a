/* `take_away` of picture/room_plate.py, its steps 5 and 6. */

#include "rows.h"

/* The same structure as `TakeRules` in structures.py. around: cells a side, odd. reach: pixels, at most 127. */
typedef struct {
    float low, proof[2], against, doubts[2], hold, sure;
    int32_t around, reach;
} TakeRules;

/* The planes of step 5: how far the furniture around proves a plain pixel to be the room, in cells of 2x2 pixels. */
enum { MATCHING, MATTER, DIFFERING, PLANES };

/* Adds what a row of pixels has of each plane to one row of pixels. */
FAST static void gather_row(const float *restrict alpha, const float *restrict matches, const uint8_t *restrict differs,
                            float *restrict matching, float *restrict matter, float *restrict differing, int width,
                            float low) {
    for (int x = 0; x < width; x++) {
        const float some = alpha[x] > low ? 1.0f : 0.0f;
        matching[x] += some * matches[x];
        matter[x] += some;
        differing[x] += some * (float)differs[x];
    }
}

/* Sums of two pixels in cells, the last pixel repeated to an even count; clears the row of pixels. */
FAST static void halve_row(float *restrict pixels, float *restrict cells, int width) {
    for (int x = 0; x < width / 2; x++)
        cells[x] = pixels[2 * x] + pixels[2 * x + 1];
    if (width & 1)
        cells[width / 2] = 2.0f * pixels[width - 1];
    memset(pixels, 0, (size_t)width * sizeof *pixels);
}

FAST static void add_to(float *restrict sums, const float *restrict row, int count) {
    for (int i = 0; i < count; i++)
        sums[i] += row[i];
}

FAST static void prove_row(const float *restrict matching, const float *restrict matter, const float *restrict other,
                           float *restrict proven, int count, float share, const TakeRules *rules) {
    const TakeRules r = *rules;
    for (int i = 0; i < count; i++) {
        const float proof = matching[i] * share / larger(matter[i] * share, 1e-3f);
        proven[i] = other[i] * share < r.against ? ramp(proof, r.proof) : 0.0f;
    }
}

/* A window's sums of one plane, for one row of cells: `sums` has a row, `wide` one with side / 2 more at either end. */
FAST static void window_row(const float *plane, float *wide, float *sums, int row, int columns, int rows, int side) {
    const int half = side / 2;
    memset(wide, 0, (size_t)(columns + 2 * half) * sizeof *wide);
    for (int at = row - half; at <= row + half; at++)
        add_to(wide + half, plane + (size_t)max_int(min_int(at, rows - 1), 0) * columns, columns);
    for (int at = 0; at < half; at++) {
        wide[at] = wide[half];
        wide[half + columns + at] = wide[half + columns - 1];
    }
    sum_along(wide, sums, columns, side);
}

/* A row of cells between two others, as pixels: each lies a quarter of a cell beside a cell's centre. */
FAST static void enlarge_row(const float *restrict near, const float *restrict far, float *restrict mixed,
                             float *restrict wide, int columns) {
    for (int x = 0; x < columns; x++)
        mixed[x + 1] = 0.75f * near[x] + 0.25f * far[x];
    mixed[0] = mixed[1];
    mixed[columns + 1] = mixed[columns];
    for (int x = 0; x < columns; x++) {
        wide[2 * x] = 0.25f * mixed[x] + 0.75f * mixed[x + 1];
        wide[2 * x + 1] = 0.75f * mixed[x + 1] + 0.25f * mixed[x + 2];
    }
}

/* Counts, for each column of the rows within reach, how many pixels are background; a row comes and one goes. */
FAST static void count_background(const float *restrict alpha, uint8_t *restrict counts, int width, float low,
                                  int step) {
    for (int x = 0; x < width; x++)
        counts[x] = (uint8_t)(counts[x] + (alpha[x] < low ? step : 0));
}

/* Whether any of the columns within reach has background; `counts` has `reach` zeros at either end. */
FAST static void reach_row(const uint8_t *restrict counts, uint8_t *restrict reached, int width, int reach) {
    memset(reached, 0, (size_t)width);
    for (int at = 0; at <= 2 * reach; at++)
        for (int x = 0; x < width; x++)
            reached[x] |= counts[x + at];
}

/* Steps 5 and 6 for a row. */
FAST static void take_row(const float *restrict alpha, const float *restrict matches, const float *restrict equals,
                          const uint8_t *restrict differs, const uint8_t *restrict reached,
                          const float *restrict proven, const float *restrict trust, const float *restrict before,
                          float *restrict out, float *restrict left, int width, const TakeRules *rules) {
    const TakeRules r = *rules;
    const float scale = 1.0f / (r.doubts[1] - r.doubts[0]);
    for (int x = 0; x < width; x++) {
        const float doubt = clamped((r.doubts[1] - alpha[x]) * scale, 0.0f, 1.0f);
        float share = larger(reached[x] ? doubt : 0.0f, proven[x]) * equals[x];
        share = larger(share, matches[x]) * trust[x];
        const float held = ((alpha[x] < r.sure) & !differs[x]) ? r.hold * before[x] : 0.0f;
        share = larger(share, held);
        out[x] = alpha[x] * (1.0f - share);
        left[x] = alpha[x] > r.low ? share : 0.0f;
    }
}

/* out, left: what `take_away` returns; before: the last `left`. All (height, width). Returns DONE or NO_MEMORY. */
EXPORT int bgcam_take_away(const float *alpha, const float *matches, const float *equals, const uint8_t *differs,
                           const float *trust, const float *before, float *out, float *left, int32_t width,
                           int32_t height, const TakeRules *rules) {
    const int columns = (width + 1) / 2, rows = (height + 1) / 2, half = rules->around / 2, reach = rules->reach;
    const size_t cells = (size_t)columns * rows, padded = (size_t)columns + 2 * half + 2;
    const size_t floats = (PLANES + 1) * cells + (PLANES + 1) * padded + (PLANES + 1) * 2 * (size_t)columns;
    float *memory = calloc(floats * sizeof *memory + 2 * (size_t)width + 2 * (size_t)reach, 1);
    if (!memory)
        return NO_MEMORY;
    float *planes[PLANES], *sums[PLANES], *proven = memory + PLANES * cells, *wide = proven + cells;
    float *enlarged = wide + (PLANES + 1) * padded, *pixels[PLANES];
    for (int plane = 0; plane < PLANES; plane++) {
        planes[plane] = memory + plane * cells;
        sums[plane] = wide + (plane + 1) * padded;
        pixels[plane] = enlarged + (plane + 1) * 2 * (size_t)columns;
    }
    uint8_t *counts = (uint8_t *)(enlarged + (PLANES + 1) * 2 * (size_t)columns), *reached = counts + width + 2 * reach;
    for (int y = 0; y < rows; y++) {
        for (int at = 2 * y; at < 2 * y + 2; at++) {
            const size_t from = (size_t)min_int(at, height - 1) * width;
            gather_row(alpha + from, matches + from, differs + from, pixels[MATCHING], pixels[MATTER],
                       pixels[DIFFERING], width, rules->low);
        }
        for (int plane = 0; plane < PLANES; plane++)
            halve_row(pixels[plane], planes[plane] + (size_t)y * columns, width);
    }
    const float share = 0.25f / (float)(rules->around * rules->around);
    for (int y = 0; y < rows; y++) {
        for (int plane = 0; plane < PLANES; plane++)
            window_row(planes[plane], wide, sums[plane], y, columns, rows, rules->around);
        prove_row(sums[MATCHING], sums[MATTER], sums[DIFFERING], proven + (size_t)y * columns, columns, share, rules);
    }
    for (int y = 0; y < min_int(reach, height); y++)
        count_background(alpha + (size_t)y * width, counts + reach, width, rules->low, 1);
    for (int y = 0; y < height; y++) {
        const size_t at = (size_t)y * width;
        if (y + reach < height)
            count_background(alpha + at + (size_t)reach * width, counts + reach, width, rules->low, 1);
        if (y > reach)
            count_background(alpha + at - (size_t)(reach + 1) * width, counts + reach, width, rules->low, -1);
        reach_row(counts, reached, width, reach);
        const int near = y / 2, far = max_int(min_int(near + (y & 1 ? 1 : -1), rows - 1), 0);
        enlarge_row(proven + (size_t)near * columns, proven + (size_t)far * columns, wide, enlarged, columns);
        take_row(alpha + at, matches + at, equals + at, differs + at, reached, enlarged, trust + at, before + at,
                 out + at, left + at, width, rules);
    }
    free(memory);
    return DONE;
}
