/* `fit_light` of picture/room_light.py, whose steps are named here by their numbers. */

#include "rows.h"

enum { CHANNELS = 3 };

/* The constants of picture/room_light.py; the same structure as `LightRules` in structures.py. */
typedef struct {
    float dark, near, near_share, stiff, fades, most;
    int32_t least_cells;
} LightRules;

/* The value that would have index `rank` if all were in order, which they are up to there afterwards. */
static float ranked(float *values, int count, int rank) {
    int first = 0, last = count - 1;
    while (first < last) {
        const float middle = values[(first + last) / 2];
        int left = first, right = last;
        while (left <= right) {
            while (values[left] < middle)
                left++;
            while (values[right] > middle)
                right--;
            if (left <= right) {
                const float value = values[left];
                values[left++] = values[right];
                values[right--] = value;
            }
        }
        if (rank <= right)
            last = right;
        else if (rank >= left)
            first = left;
        else
            break;
    }
    return values[rank];
}

static float median(float *values, int count) {
    const float upper = ranked(values, count, count / 2);
    if (count & 1)
        return upper;
    float lower = values[0];
    for (int i = 1; i < count / 2; i++)
        lower = values[i] > lower ? values[i] : lower;
    return 0.5f * (lower + upper);
}

/* Steps 1 and 2: which of the asked cells fit, 0 or 1 for every cell. `ratios` is memory for one value a cell. */
static int find_fitting(const float *frame, const float *plate, const uint8_t *asked, float *median_gain, float *fits,
                        float *ratios, int cells, const LightRules *rules) {
    for (int c = 0; c < CHANNELS; c++) {
        int count = 0;
        for (int i = 0; i < cells; i++)
            if (asked[i])
                ratios[count++] = (frame[CHANNELS * i + c] + rules->dark) / (plate[CHANNELS * i + c] + rules->dark);
        median_gain[c] = median(ratios, count);
    }
    int fitting = 0;
    for (int i = 0; i < cells; i++) {
        float off = 0.0f, brightest = 0.0f;
        for (int c = 0; c < CHANNELS && asked[i]; c++) {
            const float there = frame[CHANNELS * i + c];
            const float apart = there + rules->dark - median_gain[c] * (plate[CHANNELS * i + c] + rules->dark);
            off = apart > off ? apart : -apart > off ? -apart : off;
            brightest = there > brightest ? there : brightest;
        }
        const float share = rules->near_share * brightest;
        const int fit = asked[i] && off < (share > rules->near ? share : rules->near);
        fits[i] = fit ? 1.0f : 0.0f;
        fitting += fit;
    }
    return fitting;
}

/* Step 3 for one channel. */
static void fit_channel(const float *frame, const float *plate, const float *fits, float median_gain, float *gain,
                        float *offset, int cells, int fitting, float stiff) {
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (int i = 0; i < cells; i++) {
        mean_x += (double)(fits[i] * plate[CHANNELS * i]);
        mean_y += (double)(fits[i] * frame[CHANNELS * i]);
    }
    mean_x /= fitting, mean_y /= fitting;
    for (int i = 0; i < cells; i++) {
        const double x = (double)fits[i] * (plate[CHANNELS * i] - mean_x);
        xx += x * x;
        xy += x * frame[CHANNELS * i];
    }
    const double slope = (xy / fitting + (double)(stiff * median_gain)) / (xx / fitting + stiff);
    *gain = (float)slope;
    *offset = (float)(mean_y - slope * mean_x);
}

/* The sum of 3x3 cells, borders repeated; values are `step` apart. */
static float sum_around(const float *values, int x, int y, int columns, int rows, int step) {
    float sum = 0.0f;
    for (int j = y - 1; j <= y + 1; j++)
        for (int i = x - 1; i <= x + 1; i++)
            sum += values[((size_t)max_int(min_int(j, rows - 1), 0) * columns + max_int(min_int(i, columns - 1), 0)) *
                          (size_t)step];
    return sum;
}

/* frame, plate, local: (rows, columns, 3); asked: (rows, columns), 0 or 1; gain, offset: (3). counts: how many cells
   were asked and how many fit. Returns DONE, NO_MEMORY, or CUT if too few cells fit. */
EXPORT int bgcam_fit_light(const float *frame, const float *plate, const uint8_t *asked, float *gain, float *offset,
                           float *local, int32_t *counts, int32_t columns, int32_t rows, const LightRules *rules) {
    const int cells = columns * rows;
    counts[0] = counts[1] = 0;
    for (int i = 0; i < cells; i++)
        counts[0] += asked[i] != 0;
    if (counts[0] < rules->least_cells)
        return CUT;
    float *fits = malloc((CHANNELS + 2) * (size_t)cells * sizeof *fits), median_gain[CHANNELS];
    if (!fits)
        return NO_MEMORY;
    float *ratios = fits + cells, *left = ratios + cells;
    counts[1] = find_fitting(frame, plate, asked, median_gain, fits, ratios, cells, rules);
    if (counts[1] < rules->least_cells) {
        free(fits);
        return CUT;
    }
    for (int c = 0; c < CHANNELS; c++) {
        fit_channel(frame + c, plate + c, fits, median_gain[c], gain + c, offset + c, cells, counts[1], rules->stiff);
        for (int i = 0; i < cells; i++) {
            const float more = frame[CHANNELS * i + c] - (plate[CHANNELS * i + c] * gain[c] + offset[c]);
            left[CHANNELS * i + c] = fits[i] * clamped(more, -rules->most, rules->most);
        }
    }
    for (int y = 0; y < rows; y++)
        for (int x = 0; x < columns; x++) {
            const float weight = sum_around(fits, x, y, columns, rows, 1) * (1.0f / 9.0f) + rules->fades;
            for (int c = 0; c < CHANNELS; c++)
                local[CHANNELS * ((size_t)y * columns + x) + c] =
                    sum_around(left + c, x, y, columns, rows, CHANNELS) * (1.0f / 9.0f) / weight;
        }
    free(fits);
    return DONE;
}
