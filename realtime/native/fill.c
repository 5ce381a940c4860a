/* `fill` of picture/foreground.py: colours smoothed by their weight, and carried to where there is none. In planes: three
   of weight * colour, and the weight. */

#include "rows.h"

enum { PLANES = 4 };

FAST static void weigh(const float *restrict colours, const float *restrict weight, float *restrict b, float *restrict g,
                       float *restrict r, int count) {
    for (int i = 0; i < count; i++) {
        b[i] = weight[i] * colours[3 * i];
        g[i] = weight[i] * colours[3 * i + 1];
        r[i] = weight[i] * colours[3 * i + 2];
    }
}

/* The mean of 3x3 cells, border cells repeated; `sums` is for one row, with a cell more at either end. */
FAST static void box_row(const float *restrict above, const float *restrict here, const float *restrict below,
                         float *restrict sums, float *restrict out, int width) {
    sum_columns(above, here, below, sums, width);
    for (int x = 0; x < width; x++)
        out[x] = (sums[x] + sums[x + 1] + sums[x + 2]) * (1.0f / 9.0f);
}

/* Means of 2x2 cells, the last column repeated to an even count. */
FAST static void halve_row(const float *restrict upper, const float *restrict lower, float *restrict out, int width) {
    for (int x = 0; x < width / 2; x++)
        out[x] = 0.25f * (upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1]);
    if (width & 1)
        out[width / 2] = 0.5f * (upper[width - 1] + lower[width - 1]);
}

FAST static void between_rows(const float *restrict upper, const float *restrict lower, float below, float *restrict out,
                              int width) {
    for (int x = 0; x < width; x++)
        out[x] = upper[x] + below * (lower[x] - upper[x]);
}

/* (near + seen * wide) / (weight + seen), wide being the coarser row between its cells. */
FAST static void join_row(float *restrict near, const float *restrict weight, const float *restrict left,
                          const float *restrict right, const float *restrict beside, float seen, int width) {
    for (int x = 0; x < width; x++)
        near[x] = (near[x] + seen * (left[x] + beside[x] * (right[x] - left[x]))) / (weight[x] + seen);
}

FAST static void divide(float *restrict near, const float *restrict weight, float tiny, int count) {
    for (int i = 0; i < count; i++)
        near[i] /= weight[i] + tiny;
}

/* Coarser planes (half_height, half_width) into near, at its size. `row` is for one of the coarser and four of the others. */
static void join(float *near, const float *coarse, int width, int height, int half_width, int half_height, float seen,
                 float *row) {
    const size_t cells = (size_t)width * height, half_cells = (size_t)half_width * half_height;
    const float step_x = (float)half_width / width, step_y = (float)half_height / height;
    float *left = row + half_width, *right = left + width, *beside = right + width;
    int32_t *at = (int32_t *)(beside + width);
    for (int x = 0; x < width; x++) {
        const float to = place(x, step_x, half_width);
        at[x] = least((int)to, half_width - 1);
        beside[x] = to - at[x];
    }
    for (int y = 0; y < height; y++) {
        const float to = place(y, step_y, half_height);
        const int upper = least((int)to, half_height - 1), lower = least(upper + 1, half_height - 1);
        for (int plane = 0; plane < 3; plane++) {
            const float *from = coarse + plane * half_cells;
            between_rows(from + (size_t)upper * half_width, from + (size_t)lower * half_width, to - upper, row, half_width);
            for (int x = 0; x < width; x++) {
                left[x] = row[at[x]];
                right[x] = row[least(at[x] + 1, half_width - 1)];
            }
            join_row(near + plane * cells + (size_t)y * width, near + 3 * cells + (size_t)y * width, left, right, beside,
                     seen, width);
        }
    }
}

/* known: four planes (height, width), which become the three of the filled colours; the fourth means nothing then. */
static int fill_planes(float *known, int width, int height, int levels, float seen, float tiny) {
    const int half_width = (width + 1) / 2, half_height = (height + 1) / 2;
    const size_t cells = (size_t)width * height, half_cells = (size_t)half_width * half_height;
    const size_t rows = 4 * (size_t)(width + 2) + half_width; /* of join, the longer; the last of them for its places */
    const int last = levels == 0 || least(width, height) < 2;
    float *memory = malloc((PLANES * (cells + half_cells) + rows) * sizeof(float));
    if (!memory)
        return NO_MEMORY;
    float *near = memory, *coarse = near + PLANES * cells, *row = coarse + PLANES * half_cells;
    for (int plane = 0; plane < PLANES; plane++) {
        const float *from = known + plane * cells;
        for (int y = 0; y < height; y++)
            box_row(from + (size_t)most(y - 1, 0) * width, from + (size_t)y * width,
                    from + (size_t)least(y + 1, height - 1) * width, row, near + plane * cells + (size_t)y * width, width);
        for (int y = 0; y < half_height && !last; y++)
            halve_row(from + (size_t)2 * y * width, from + (size_t)least(2 * y + 1, height - 1) * width,
                      coarse + plane * half_cells + (size_t)y * half_width, width);
    }
    int failed = DONE;
    if (last) {
        for (int plane = 0; plane < 3; plane++)
            divide(near + plane * cells, near + 3 * cells, tiny, (int)cells);
    } else {
        failed = fill_planes(coarse, half_width, half_height, levels - 1, seen, tiny);
        if (!failed)
            join(near, coarse, width, height, half_width, half_height, seen, row);
    }
    memcpy(known, near, 3 * cells * sizeof(float));
    free(memory);
    return failed;
}

/* colours, out: (height, width, 3); weight: (height, width). Gives DONE, or NO_MEMORY where there was none. */
EXPORT int bgcam_fill(const float *colours, const float *weight, float *out, int32_t width, int32_t height,
                      int32_t levels, float seen, float tiny) {
    const size_t cells = (size_t)width * height;
    float *known = malloc(PLANES * cells * sizeof(float));
    if (!known)
        return NO_MEMORY;
    weigh(colours, weight, known, known + cells, known + 2 * cells, (int)cells);
    memcpy(known + 3 * cells, weight, cells * sizeof(float));
    const int failed = fill_planes(known, width, height, levels, seen, tiny);
    for (size_t i = 0; i < cells && !failed; i++)
        for (int plane = 0; plane < 3; plane++)
            out[3 * i + plane] = known[plane * cells + i];
    free(known);
    return failed;
}
