/* What lies on a grid, brought to rows of pixels: bilinear, a step between two rows at each pixel.

   A grid's row is widened to the pixels' columns once; a row of pixels then lies between two such rows, as the frame's
   own rows do. Rows are as long as whole vectors: a compiler makes vectors of all of it then, without a rest of single
   pixels. */
#ifndef BGCAM_WALK_H
#define BGCAM_WALK_H

#include "rows.h"

/* A grid of `channels` floats a cell. Pixel x lies at (x + 0.5) * step_x - 0.5 of its columns, borders repeated. */
typedef struct {
    const float *cells;
    int32_t columns, rows, channels;
    float step_x, step_y;
} Grid;

/* The two rows of a grid around a row of pixels, at every pixel of a tile, and what the lower one adds to the upper.
   For each of their values: the place of the left one of two that it lies between, and how far beside that it lies. */
typedef struct {
    Grid grid;
    int held;
    int32_t *left;
    float *beside, *next, *upper, *lower, *rise;
} Walk;

static void walk_from(Walk *walk, int begin, int wide) {
    const int columns = walk->grid.columns, channels = walk->grid.channels;
    for (int x = 0; x < wide; x++) {
        const float at = place(begin + x, walk->grid.step_x, columns);
        const int cell = least((int)at, most(columns - 2, 0));
        for (int c = 0; c < channels; c++) {
            walk->left[x * channels + c] = cell * channels + c;
            walk->beside[x * channels + c] = at - cell;
        }
    }
    walk->held = -2;
}

/* Not for AVX, which would gather: slower than single reads, on processors that are mended against Downfall by far. */
static void pick(const float *restrict cells, const int32_t *restrict left, float *restrict out, int count) {
    for (int i = 0; i < count; i++)
        out[i] = cells[left[i]];
}

FAST static void between(float *restrict here, const float *restrict next, const float *restrict beside, int count) {
    for (int i = 0; i < WHOLE(count); i++)
        here[i] += beside[i] * (next[i] - here[i]);
}

static void widen_row(const Walk *walk, int row, float *out, int count) {
    const Grid *grid = &walk->grid;
    const float *cells = grid->cells + (size_t)row * grid->columns * grid->channels;
    pick(cells, walk->left, out, count);
    pick(cells + (grid->columns > 1 ? grid->channels : 0), walk->left, walk->next, count);
    between(out, walk->next, walk->beside, count);
}

FAST static void subtract(const float *restrict from, const float *restrict what, float *restrict out, int count) {
    for (int i = 0; i < WHOLE(count); i++)
        out[i] = from[i] - what[i];
}

/* Makes `upper` and `rise` those around pixel row y, and gives how far below the upper one it lies. */
static float walk_to(Walk *walk, int y, int wide) {
    const int rows = walk->grid.rows, count = wide * walk->grid.channels;
    const float at = place(y, walk->grid.step_y, rows);
    const int row = least((int)at, most(rows - 2, 0));
    if (row != walk->held) {
        if (row == walk->held + 1) {
            float *above = walk->upper;
            walk->upper = walk->lower;
            walk->lower = above;
        } else {
            widen_row(walk, row, walk->upper, count);
        }
        widen_row(walk, least(row + 1, rows - 1), walk->lower, count);
        subtract(walk->lower, walk->upper, walk->rise, count);
        walk->held = row;
    }
    return at - row;
}

/* Divides up memory for rows of so many pixels; or without any, tells how much it takes. Floats. */
static size_t walk_memory(Walk *walk, const Grid *grid, float *memory, int wide) {
    const size_t row = 3 * (size_t)WHOLE(wide);
    walk->grid = *grid;
    if (!grid->cells)
        return 0;
    if (memory) {
        walk->left = (int32_t *)memory;
        walk->beside = memory + row;
        walk->next = memory + 2 * row;
        walk->upper = memory + 3 * row;
        walk->lower = memory + 4 * row;
        walk->rise = memory + 5 * row;
    }
    return 6 * row;
}

#endif
