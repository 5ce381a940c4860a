/* The network's input: `Normalize` of model/backends/normalize.py. */

#include "rows.h"

FAST static void plane(const uint8_t *restrict from, float *restrict out, int count, float scale, float shift) {
    for (int i = 0; i < count; i++)
        out[i] = from[3 * i] * scale + shift;
}

/* bgr: (count, 3); out: (3, count). Plane i is channel order[i]. Returns DONE. */
EXPORT int bgcam_normalize(const uint8_t *bgr, float *out, int32_t count, const int32_t *order, const float *scale,
                           const float *shift) {
    for (int i = 0; i < 3; i++)
        plane(bgr + order[i], out + (size_t)i * count, count, scale[i], shift[i]);
    return DONE;
}
