/* The light of picture/light_wrap.py added to one row of a tile; composite.c uses it. */
#ifndef BGCAM_LIGHT_WRAP_H
#define BGCAM_LIGHT_WRAP_H

#include "rows.h"

/* A screen blend: the brighter a value already is, the less light is added. */
FAST static void light_wrap_row(float *restrict foreground, const float *restrict glow, const float *restrict glow_rise,
                                float below, int count) {
    for (int i = 0; i < PADDED(count); i++)
        foreground[i] += (255.0f - foreground[i]) * (glow[i] + below * glow_rise[i]) * (1.0f / 255.0f);
}

#endif
