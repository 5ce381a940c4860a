/* `despill` of picture/despill.py for one row of a tile; composite.c uses it. */
#ifndef BGCAM_DESPILL_H
#define BGCAM_DESPILL_H

#include "rows.h"

/* foreground -= near * max(foreground . direction - limit, 0) * direction, with limit and near from a grid. */
FAST static void despill_row(float *restrict foreground, const float *restrict limits,
                             const float *restrict limits_rise, float below, const float *restrict direction,
                             int width) {
    const float b = direction[0], g = direction[1], r = direction[2];
    for (int i = 0; i < PADDED(width); i++) {
        const float limit = limits[2 * i] + below * limits_rise[2 * i];
        const float near = limits[2 * i + 1] + below * limits_rise[2 * i + 1];
        const float more = foreground[3 * i] * b + foreground[3 * i + 1] * g + foreground[3 * i + 2] * r - limit;
        const float excess = (more > 0.0f ? more : 0.0f) * near;
        foreground[3 * i] -= excess * b;
        foreground[3 * i + 1] -= excess * g;
        foreground[3 * i + 2] -= excess * r;
    }
}

#endif
