/* `fill` of picture/foreground.py: weighted smoothing of colours, extended to the cells without weight. The data is in
   four planes: three of weight * colour, and the weight. */

#include "fill.h"

enum { PLANES = 4 };

FAST static void weigh(const float *restrict colours, const float *restrict weight, float *restrict b,
                       float *restrict g, float *restrict r, int count) {
    for (int i = 0; i < count; i++) {
        b[i] = weight[i] * colours[3 * i];
        g[i] = weight[i] * colours[3 * i + 1];
        r[i] = weight[i] * colours[3 * i + 2];
    }
}

/* The mean of 3x3 cells, border cells repeated. `sums` is one row with one more cell at either end. */
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

FAST static void interpolate_rows(const float *restrict upper, const float *restrict lower, float below,
                                  float *restrict out, int width) {
    for (int x = 0; x < width; x++)
        out[x] = upper[x] + below * (lower[x] - upper[x]);
}

/* A coarser row interpolated to twice as many cells: each lies a quarter of a cell beside a coarser cell's centre. */
FAST static void double_row(const float *restrict row, float *restrict wide, int half_width) {
    const int last = half_width - 1;
    wide[0] = row[0];
    for (int x = 0; x < last; x++) {
        wide[2 * x + 1] = 0.75f * row[x] + 0.25f * row[x + 1];
        wide[2 * x + 2] = 0.25f * row[x] + 0.75f * row[x + 1];
    }
    wide[2 * last + 1] = row[last];
}

/* The same for an odd width: cell x lies beside[x] of the way from cell at[x] to the next. */
static void enlarge_row(const float *restrict row, float *restrict wide, const int32_t *restrict at,
                        const float *restrict beside, int width, int last) {
    for (int x = 0; x < width; x++)
        wide[x] = row[at[x]] + beside[x] * (row[min_int(at[x] + 1, last)] - row[at[x]]);
}

/* (near + least * wide) / (weight + least), where `wide` is the interpolated coarser row. */
FAST static void join_row(float *restrict near, const float *restrict weight, const float *restrict wide, float least,
                          int width) {
    for (int x = 0; x < width; x++)
        near[x] = (near[x] + least * wide[x]) / (weight[x] + least);
}

FAST static void divide(float *restrict near, const float *restrict weight, float tiny, int count) {
    for (int i = 0; i < count; i++)
        near[i] /= weight[i] + tiny;
}

/* Joins coarser planes (half_height, half_width) into `near`. `row` has memory for one coarser row and three others. */
static void join(float *near, const float *coarse, int width, int height, int half_width, int half_height, float least,
                 float *row) {
    const size_t cells = (size_t)width * height, half_cells = (size_t)half_width * half_height;
    const float step_x = (float)half_width / width, step_y = (float)half_height / height;
    float *wide = row + half_width, *beside = wide + width;
    int32_t *at = (int32_t *)(beside + width);
    const int doubles = width == 2 * half_width;
    for (int x = 0; x < width && !doubles; x++) {
        const float to = grid_position(x, step_x, half_width);
        at[x] = min_int((int)to, half_width - 1);
        beside[x] = to - at[x];
    }
    for (int y = 0; y < height; y++) {
        const float to = grid_position(y, step_y, half_height);
        const int upper = min_int((int)to, half_height - 1), lower = min_int(upper + 1, half_height - 1);
        for (int plane = 0; plane < 3; plane++) {
            const float *from = coarse + plane * half_cells;
            interpolate_rows(from + (size_t)upper * half_width, from + (size_t)lower * half_width, to - upper, row,
                             half_width);
            if (doubles)
                double_row(row, wide, half_width);
            else
                enlarge_row(row, wide, at, beside, width, half_width - 1);
            join_row(near + plane * cells + (size_t)y * width, near + 3 * cells + (size_t)y * width, wide, least,
                     width);
        }
    }
}

int bgcam_fill_planes(float *known, int width, int height, int levels, float least, float tiny) {
    const int half_width = (width + 1) / 2, half_height = (height + 1) / 2;
    const size_t cells = (size_t)width * height, half_cells = (size_t)half_width * half_height;
    const size_t rows = 3 * (size_t)(width + 2) + half_width; /* as `join` needs */
    const int last = levels == 0 || min_int(width, height) < 2;
    float *memory = malloc((PLANES * (cells + half_cells) + rows) * sizeof(float));
    if (!memory)
        return NO_MEMORY;
    float *near = memory, *coarse = near + PLANES * cells, *row = coarse + PLANES * half_cells;
    for (int plane = 0; plane < PLANES; plane++) {
        const float *from = known + plane * cells;
        for (int y = 0; y < height; y++)
            box_row(from + (size_t)max_int(y - 1, 0) * width, from + (size_t)y * width,
                    from + (size_t)min_int(y + 1, height - 1) * width, row, near + plane * cells + (size_t)y * width,
                    width);
        for (int y = 0; y < half_height && !last; y++)
            halve_row(from + (size_t)2 * y * width, from + (size_t)min_int(2 * y + 1, height - 1) * width,
                      coarse + plane * half_cells + (size_t)y * half_width, width);
    }
    int failed = DONE;
    if (last) {
        for (int plane = 0; plane < 3; plane++)
            divide(near + plane * cells, near + 3 * cells, tiny, (int)cells);
    } else {
        failed = bgcam_fill_planes(coarse, half_width, half_height, levels - 1, least, tiny);
        if (!failed)
            join(near, coarse, width, height, half_width, half_height, least, row);
    }
    memcpy(known, near, 3 * cells * sizeof(float));
    free(memory);
    return failed;
}

/* colours, out: (height, width, 3); weight: (height, width). least, tiny: LEAST and TINY of foreground.py. Returns DONE
   or NO_MEMORY. */
EXPORT int bgcam_foreground_fill(const float *colours, const float *weight, float *out, int32_t width, int32_t height,
                                 int32_t levels, float least, float tiny) {
    const size_t cells = (size_t)width * height;
    float *known = malloc(PLANES * cells * sizeof(float));
    if (!known)
        return NO_MEMORY;
    weigh(colours, weight, known, known + cells, known + 2 * cells, (int)cells);
    memcpy(known + 3 * cells, weight, cells * sizeof(float));
    const int failed = bgcam_fill_planes(known, width, height, levels, least, tiny);
    for (size_t i = 0; i < cells && !failed; i++)
        for (int plane = 0; plane < 3; plane++)
            out[3 * i + plane] = known[plane * cells + i];
    free(known);
    return failed;
}
