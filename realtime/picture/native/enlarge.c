/* `enlarge` of picture/enlarge.py: bilinear, like OpenCV's INTER_LINEAR, in 16 bits with 7 behind the point. */

#include "rows.h"

enum { CHANNELS = 3, POINT = 7, ROUND = 1 << (POINT - 1), ONE = 1 << 15 };

/* a * b / ONE, rounded; in the form that compilers turn into one instruction, PMULHRSW. */
INLINE int16_t times(int16_t a, int16_t b) {
    return (int16_t)((((int)a * (int)b >> 14) + 1) >> 1);
}

/* Not compiled for AVX, which would use gather instructions; see grid.h. Each pixel is written with one byte more than
   it has, which the next one overwrites. */
static void pick_pixels(const uint8_t *restrict row, const int32_t *restrict left, uint8_t *restrict out, int width) {
    for (int x = 0; x < width; x++)
        memcpy(out + CHANNELS * x, row + left[x], 4);
}

/* The row between the cells to the left and to the right. */
FAST static void between(const uint8_t *restrict left, const uint8_t *restrict right, const int16_t *restrict beside,
                         int16_t *restrict out, int count) {
    for (int i = 0; i < PADDED(count); i++)
        out[i] = (int16_t)((left[i] << POINT) + times((int16_t)((right[i] - left[i]) * (1 << POINT)), beside[i]));
}

FAST static void rise_row(const int16_t *restrict upper, const int16_t *restrict lower, int16_t *restrict rise,
                          int count) {
    for (int i = 0; i < PADDED(count); i++)
        rise[i] = (int16_t)(lower[i] - upper[i]);
}

FAST static void mix_row(const int16_t *restrict upper, const int16_t *restrict rise, int below, uint8_t *restrict out,
                         int count) {
    const int16_t share = (int16_t)below;
    for (int i = 0; i < count; i++)
        out[i] = (uint8_t)((int16_t)(upper[i] + times(rise[i], share) + ROUND) >> POINT);
}

/* The buffers of a picture `width` pixels wide, and where each pixel lies in a row of the small one: `left` is the
   first byte of the cell to its left, `beside` how far it lies to the right of that one, for each of its values. */
typedef struct {
    int32_t *left, *right;
    int16_t *beside, *upper, *lower, *rise;
    uint8_t *cells, *near, *next;
} Rows;

static void place_columns(const Rows *rows, int columns, int width) {
    const float step = (float)columns / (float)width;
    for (int x = 0; x < width; x++) {
        const float at = grid_position(x, step, columns);
        const int cell = min_int((int)at, columns - 1);
        rows->left[x] = CHANNELS * cell;
        rows->right[x] = CHANNELS * min_int(cell + 1, columns - 1);
        for (int c = 0; c < CHANNELS; c++)
            rows->beside[CHANNELS * x + c] = (int16_t)min_int((int)((at - cell) * ONE + 0.5f), ONE - 1);
    }
}

/* A row of the small picture at the columns of the large one. */
static void wide_row(const Rows *rows, const uint8_t *small, int columns, int16_t *out, int width) {
    memcpy(rows->cells, small, (size_t)CHANNELS * columns);
    pick_pixels(rows->cells, rows->left, rows->near, width);
    pick_pixels(rows->cells, rows->right, rows->next, width);
    between(rows->near, rows->next, rows->beside, out, CHANNELS * width);
}

/* small: (small_height, columns, 3); out: (height, width, 3), no smaller in either direction. Returns DONE or
   NO_MEMORY. */
EXPORT int bgcam_enlarge(const uint8_t *small, uint8_t *out, int32_t columns, int32_t small_height, int32_t width,
                         int32_t height) {
    const size_t row = PADDED(CHANNELS * width + 4), cells = PADDED(CHANNELS * columns + 4);
    char *memory = calloc(2 * (size_t)width * sizeof(int32_t) + 4 * row * sizeof(int16_t) + 2 * row + cells, 1);
    if (!memory)
        return NO_MEMORY;
    Rows rows;
    rows.left = (int32_t *)memory;
    rows.right = rows.left + width;
    rows.beside = (int16_t *)(rows.right + width);
    rows.upper = rows.beside + row;
    rows.lower = rows.upper + row;
    rows.rise = rows.lower + row;
    rows.near = (uint8_t *)(rows.rise + row);
    rows.next = rows.near + row;
    rows.cells = rows.next + row;
    place_columns(&rows, columns, width);
    const float step = (float)small_height / (float)height;
    int held = -2;
    for (int y = 0; y < height; y++) {
        const float at = grid_position(y, step, small_height);
        const int above = min_int((int)at, small_height - 1), under = min_int(above + 1, small_height - 1);
        if (above != held) {
            if (above == held + 1) {
                int16_t *before = rows.upper;
                rows.upper = rows.lower;
                rows.lower = before;
            } else {
                wide_row(&rows, small + (size_t)above * columns * CHANNELS, columns, rows.upper, width);
            }
            wide_row(&rows, small + (size_t)under * columns * CHANNELS, columns, rows.lower, width);
            rise_row(rows.upper, rows.lower, rows.rise, CHANNELS * width);
            held = above;
        }
        mix_row(rows.upper, rows.rise, min_int((int)((at - above) * ONE + 0.5f), ONE - 1),
                out + (size_t)y * width * CHANNELS, CHANNELS * width);
    }
    free(memory);
    return DONE;
}
