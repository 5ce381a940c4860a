/* `blur_small` of picture/blur.py: the room without the person, blurred, at the size at which that is computed. */

#include "fill.h"

/* Three colours times their weight, and the weight; the same as `known` of picture/blur.py. */
enum { COLOURS = 3, KNOWN = 4, PAIRS = 4 };

/* The sizes and constants of picture/blur.py and picture/foreground.py; the same structure as `BlurRules` in
   structures.py. reach: of the Gaussians, which have 2 * reach + 1 values each. */
typedef struct {
    int32_t work_width, work_height, holes_width, holes_height, levels, reach_x, reach_y;
    float edge, least, tiny;
} BlurRules;

/* The weight of a row: 1 - edge * alpha of the 3x3 cells around, at least 0. */
FAST static void weigh_row(const float *restrict above, const float *restrict here, const float *restrict below,
                           float *restrict columns, float *restrict weight, int width, float edge) {
    extreme_row(above, here, below, columns, weight, width, 1);
    for (int x = 0; x < width; x++)
        weight[x] = clamped(1.0f - edge * weight[x], 0.0f, 1.0f);
}

FAST static void known_row(const uint8_t *restrict seen, const float *restrict weight, float *restrict known,
                           int width) {
    for (int x = 0; x < width; x++) {
        known[KNOWN * x] = weight[x] * (float)seen[COLOURS * x];
        known[KNOWN * x + 1] = weight[x] * (float)seen[COLOURS * x + 1];
        known[KNOWN * x + 2] = weight[x] * (float)seen[COLOURS * x + 2];
        known[KNOWN * x + 3] = weight[x];
    }
}

/* How cells become fewer by means over exact areas, like OpenCV's INTER_AREA: cell i is the sum of `taps` old ones from
   first[i], each times its share. */
typedef struct {
    int32_t *first;
    float *share;
    int taps;
} Areas;

static int areas_taps(int old, int new) {
    return min_int(old / new + 2, old);
}

static void find_areas(Areas *areas, int old, int new) {
    const double side = (double)old / new;
    areas->taps = areas_taps(old, new);
    for (int i = 0; i < new; i++) {
        const double begin = i * side, end = begin + side;
        areas->first[i] = min_int((int)begin, old - areas->taps);
        for (int tap = 0; tap < areas->taps; tap++) {
            const double from = areas->first[i] + tap, to = from + 1;
            const double covered = (end < to ? end : to) - (begin > from ? begin : from);
            areas->share[i * areas->taps + tap] = covered > 0 ? (float)(covered / side) : 0.0f;
        }
    }
}

FAST static void add_row(const float *restrict row, float *restrict sum, int count, float share, int first) {
    if (first)
        for (int i = 0; i < count; i++)
            sum[i] = share * row[i];
    else
        for (int i = 0; i < count; i++)
            sum[i] += share * row[i];
}

FAST static void average_columns(const float *restrict row, const Areas *areas, float *restrict out, int width) {
    const int taps = areas->taps;
    for (int x = 0; x < width; x++) {
        const float *from = row + KNOWN * areas->first[x], *share = areas->share + x * taps;
        float mean[KNOWN] = {0};
        for (int tap = 0; tap < taps; tap++)
            for (int c = 0; c < KNOWN; c++)
                mean[c] += share[tap] * from[KNOWN * tap + c];
        for (int c = 0; c < KNOWN; c++)
            out[KNOWN * x + c] = mean[c];
    }
}

/* known (height, width, 4) to (new_height, new_width, 4). Returns DONE or NO_MEMORY. */
static int shrink(const float *known, int width, int height, float *out, int new_width, int new_height) {
    const size_t tables = (size_t)new_width * (areas_taps(width, new_width) + 1) +
        (size_t)new_height * (areas_taps(height, new_height) + 1);
    float *memory = malloc((tables + KNOWN * (size_t)width) * sizeof *memory);
    if (!memory)
        return NO_MEMORY;
    float *sum = memory, *share = sum + KNOWN * (size_t)width;
    Areas across = {(int32_t *)share, share + new_width, 0};
    share += (size_t)new_width * (areas_taps(width, new_width) + 1);
    Areas down = {(int32_t *)share, share + new_height, 0};
    find_areas(&across, width, new_width);
    find_areas(&down, height, new_height);
    for (int y = 0; y < new_height; y++) {
        for (int tap = 0; tap < down.taps; tap++)
            if (!tap || down.share[y * down.taps + tap] > 0.0f)
                add_row(known + (size_t)(down.first[y] + tap) * width * KNOWN, sum, KNOWN * width,
                        down.share[y * down.taps + tap], !tap);
        average_columns(sum, &across, out + (size_t)y * new_width * KNOWN, new_width);
    }
    free(memory);
    return DONE;
}

/* known (height, width, 4) becomes colours (height, width, 3) in `whole`: what is not known is filled, at half the
   size. Returns DONE or NO_MEMORY. */
static int fill_holes(const float *known, float *whole, const BlurRules *rules) {
    const int width = rules->work_width, height = rules->work_height;
    const int columns = rules->holes_width, rows = rules->holes_height;
    const size_t cells = (size_t)columns * rows;
    float *memory = malloc(2 * KNOWN * cells * sizeof *memory);
    if (!memory)
        return NO_MEMORY;
    float *planes = memory + KNOWN * cells;
    int failed = shrink(known, width, height, memory, columns, rows);
    for (size_t i = 0; i < cells && !failed; i++)
        for (int c = 0; c < KNOWN; c++)
            planes[c * cells + i] = memory[KNOWN * i + c];
    if (!failed)
        failed = bgcam_fill_planes(planes, columns, rows, rules->levels, rules->least, rules->tiny);
    const float step_x = (float)columns / (float)width, step_y = (float)rows / (float)height;
    for (int y = 0; y < height && !failed; y++) {
        const float at_y = grid_position(y, step_y, rows);
        const int upper = min_int((int)at_y, rows - 1), lower = min_int(upper + 1, rows - 1);
        const float below = at_y - upper;
        for (int c = 0; c < COLOURS; c++) /* `memory` has space for the three rows */
            for (int x = 0; x < columns; x++) {
                const float *plane = planes + c * cells + x;
                memory[COLOURS * x + c] = plane[(size_t)upper * columns] +
                    below * (plane[(size_t)lower * columns] - plane[(size_t)upper * columns]);
            }
        for (int x = 0; x < width; x++) {
            const float at_x = grid_position(x, step_x, columns);
            const int left = min_int((int)at_x, columns - 1), right = min_int(left + 1, columns - 1);
            const float *from = known + ((size_t)y * width + x) * KNOWN, beside = at_x - left, lacks = 1.0f - from[3];
            float *to = whole + ((size_t)y * width + x) * COLOURS;
            for (int c = 0; c < COLOURS; c++) {
                const float near = memory[COLOURS * left + c];
                to[c] = from[c] + lacks * (near + beside * (memory[COLOURS * right + c] - near));
            }
        }
    }
    free(memory);
    return failed;
}

/* Adds four pairs of rows, each times its share. */
FAST static void add_pairs(const float *const *restrict before, const float *const *restrict after,
                           const float *restrict share, float *restrict out, int count) {
    const float *restrict a = before[0], *restrict b = before[1], *restrict c = before[2], *restrict d = before[3];
    const float *restrict e = after[0], *restrict f = after[1], *restrict g = after[2], *restrict h = after[3];
    const float s = share[0], t = share[1], u = share[2], v = share[3];
    for (int i = 0; i < count; i++)
        out[i] += s * (a[i] + e[i]) + t * (b[i] + f[i]) + u * (c[i] + g[i]) + v * (d[i] + h[i]);
}

/* Sums of the 2 * reach + 1 rows, times the Gaussian, whose halves are alike. */
static void gaussian_row(const float *const *rows, const float *gaussian, float *out, int count, int reach) {
    add_row(rows[reach], out, count, gaussian[reach], 1);
    for (int from = 1; from <= reach; from += PAIRS) {
        const float *before[PAIRS], *after[PAIRS];
        float share[PAIRS];
        for (int pair = 0; pair < PAIRS; pair++) {
            const int apart = min_int(from + pair, reach);
            before[pair] = rows[reach - apart];
            after[pair] = rows[reach + apart];
            share[pair] = from + pair <= reach ? gaussian[reach - apart] : 0.0f;
        }
        add_pairs(before, after, share, out, count);
    }
}

FAST static void round_row(const float *restrict row, uint8_t *restrict out, int count) {
    for (int i = 0; i < count; i++)
        out[i] = (uint8_t)(int)(clamped(row[i], 0.0f, 255.0f) + 0.5f);
}

/* whole (height, width, 3) to out; borders repeated. */
static int blur(const float *whole, const float *gaussian_x, const float *gaussian_y, uint8_t *out,
                const BlurRules *rules) {
    const int width = rules->work_width, height = rules->work_height, count = COLOURS * width;
    const int side = COLOURS * rules->reach_x, taps_x = 2 * rules->reach_x + 1, taps_y = 2 * rules->reach_y + 1;
    const float **rows = malloc((size_t)max_int(taps_x, taps_y) * sizeof *rows);
    float *wide = malloc((2 * (size_t)count + 2 * (size_t)side) * sizeof *wide);
    if (!rows || !wide) {
        free(rows);
        free(wide);
        return NO_MEMORY;
    }
    float *smooth = wide + count + 2 * side;
    for (int y = 0; y < height; y++) {
        for (int tap = 0; tap < taps_y; tap++)
            rows[tap] = whole + (size_t)max_int(min_int(y + tap - rules->reach_y, height - 1), 0) * count;
        gaussian_row(rows, gaussian_y, wide + side, count, rules->reach_y);
        for (int i = 0; i < side; i++) {
            wide[side - 1 - i] = wide[side + COLOURS - 1 - i % COLOURS];
            wide[side + count + i] = wide[side + count - COLOURS + i % COLOURS];
        }
        for (int tap = 0; tap < taps_x; tap++)
            rows[tap] = wide + COLOURS * tap;
        gaussian_row(rows, gaussian_x, smooth, count, rules->reach_x);
        round_row(smooth, out + (size_t)y * count, count);
    }
    free(rows);
    free(wide);
    return DONE;
}

/* seen: (height, width, 3); alpha: (height, width); out: (work_height, work_width, 3). Returns DONE or NO_MEMORY. */
EXPORT int bgcam_blur(const uint8_t *seen, const float *alpha, const float *gaussian_x, const float *gaussian_y,
                      uint8_t *out, int32_t width, int32_t height, const BlurRules *rules) {
    const size_t cells = (size_t)width * height, work = (size_t)rules->work_width * rules->work_height;
    float *memory = malloc((KNOWN * cells + (KNOWN + COLOURS) * work + 2 * (size_t)width + 2) * sizeof *memory);
    if (!memory)
        return NO_MEMORY;
    float *known = memory, *shrunk = known + KNOWN * cells, *whole = shrunk + KNOWN * work;
    float *columns = whole + COLOURS * work, *weight = columns + width + 2;
    for (int y = 0; y < height; y++) {
        const float *here = alpha + (size_t)y * width;
        weigh_row(here - (y > 0 ? width : 0), here, here + (y < height - 1 ? width : 0), columns, weight, width,
                  rules->edge);
        known_row(seen + (size_t)y * width * COLOURS, weight, known + (size_t)y * width * KNOWN, width);
    }
    int failed = shrink(known, width, height, shrunk, rules->work_width, rules->work_height);
    if (!failed)
        failed = fill_holes(shrunk, whole, rules);
    if (!failed)
        failed = blur(whole, gaussian_x, gaussian_y, out, rules);
    free(memory);
    return failed;
}
