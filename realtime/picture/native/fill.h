/* `fill` of picture/foreground.py for other stages; foreground.c has it. */
#ifndef BGCAM_FILL_H
#define BGCAM_FILL_H

#include "rows.h"

/* known: four planes (height, width): three of weight * colour, and the weight. The first three become the filled
   colours; the fourth is then undefined. least, tiny: LEAST and TINY of foreground.py. Returns DONE or NO_MEMORY. */
int bgcam_fill_planes(float *known, int width, int height, int levels, float least, float tiny);

#endif
