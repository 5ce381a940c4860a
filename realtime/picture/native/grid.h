/* Bilinear sampling of a grid at the pixels of a tile, row by row.

   A row of the grid is interpolated to the pixels' columns once; every row of pixels then lies between two such rows.
   Rows are padded to whole vectors, so that the compiler needs no scalar loop for the remaining pixels. */
#ifndef BGCAM_GRID_H
#define BGCAM_GRID_H

#include "rows.h"

/* A grid of `channels` floats per cell. Pixel x lies at (x + 0.5) * step_x - 0.5 of its columns, borders repeated.
   The same structure as `Grid` in structures.py. */
typedef struct {
    const float *cells;
    int32_t columns, rows, channels;
    float step_x, step_y;
} Grid;

/* The two rows of a grid around a row of pixels, interpolated to every pixel of a tile: `upper`, `lower`, and `rise`,
   their difference. `left` holds, for each value of a row, the index of the cell to its left, and `beside` how far it
   lies to the right of that cell. `held` is the grid row in `upper`. */
typedef struct {
    Grid grid;
    int held;
    int32_t *left;
    float *beside, *next, *upper, *lower, *rise;
} Sampler;

/* Prepare for a tile of `width` pixels that begins at column `begin`. */
static void sampler_start(Sampler *sampler, int begin, int width) {
    const int columns = sampler->grid.columns, channels = sampler->grid.channels;
    for (int x = 0; x < width; x++) {
        const float at = grid_position(begin + x, sampler->grid.step_x, columns);
        const int cell = min_int((int)at, max_int(columns - 2, 0));
        for (int c = 0; c < channels; c++) {
            sampler->left[x * channels + c] = cell * channels + c;
            sampler->beside[x * channels + c] = at - cell;
        }
    }
    sampler->held = -2;
}

/* Not compiled for AVX, which would use gather instructions: they are slower than single reads, and far slower on
   processors with the microcode against Downfall. */
static void pick(const float *restrict cells, const int32_t *restrict left, float *restrict out, int count) {
    for (int i = 0; i < count; i++)
        out[i] = cells[left[i]];
}

FAST static void interpolate(float *restrict here, const float *restrict next, const float *restrict beside,
                             int count) {
    for (int i = 0; i < PADDED(count); i++)
        here[i] += beside[i] * (next[i] - here[i]);
}

/* One row of the grid, interpolated to the pixels' columns. */
static void sample_row(const Sampler *sampler, int row, float *out, int count) {
    const Grid *grid = &sampler->grid;
    const float *cells = grid->cells + (size_t)row * grid->columns * grid->channels;
    pick(cells, sampler->left, out, count);
    pick(cells + (grid->columns > 1 ? grid->channels : 0), sampler->left, sampler->next, count);
    interpolate(out, sampler->next, sampler->beside, count);
}

FAST static void subtract(const float *restrict from, const float *restrict what, float *restrict out, int count) {
    for (int i = 0; i < PADDED(count); i++)
        out[i] = from[i] - what[i];
}

/* Sets `upper` and `rise` for pixel row y. Returns how far below the upper row it lies, from 0 to 1. */
static float sampler_move_to(Sampler *sampler, int y, int width) {
    const int rows = sampler->grid.rows, count = width * sampler->grid.channels;
    const float at = grid_position(y, sampler->grid.step_y, rows);
    const int row = min_int((int)at, max_int(rows - 2, 0));
    if (row != sampler->held) {
        if (row == sampler->held + 1) {
            float *above = sampler->upper;
            sampler->upper = sampler->lower;
            sampler->lower = above;
        } else {
            sample_row(sampler, row, sampler->upper, count);
        }
        sample_row(sampler, min_int(row + 1, rows - 1), sampler->lower, count);
        subtract(sampler->lower, sampler->upper, sampler->rise, count);
        sampler->held = row;
    }
    return at - row;
}

/* Divides `memory` into the rows of a sampler for tiles of `width` pixels. Returns the number of floats that takes;
   with NULL as memory, only that. */
static size_t sampler_memory(Sampler *sampler, const Grid *grid, float *memory, int width) {
    const size_t row = 3 * (size_t)PADDED(width);
    sampler->grid = *grid;
    if (!grid->cells)
        return 0;
    if (memory) {
        sampler->left = (int32_t *)memory;
        sampler->beside = memory + row;
        sampler->next = memory + 2 * row;
        sampler->upper = memory + 3 * row;
        sampler->lower = memory + 4 * row;
        sampler->rise = memory + 5 * row;
    }
    return 6 * row;
}

#endif
