/* `resize` of model/matting.py, where a pixel of the result is a whole number of columns wide: means over exact areas,
   like OpenCV's INTER_AREA, rows before columns. */

#include "rows.h"

/* A sum of rows has 16 bits: a row's share is in 256ths, and the shares of one output row add up to 256. */
enum { WHOLE_SHARE = 256 };

FAST static void add_row(const uint8_t *restrict row, uint16_t *restrict sum, int count, int share, int first) {
    const uint16_t times = (uint16_t)share;
    if (first)
        for (int i = 0; i < count; i++)
            sum[i] = (uint16_t)(row[i] * times);
    else
        for (int i = 0; i < count; i++)
            sum[i] = (uint16_t)(sum[i] + row[i] * times);
}

/* The mean of each group of `columns` neighbouring columns, channel by channel. */
INLINE void average_columns(const uint16_t *restrict sum, uint8_t *restrict out, int width, int columns) {
    const float scale = 1.0f / (float)(WHOLE_SHARE * columns);
    for (int x = 0; x < width; x++)
        for (int c = 0; c < 3; c++) {
            int32_t all = 0;
            for (int column = 0; column < columns; column++)
                all += sum[3 * (columns * x + column) + c];
            out[3 * x + c] = (uint8_t)((float)all * scale + 0.5f);
        }
}

FAST static void average_row(const uint16_t *restrict sum, uint8_t *restrict out, int width, int columns) {
    switch (columns) { /* the compiler vectorises only a constant number of columns */
    case 2:
        average_columns(sum, out, width, 2);
        break;
    case 4:
        average_columns(sum, out, width, 4);
        break;
    case 6:
        average_columns(sum, out, width, 6);
        break;
    default:
        average_columns(sum, out, width, columns);
    }
}

/* bgr: (rows, columns * width, 3), at most 256 columns; out: (height, width, 3), with no more rows than bgr. Returns
   DONE or NO_MEMORY. */
EXPORT int bgcam_resize(const uint8_t *bgr, uint8_t *out, int32_t rows, int32_t columns, int32_t width,
                        int32_t height) {
    const int count = 3 * columns * width;
    uint16_t *sum = malloc((size_t)count * sizeof(uint16_t));
    if (!sum)
        return NO_MEMORY;
    for (int y = 0; y < height; y++) {
        /* In units of 1 / height of a row: the output row extends from `start` over `rows` units. */
        const int64_t start = (int64_t)y * rows, end = start + rows;
        int given = 0;
        for (int64_t row = start / height; row * height < end; row++) {
            const int64_t until = (row + 1) * height < end ? (row + 1) * height : end;
            const int share_end = (int)(((until - start) * 2 * WHOLE_SHARE + rows) / (2 * (int64_t)rows));
            add_row(bgr + (size_t)row * count, sum, count, share_end - given, row == start / height);
            given = share_end;
        }
        average_row(sum, out + (size_t)y * width * 3, width, columns);
    }
    free(sum);
    return DONE;
}
