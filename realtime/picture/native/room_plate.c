/* `compare` of picture/room_plate.py: steps 1 to 4 for a frame whose light is known. */

#include "rows.h"

enum { CHANNELS = 3, NINE_LEVELS = 9 * 255 + 1 };

/* The constants of picture/room_plate.py, and what is known of a frame and its plate; the same structure as
   `PlateRules` in structures.py. Doubles, because NumPy computes thresholds in them. most_noise: the most that the
   noise may be; plate_noise: the noise where no pixel is background. */
typedef struct {
    double low, texture, matches[2], equal_full[2], equal_none[2], differs[2], gain, most_noise, plate_noise;
    int32_t sparse;
} PlateRules;

/* The plate in the frame's light, and how far the frame is from it in the worst channel. Not compiled for AVX: a table
   is read value by value. */
static void light_row(const uint8_t *restrict plate, const uint8_t *restrict table, uint8_t *restrict lit, int width) {
    for (int x = 0; x < width; x++) {
        lit[3 * x] = table[3 * plate[3 * x]];
        lit[3 * x + 1] = table[3 * plate[3 * x + 1] + 1];
        lit[3 * x + 2] = table[3 * plate[3 * x + 2] + 2];
    }
}

FAST static void apart_row(uint8_t *restrict lit, const uint8_t *restrict shade, const uint8_t *restrict seen,
                           uint8_t *restrict worst, int width) {
    for (int i = 0; i < CHANNELS * width; i++) {
        const int expected = min_int(max_int(lit[i] + shade[i] - 128, 0), 255), off = seen[i] - expected;
        lit[i] = (uint8_t)(off < 0 ? -off : off);
    }
    for (int x = 0; x < width; x++) {
        const uint8_t a = lit[3 * x], b = lit[3 * x + 1], c = lit[3 * x + 2];
        const uint8_t more = a > b ? a : b;
        worst[x] = more > c ? more : c;
    }
}

/* Sums of 3x3 pixels, borders repeated. `columns` is one row with one more pixel at either end. */
FAST static void error_row(const uint8_t *restrict above, const uint8_t *restrict here, const uint8_t *restrict below,
                           uint16_t *restrict columns, uint16_t *restrict ninefold, int width) {
    for (int x = 0; x < width; x++)
        columns[x + 1] = (uint16_t)(above[x] + here[x] + below[x]);
    columns[0] = columns[1];
    columns[width + 1] = columns[width];
    for (int x = 0; x < width; x++)
        ninefold[x] = (uint16_t)(columns[x] + columns[x + 1] + columns[x + 2]);
}

/* The median error of every `sparse`th pixel of the background; a histogram has them in order. */
static double median_noise(const uint16_t *ninefold, const float *alpha, int width, int height,
                           const PlateRules *rules) {
    int32_t found[NINE_LEVELS] = {0}, count = 0;
    const float low = (float)rules->low;
    for (int y = 0; y < height; y += rules->sparse)
        for (int x = 0; x < width; x += rules->sparse)
            if (alpha[(size_t)y * width + x] < low) {
                found[ninefold[(size_t)y * width + x]]++;
                count++;
            }
    if (!count)
        return rules->plate_noise;
    int below = found[0], level = 0;
    while (2 * below < count)
        below += found[++level];
    int next = level;
    if (2 * below == count)
        do
            next++;
        while (!found[next]);
    return 0.5f * ((float)level * (1.0f / 9.0f) + (float)next * (1.0f / 9.0f));
}

/* What the errors of a frame are measured by. */
typedef struct {
    float gain, textured, high, span, equal_none, equal_scale, differs, low;
} Limits;

static Limits limits_of(const PlateRules *rules, double noise) {
    const double full = noise * rules->equal_full[0] + rules->equal_full[1];
    const double none = noise * rules->equal_none[0] + rules->equal_none[1];
    const double textured = 2 * noise > rules->texture ? 2 * noise : rules->texture;
    return (Limits){
        .gain = (float)rules->gain,
        .textured = (float)textured,
        .high = (float)rules->matches[1],
        .span = (float)(rules->matches[1] - rules->matches[0]),
        .equal_none = (float)none,
        .equal_scale = (float)(1 / (none - full)),
        .differs = (float)(noise * rules->differs[0] + rules->differs[1]),
        .low = (float)rules->low,
    };
}

FAST static void judge_row(const uint16_t *restrict ninefold, const float *restrict deviation, float *restrict alike,
                           float *restrict equals, uint8_t *restrict differs, int width, const Limits *limits) {
    const Limits l = *limits;
    for (int x = 0; x < width; x++) {
        const float error = (float)ninefold[x] * (1.0f / 9.0f), spread = deviation[x] * l.gain;
        const float span = larger(l.span * spread, 1e-3f);
        const float match = clamped((l.high * spread - error) / span, 0.0f, 1.0f);
        alike[x] = spread > l.textured ? match : 0.0f;
        equals[x] = clamped((l.equal_none - error) * l.equal_scale, 0.0f, 1.0f);
        differs[x] = error > l.differs;
    }
}

FAST static void smallest_row(const float *restrict above, const float *restrict here, const float *restrict below,
                              float *restrict columns, float *restrict smallest, int width) {
    extreme_row(above, here, below, columns, smallest, width, 0);
}

FAST static void largest_row(const float *restrict above, const float *restrict here, const float *restrict below,
                             float *restrict columns, float *restrict largest, int width) {
    extreme_row(above, here, below, columns, largest, width, 1);
}

/* counts: textured background, background, and how much of the first matches at least half. */
FAST static void count_row(const float *restrict alpha, const float *restrict deviation, const float *restrict matches,
                           int32_t *restrict counts, int width, const Limits *limits) {
    const Limits l = *limits;
    int seen = 0, background = 0, matching = 0;
    for (int x = 0; x < width; x++) {
        const int low = alpha[x] < l.low, textured = low & (deviation[x] * l.gain > l.textured);
        background += low;
        seen += textured;
        matching += textured & (matches[x] >= 0.5f);
    }
    counts[0] += seen;
    counts[1] += background;
    counts[2] += matching;
}

/* plate, seen, shade: (height, width, 3); table: (256, 3), the plate's levels in the new light, to which `shade` - 128
   is added; differs: 0 or 1; all others (height, width). counts: see `count_row`. Returns DONE or NO_MEMORY. */
EXPORT int bgcam_compare(const uint8_t *plate, const uint8_t *seen, const uint8_t *shade, const uint8_t *table,
                         const float *alpha, const float *deviation, float *matches, float *equals, uint8_t *differs,
                         int32_t *counts, int32_t width, int32_t height, const PlateRules *rules) {
    const size_t cells = (size_t)width * height, row = (size_t)width + 2;
    float *memory = malloc((cells + row) * sizeof(float) + (cells + row) * sizeof(uint16_t) + cells + 3 * row);
    if (!memory)
        return NO_MEMORY;
    float *opened = memory, *columns = opened + cells;
    uint16_t *ninefold = (uint16_t *)(columns + row), *sums = ninefold + cells;
    uint8_t *worst = (uint8_t *)(sums + row), *lit = worst + cells;
    for (int y = 0; y < height; y++) {
        const size_t at = (size_t)y * width;
        light_row(plate + 3 * at, table, lit, width);
        apart_row(lit, shade + 3 * at, seen + 3 * at, worst + at, width);
    }
#define ABOVE(y) ((size_t)max_int((y) - 1, 0) * width)
#define BELOW(y) ((size_t)min_int((y) + 1, height - 1) * width)
    for (int y = 0; y < height; y++)
        error_row(worst + ABOVE(y), worst + (size_t)y * width, worst + BELOW(y), sums, ninefold + (size_t)y * width,
                  width);
    double noise = median_noise(ninefold, alpha, width, height, rules);
    noise = noise < rules->most_noise ? noise : rules->most_noise;
    const Limits limits = limits_of(rules, noise);
    for (int y = 0; y < height; y++) {
        const size_t at = (size_t)y * width;
        judge_row(ninefold + at, deviation + at, matches + at, equals + at, differs + at, width, &limits);
    }
    for (int y = 0; y < height; y++)
        smallest_row(matches + ABOVE(y), matches + (size_t)y * width, matches + BELOW(y), columns,
                     opened + (size_t)y * width, width);
    counts[0] = counts[1] = counts[2] = 0;
    for (int y = 0; y < height; y++) {
        const size_t at = (size_t)y * width;
        largest_row(opened + ABOVE(y), opened + at, opened + BELOW(y), columns, matches + at, width);
        count_row(alpha + at, deviation + at, matches + at, counts, width, &limits);
    }
#undef ABOVE
#undef BELOW
    free(memory);
    return DONE;
}
