/* What the picture's stages share: how a function is compiled for several processors, and steps between cells. */
#ifndef BGCAM_ROWS_H
#define BGCAM_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Machine code for each generation of x86-64; the loader takes the best that the processor knows. */
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

/* What a function gives back. */
enum { DONE, CUT, NO_MEMORY };

/* As many as fill whole vectors: what lies beyond `count` is memory that nobody looks at. */
#define WHOLE(count) (((count) + 63) & ~63)

INLINE int least(int a, int b) {
    return a < b ? a : b;
}
INLINE int most(int a, int b) {
    return a > b ? a : b;
}

INLINE float clamped(float x, float low, float high) {
    const float above = x > low ? x : low;
    return above < high ? above : high;
}

/* Of three rows, each column's sum, with the border columns once more at either end: sums has two more than they. */
INLINE void sum_columns(const float *restrict above, const float *restrict here, const float *restrict below,
                        float *restrict sums, int width) {
    for (int x = 0; x < width; x++)
        sums[x + 1] = above[x] + here[x] + below[x];
    sums[0] = sums[1];
    sums[width + 1] = sums[width];
}

/* Where pixel `at` lies among so many cells, `step` of them a pixel: half-pixel centres, borders repeated. */
INLINE float place(int at, float step, int cells) {
    return clamped((at + 0.5f) * step - 0.5f, 0.0f, (float)(cells - 1));
}

#endif
