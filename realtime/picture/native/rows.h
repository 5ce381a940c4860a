/* Shared by all stages: compilation for several generations of processors, and small helpers for rows of cells. */
#ifndef BGCAM_ROWS_H
#define BGCAM_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* One copy of the machine code for each generation of x86-64; the loader picks the best that the processor supports. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12
#define FAST __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FAST
#endif

#if defined(_MSC_VER)
#define restrict __restrict
#define INLINE static __forceinline
#define EXPORT __declspec(dllexport)
#else
#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))
#endif

/* What an exported function returns. CUT: the frame is too different from the previous ones (temporal_filter.c). */
enum { DONE, CUT, NO_MEMORY };

/* A count rounded up to whole vectors. Values beyond `count` are computed and never used. */
#define PADDED(count) (((count) + 63) & ~63)

INLINE int min_int(int a, int b) {
    return a < b ? a : b;
}
INLINE int max_int(int a, int b) {
    return a > b ? a : b;
}

INLINE float clamped(float x, float low, float high) {
    const float above = x > low ? x : low;
    return above < high ? above : high;
}

INLINE float larger(float a, float b) {
    return a > b ? a : b;
}
INLINE float smaller(float a, float b) {
    return a < b ? a : b;
}

/* From 0 at span[0] to 1 at span[1]. */
INLINE float ramp(float x, const float *span) {
    return clamped((x - span[0]) * (1.0f / (span[1] - span[0])), 0.0f, 1.0f);
}

/* The sum of three rows, column by column. `sums` has one more column at either end: the border's own, repeated. */
INLINE void sum_columns(const float *restrict above, const float *restrict here, const float *restrict below,
                        float *restrict sums, int width) {
    for (int x = 0; x < width; x++)
        sums[x + 1] = above[x] + here[x] + below[x];
    sums[0] = sums[1];
    sums[width + 1] = sums[width];
}

/* Sums of `side` neighbours in a row with side / 2 more at either end. */
INLINE void sum_along(const float *restrict row, float *restrict sums, int count, int side) {
    for (int i = 0; i < count; i++)
        sums[i] = row[i];
    for (int at = 1; at < side; at++)
        for (int i = 0; i < count; i++)
            sums[i] += row[i + at];
}

/* The largest of 3x3 cells if `most`, otherwise the smallest. Beyond the border there is nothing. `columns` is one row
   with one more cell at either end. */
INLINE void extreme_row(const float *restrict above, const float *restrict here, const float *restrict below,
                        float *restrict columns, float *restrict extreme, int width, int most) {
    for (int x = 0; x < width; x++)
        columns[x + 1] =
            most ? larger(larger(above[x], here[x]), below[x]) : smaller(smaller(above[x], here[x]), below[x]);
    columns[0] = columns[1];
    columns[width + 1] = columns[width];
    for (int x = 0; x < width; x++)
        extreme[x] = most ? larger(larger(columns[x], columns[x + 1]), columns[x + 2])
                          : smaller(smaller(columns[x], columns[x + 1]), columns[x + 2]);
}

/* The position of pixel `at` on a row of `cells`, with `step` cells per pixel: half-pixel centres, borders repeated. */
INLINE float grid_position(int at, float step, int cells) {
    return clamped((at + 0.5f) * step - 0.5f, 0.0f, (float)(cells - 1));
}

#endif
