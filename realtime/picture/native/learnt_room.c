/* Of picture/learnt_room.py: `_learn` adds a frame to the room that is learnt, `_follow` brings the known one up to
   date; and `make_plate` of picture/room_plate.py, which both need. */

#include "rows.h"

#include <math.h>

enum { CHANNELS = 3 };

/* To the nearest level; of two, to the even one, like NumPy. Adding 1.5 * 2^23 leaves no bits for a fraction. */
FAST static void round_levels(const float *restrict mean, uint8_t *restrict bgr, int count) {
    for (int i = 0; i < count; i++) {
        const float level = clamped(mean[i], 0.0f, 255.0f) + 12582912.0f;
        bgr[i] = (uint8_t)(int)(level - 12582912.0f);
    }
}

FAST static void add_row(const uint8_t *restrict bgr, int32_t *restrict sums, int32_t *restrict squares, int count) {
    for (int i = 0; i < count; i++) {
        sums[i] += bgr[i];
        squares[i] += bgr[i] * bgr[i];
    }
}

/* Adds `side` neighbours of one channel; `columns` has side / 2 pixels more at either end. */
FAST static void sum_pixels(const int32_t *restrict columns, int32_t *restrict sums, int count, int side) {
    memcpy(sums, columns, (size_t)count * sizeof *sums);
    for (int at = 1; at < side; at++)
        for (int i = 0; i < count; i++)
            sums[i] += columns[i + CHANNELS * at];
}

/* The standard deviation of a row of windows, the worst channel, times a scale. squares becomes the variance. */
FAST static void deviation_row(const int32_t *restrict sums, int32_t *restrict squares, float *restrict deviation,
                               int width, int pixels, float scale) {
    for (int i = 0; i < CHANNELS * width; i++)
        squares[i] = pixels * squares[i] - sums[i] * sums[i];
    for (int x = 0; x < width; x++) {
        const int32_t most = max_int(max_int(squares[3 * x], squares[3 * x + 1]), squares[3 * x + 2]);
        deviation[x] = scale * sqrtf((float)most);
    }
}

/* mean, bgr: (height, width, 3); deviation: (height, width). side: of the window, odd and at most 5, so that an int32
   holds every sum. Returns DONE or NO_MEMORY. */
EXPORT int bgcam_make_plate(const float *mean, uint8_t *bgr, float *deviation, int32_t width, int32_t height,
                            int32_t side, float flat) {
    const int half = side / 2, count = CHANNELS * width, padded = count + 2 * CHANNELS * half;
    int32_t *columns = malloc((size_t)2 * (padded + count) * sizeof *columns);
    if (!columns)
        return NO_MEMORY;
    int32_t *column_squares = columns + padded, *sums = column_squares + padded, *squares = sums + count;
    round_levels(mean, bgr, count * height);
    for (int y = 0; y < height; y++) {
        memset(columns, 0, 2 * (size_t)padded * sizeof *columns);
        for (int at = y - half; at <= y + half; at++)
            add_row(bgr + (size_t)count * max_int(min_int(at, height - 1), 0), columns + CHANNELS * half,
                    column_squares + CHANNELS * half, count);
        for (int32_t *row = columns; row <= column_squares; row += padded)
            for (int i = 0; i < CHANNELS * half; i++) {
                row[i] = row[CHANNELS * half + i % CHANNELS];
                row[padded - 1 - i] = row[padded - 1 - CHANNELS * half - i % CHANNELS];
            }
        sum_pixels(columns, sums, count, side);
        sum_pixels(column_squares, squares, count, side);
        deviation_row(sums, squares, deviation + (size_t)y * width, width, side * side, flat / (float)(side * side));
    }
    free(columns);
    return DONE;
}

/* Adds a frame in the first one's light to the sums. seen, total, squares: (count, 3); offset, scale: (3). Returns
 * DONE. */
FAST static void add_frame(const uint8_t *restrict seen, float *restrict total, float *restrict squares,
                           const float *restrict offset, const float *restrict scale, int count) {
    for (int i = 0; i < count; i++)
        for (int c = 0; c < CHANNELS; c++) {
            const float value = (seen[CHANNELS * i + c] - offset[c]) * scale[c];
            total[CHANNELS * i + c] += value;
            squares[CHANNELS * i + c] += value * value;
        }
}
EXPORT int bgcam_learn(const uint8_t *seen, float *total, float *squares, const float *offset, const float *scale,
                       int32_t count) {
    add_frame(seen, total, squares, offset, scale, count);
    return DONE;
}

/* The same structure as `FollowRules` in structures.py. step: of the trust, for the time since the last call. */
typedef struct {
    float low, step, follow;
} FollowRules;

FAST static void follow(const float *restrict alpha, const float *restrict equals, const uint8_t *restrict differs,
                        const float *restrict steady, const uint8_t *restrict seen, const float *restrict offset,
                        const float *restrict scale, float *restrict trust, float *restrict mean, int count,
                        const FollowRules *rules) {
    const FollowRules r = *rules;
    for (int i = 0; i < count; i++) {
        const int background = alpha[i] < r.low, fits = background & (equals[i] >= 0.5f);
        const float step = (fits ? r.step : 0.0f) - (background & differs[i] ? r.step : 0.0f);
        trust[i] = clamped(trust[i] + step, 0.0f, steady[i]);
        const float rate = fits ? r.follow : 0.0f;
        for (int c = 0; c < CHANNELS; c++) {
            const float now = (seen[CHANNELS * i + c] - offset[c]) * scale[c];
            mean[CHANNELS * i + c] += rate * (now - mean[CHANNELS * i + c]);
        }
    }
}

/* trust: (count), mean: (count, 3), both changed; seen: (count, 3); offset, scale: (3); all others (count). Returns
   DONE. */
EXPORT int bgcam_follow(const float *alpha, const float *equals, const uint8_t *differs, const float *steady,
                        const uint8_t *seen, const float *offset, const float *scale, float *trust, float *mean,
                        int32_t count, const FollowRules *rules) {
    follow(alpha, equals, differs, steady, seen, offset, scale, trust, mean, count, rules);
    return DONE;
}
