/* `remember` of picture/room_memory.py on its grid of cells: its steps 1 to 7, without the resizing. */

#include "rows.h"

/* The constants of picture/room_memory.py; the same structure as `MemoryRules` in structures.py. texture, alike: their
   squares. window: cells a side, odd. */
typedef struct {
    float texture, alike, near, gain[2], gain_plain[2], low, high, learn, unlearn, doubt, follow, follow_person;
    float trusted[2], dark;
    int32_t window;
} MemoryRules;

enum { Y, R, YY, RR, YR, MOMENTS };

/* Adds a row of cells to the sums of columns, `stride` apart. */
FAST static void add_moments(const float *restrict y, const float *restrict r, float *restrict sums, int columns,
                             int stride) {
    float *restrict sum_y = sums, *restrict sum_r = sums + stride, *restrict sum_yy = sum_r + stride;
    float *restrict sum_rr = sum_yy + stride, *restrict sum_yr = sum_rr + stride;
    for (int x = 0; x < columns; x++) {
        sum_y[x] += y[x];
        sum_r[x] += r[x];
        sum_yy[x] += y[x] * y[x];
        sum_rr[x] += r[x] * r[x];
        sum_yr[x] += y[x] * r[x];
    }
}

/* Steps 1 to 3 for a row, of the windows' sums, without the neighbours: `alike` and `plain`, 0 or 1, and |y - gain r|.
   Flags are floats, which GCC vectorises. */
FAST static void compare_row(const float *restrict y, const float *restrict r, const float *restrict sums, int stride,
                             float *restrict alike, float *restrict plain, float *restrict off, int columns,
                             float share, const MemoryRules *rules) {
    const MemoryRules m = *rules;
    const float *restrict sum_y = sums, *restrict sum_r = sums + stride, *restrict sum_yy = sum_r + stride;
    const float *restrict sum_rr = sum_yy + stride, *restrict sum_yr = sum_rr + stride;
    for (int x = 0; x < columns; x++) {
        const float mean_y = sum_y[x] * share, mean_r = sum_r[x] * share;
        const float spread_y = sum_yy[x] * share - mean_y * mean_y, spread_r = sum_rr[x] * share - mean_r * mean_r;
        const float both = sum_yr[x] * share - mean_y * mean_r;
        const float gain = (mean_y + m.dark) / (mean_r + m.dark), apart = y[x] - gain * r[x];
        const int correlated = (both > 0.0f) & (both * both > m.alike * spread_y * spread_r);
        const int light = (gain > m.gain[0]) & (gain < m.gain[1]);
        const int same_light = (gain > m.gain_plain[0]) & (gain < m.gain_plain[1]);
        off[x] = apart < 0.0f ? -apart : apart;
        alike[x] = (smaller(spread_y, spread_r) > m.texture) & correlated & light ? 1.0f : 0.0f;
        plain[x] = (larger(spread_y, spread_r) <= m.texture) & same_light ? 1.0f : 0.0f;
    }
}

FAST static void largest_row(const float *restrict above, const float *restrict here, const float *restrict below,
                             float *restrict columns_of, float *restrict largest, int columns) {
    extreme_row(above, here, below, columns_of, largest, columns, 1);
}

/* trust: where found, otherwise 0. plain becomes same. other: what must not be near. counts: of the background, how
   many cells there are and how many are not the same. */
FAST static void judge_row(const float *restrict alpha, const float *restrict largest_off, const float *restrict belief,
                           const float *restrict alike, float *restrict plain, float *restrict trust,
                           float *restrict other, int32_t *restrict counts, int columns, const MemoryRules *rules) {
    const MemoryRules m = *rules;
    const float scale = 1.0f / (m.trusted[1] - m.trusted[0]);
    int background = 0, new = 0;
    for (int x = 0; x < columns; x++) {
        const float found = largest_off[x] < m.near ? alike[x] : 0.0f, same = larger(found, plain[x]);
        const float trusted = clamped((belief[x] - m.trusted[0]) * scale, 0.0f, 1.0f);
        const float low = alpha[x] < m.low ? 1.0f : 0.0f;
        plain[x] = same;
        trust[x] = found * trusted;
        other[x] = same * trusted > 0.0f ? 0.0f : 1.0f - low;
        background += alpha[x] < m.low;
        new += low > same;
    }
    counts[0] += background;
    counts[1] += new;
}

/* Steps 4 and 5 for a row; trust becomes the share of step 7. Returns in how many cells there is one. */
FAST static int learn_row(const float *restrict alpha, const float *restrict y, const float *restrict same,
                          const float *restrict others, const float *restrict luma, const float *restrict belief,
                          float *restrict share, float *restrict new_luma, float *restrict new_belief, int columns,
                          const MemoryRules *rules) {
    const MemoryRules m = *rules;
    int taken = 0;
    for (int x = 0; x < columns; x++) {
        const float low = alpha[x] < m.low ? 1.0f : 0.0f, person = alpha[x] > m.high ? 1.0f : 0.0f, there = same[x];
        const float left = others[x] > 0.0f ? 0.0f : share[x], grown = belief[x] < 0.0f ? m.unlearn : m.learn;
        const float changed = clamped(belief[x] + there * (low * grown - person * m.doubt), -1.0f, 1.0f);
        const float follows = low * there * m.follow + (changed <= 0.0f ? person * m.follow_person : 0.0f);
        share[x] = left;
        taken += left > 0.0f;
        new_belief[x] = low > there ? 0.0f : changed;
        new_luma[x] = luma[x] + (low > there ? 1.0f : follows) * (y[x] - luma[x]);
    }
    return taken;
}

/* The windows' sums of one row: `sums` has a row of each moment, `wide` one with half a window more at either end. */
FAST static void window_row(const float *y, const float *r, float *wide, float *sums, int row, int columns, int rows,
                            int side, int stride) {
    const int half = side / 2;
    memset(wide, 0, (size_t)MOMENTS * stride * sizeof *wide);
    for (int at = row - half; at <= row + half; at++) {
        const size_t from = (size_t)max_int(min_int(at, rows - 1), 0) * columns;
        add_moments(y + from, r + from, wide + half, columns, stride);
    }
    for (int moment = 0; moment < MOMENTS; moment++) {
        float *of = wide + (size_t)moment * stride;
        for (int at = 0; at < half; at++) {
            of[at] = of[half];
            of[half + columns + at] = of[half + columns - 1];
        }
        sum_along(of, sums + (size_t)moment * stride, columns, side);
    }
}

/* All arrays are (rows, columns): alpha and y of the new frame, luma and belief of the memory, which become new_luma
   and new_belief. share: what is taken away, and any: whether that is something. Returns DONE, NO_MEMORY, or CUT if
   most of the background is new, with nothing of use written. */
EXPORT int bgcam_remember(const float *alpha, const float *y, const float *luma, const float *belief, float *share,
                          float *new_luma, float *new_belief, int32_t *any, int32_t columns, int32_t rows,
                          const MemoryRules *rules) {
    const size_t cells = (size_t)columns * rows;
    const int stride = columns + rules->window + 1;
    float *wide = malloc((2 * (size_t)MOMENTS * stride + 4 * cells + 2 * (size_t)stride) * sizeof *wide);
    if (!wide)
        return NO_MEMORY;
    float *sums = wide + (size_t)MOMENTS * stride, *off = sums + (size_t)MOMENTS * stride, *other = off + cells;
    float *column_row = other + cells, *largest = column_row + stride;
    float *alike = largest + stride, *same = alike + cells;
    int32_t counts[2] = {0, 0};
    for (int row = 0; row < rows; row++) {
        const size_t at = (size_t)row * columns;
        window_row(y, luma, wide, sums, row, columns, rows, rules->window, stride);
        compare_row(y + at, luma + at, sums, stride, alike + at, same + at, off + at, columns,
                    1.0f / (float)(rules->window * rules->window), rules);
    }
#define ABOVE(row) ((size_t)max_int((row) - 1, 0) * columns)
#define BELOW(row) ((size_t)min_int((row) + 1, rows - 1) * columns)
    for (int row = 0; row < rows; row++) {
        const size_t at = (size_t)row * columns;
        largest_row(off + ABOVE(row), off + at, off + BELOW(row), column_row, largest, columns);
        judge_row(alpha + at, largest, belief + at, alike + at, same + at, share + at, other + at, counts, columns,
                  rules);
    }
    const int cut = 2 * (int64_t)counts[1] > counts[0];
    *any = 0;
    for (int row = 0; row < rows && !cut; row++) {
        const size_t at = (size_t)row * columns;
        largest_row(other + ABOVE(row), other + at, other + BELOW(row), column_row, largest, columns);
        *any |= learn_row(alpha + at, y + at, same + at, largest, luma + at, belief + at, share + at, new_luma + at,
                          new_belief + at, columns, rules);
    }
#undef ABOVE
#undef BELOW
    free(wide);
    return cut ? CUT : DONE;
}
