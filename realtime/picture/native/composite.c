/* The picture's last stage in one pass over the tiles that hold an edge: lines laid over luma (guided_filter.py), the
   person's own colours (foreground.py), spill (despill.py), light (light_wrap.py), and the blend (composite.py). */

#include "walk.h"

/* Luma as OpenCV's BGR2GRAY has it, to alpha. */
FAST static void alpha_row(const uint8_t *restrict bgr, const float *restrict gain, const float *restrict gain_rise,
                           const float *restrict offset, const float *restrict offset_rise, float below,
                           float *restrict alpha, int wide) {
    for (int i = 0; i < WHOLE(wide); i++) {
        const int luma = (3735 * bgr[3 * i] + 19235 * bgr[3 * i + 1] + 9798 * bgr[3 * i + 2] + (1 << 14)) >> 15;
        const float line = (gain[i] + below * gain_rise[i]) * luma + (offset[i] + below * offset_rise[i]);
        alpha[i] = clamped(line, 0.0f, 1.0f);
    }
}

/* One value for each of a pixel's colours. */
FAST static void three_of(const float *restrict alpha, float *restrict three, int wide) {
    for (int i = 0; i < WHOLE(wide); i++)
        three[3 * i] = three[3 * i + 1] = three[3 * i + 2] = alpha[i];
}

FAST static void seen_row(const uint8_t *restrict frame, float *restrict own, int count) {
    for (int i = 0; i < WHOLE(count); i++)
        own[i] = frame[i];
}

/* The blur fusion: person + alpha * (frame - (room + alpha * (person - room))), from 0 to 255. */
FAST static void own_row(const uint8_t *restrict frame, const float *restrict alpha, const float *restrict person,
                         const float *restrict person_rise, const float *restrict room, const float *restrict room_rise,
                         float below, float *restrict own, int count) {
    for (int i = 0; i < WHOLE(count); i++) {
        const float p = person[i] + below * person_rise[i], r = room[i] + below * room_rise[i];
        own[i] = clamped(p + alpha[i] * (frame[i] - (r + alpha[i] * (p - r))), 0.0f, 255.0f);
    }
}

FAST static void spill_row(float *restrict own, const float *restrict limits, const float *restrict limits_rise,
                           float below, const float *restrict direction, int wide) {
    const float b = direction[0], g = direction[1], r = direction[2];
    for (int i = 0; i < WHOLE(wide); i++) {
        const float limit = limits[2 * i] + below * limits_rise[2 * i];
        const float near = limits[2 * i + 1] + below * limits_rise[2 * i + 1];
        const float more = own[3 * i] * b + own[3 * i + 1] * g + own[3 * i + 2] * r - limit;
        const float excess = (more > 0.0f ? more : 0.0f) * near;
        own[3 * i] -= excess * b;
        own[3 * i + 1] -= excess * g;
        own[3 * i + 2] -= excess * r;
    }
}

/* A screen: light adds the less the brighter it is already. */
FAST static void glow_row(float *restrict own, const float *restrict glow, const float *restrict glow_rise, float below,
                          int count) {
    for (int i = 0; i < WHOLE(count); i++)
        own[i] += (255.0f - own[i]) * (glow[i] + below * glow_rise[i]) * (1.0f / 255.0f);
}

FAST static void blend_row(const float *restrict own, const uint8_t *restrict background, const float *restrict alpha,
                           uint8_t *restrict out, int count) {
    for (int i = 0; i < WHOLE(count); i++) {
        const float mixed = background[i] + alpha[i] * (own[i] - background[i]);
        out[i] = (uint8_t)(int)(clamped(mixed, 0.0f, 255.0f) + 0.5f);
    }
}

enum { GAIN, OFFSET, PERSON, ROOM, LIMITS, GLOW, GRIDS };

/* One row of a tile, in memory of its own. */
typedef struct {
    uint8_t *frame, *seen, *background, *out;
    float *alpha, *three, *own;
} Row;

static void lay_row(const Row *row, Walk *walks, const float *direction, int y, int wide) {
    float below[GRIDS];
    for (int g = 0; g < GRIDS; g++)
        if (walks[g].grid.cells)
            below[g] = walk_to(&walks[g], y, wide);
    alpha_row(row->seen, walks[GAIN].upper, walks[GAIN].rise, walks[OFFSET].upper, walks[OFFSET].rise, below[GAIN],
              row->alpha, wide);
    three_of(row->alpha, row->three, wide);
    if (walks[PERSON].grid.cells)
        own_row(row->frame, row->three, walks[PERSON].upper, walks[PERSON].rise, walks[ROOM].upper, walks[ROOM].rise,
                below[PERSON], row->own, 3 * wide);
    else
        seen_row(row->frame, row->own, 3 * wide);
    if (walks[LIMITS].grid.cells)
        spill_row(row->own, walks[LIMITS].upper, walks[LIMITS].rise, below[LIMITS], direction, wide);
    if (walks[GLOW].grid.cells)
        glow_row(row->own, walks[GLOW].upper, walks[GLOW].rise, below[GLOW], 3 * wide);
    blend_row(row->own, row->background, row->three, row->out, 3 * wide);
}

/* Divides up memory for rows of tiles so wide; or without any, tells how much it takes. Floats. */
static size_t memory_of(Row *row, Walk *walks, const Grid *grids, float *memory, int wide) {
    const size_t many = 3 * (size_t)WHOLE(wide);
    size_t at = 4 * many;
    if (memory) {
        uint8_t *bytes = (uint8_t *)memory;
        float *values = memory + many;
        *row = (Row){bytes, bytes + many, bytes + 2 * many, bytes + 3 * many, values, values + many, values + 2 * many};
    }
    for (int g = 0; g < GRIDS; g++)
        at += walk_memory(&walks[g], &grids[g], memory ? memory + at : NULL, wide);
    return at;
}

/* out, frame, seen, background: (height, width, 3) BGR; frame is what is laid, seen what luma is taken from. places:
   four numbers each, first row, last + 1, first column, last + 1, inside the frame. grids: six, in the order of the
   enum; those without cells are left out, but for the first two. direction: three floats, for LIMITS. Gives DONE, or
   NO_MEMORY where there was none. */
EXPORT int bgcam_composite(uint8_t *out, const uint8_t *frame, const uint8_t *seen, const uint8_t *background,
                           int32_t width, const int32_t *places, int32_t count, const Grid *grids,
                           const float *direction) {
    int widest = 0;
    for (int i = 0; i < count; i++)
        widest = most(widest, places[4 * i + 3] - places[4 * i + 2]);
    Row row;
    Walk walks[GRIDS];
    float *memory = calloc(memory_of(&row, walks, grids, NULL, widest), sizeof(float));
    if (!memory)
        return NO_MEMORY;
    memory_of(&row, walks, grids, memory, widest);
    if (seen == frame)
        row.seen = row.frame;
    for (int i = 0; i < count; i++) {
        const int top = places[4 * i], bottom = places[4 * i + 1], left = places[4 * i + 2];
        const int wide = places[4 * i + 3] - left, bytes = 3 * wide;
        for (int g = 0; g < GRIDS; g++)
            if (grids[g].cells)
                walk_from(&walks[g], left, wide);
        for (int y = top; y < bottom; y++) {
            const size_t from = ((size_t)y * width + left) * 3;
            memcpy(row.frame, frame + from, bytes);
            memcpy(row.background, background + from, bytes);
            if (seen != frame)
                memcpy(row.seen, seen + from, bytes);
            lay_row(&row, walks, direction, y, wide);
            memcpy(out + from, row.out, bytes);
        }
    }
    free(memory);
    return DONE;
}
