/* The last stage of the picture in one pass over the tiles that contain an edge: alpha from the guided filter's
   coefficients (guided_filter.py), foreground colours (foreground.py), despill, light wrap, and the blend
   (composite.py). */

#include "despill.h"
#include "grid.h"
#include "light_wrap.h"

/* alpha = a * luma + b, from 0 to 1, with the luma of OpenCV's BGR2GRAY. */
FAST static void alpha_row(const uint8_t *restrict bgr, const float *restrict a, const float *restrict a_rise,
                           const float *restrict b, const float *restrict b_rise, float below, float *restrict alpha,
                           int width) {
    for (int i = 0; i < PADDED(width); i++) {
        const int luma = (3735 * bgr[3 * i] + 19235 * bgr[3 * i + 1] + 9798 * bgr[3 * i + 2] + (1 << 14)) >> 15;
        const float line = (a[i] + below * a_rise[i]) * luma + (b[i] + below * b_rise[i]);
        alpha[i] = clamped(line, 0.0f, 1.0f);
    }
}

/* Each pixel's alpha three times, once for each channel. */
FAST static void repeat_for_channels(const float *restrict alpha, float *restrict three, int width) {
    for (int i = 0; i < PADDED(width); i++)
        three[3 * i] = three[3 * i + 1] = three[3 * i + 2] = alpha[i];
}

FAST static void copy_row(const uint8_t *restrict frame, float *restrict foreground, int count) {
    for (int i = 0; i < PADDED(count); i++)
        foreground[i] = frame[i];
}

/* The blur fusion: person + alpha * (frame - (room + alpha * (person - room))), from 0 to 255. */
FAST static void foreground_row(const uint8_t *restrict frame, const float *restrict alpha,
                                const float *restrict person, const float *restrict person_rise,
                                const float *restrict room, const float *restrict room_rise, float below,
                                float *restrict foreground, int count) {
    for (int i = 0; i < PADDED(count); i++) {
        const float p = person[i] + below * person_rise[i], r = room[i] + below * room_rise[i];
        foreground[i] = clamped(p + alpha[i] * (frame[i] - (r + alpha[i] * (p - r))), 0.0f, 255.0f);
    }
}

FAST static void blend_row(const float *restrict foreground, const uint8_t *restrict background,
                           const float *restrict alpha, uint8_t *restrict out, int count) {
    for (int i = 0; i < PADDED(count); i++) {
        const float mixed = background[i] + alpha[i] * (foreground[i] - background[i]);
        out[i] = (uint8_t)(int)(clamped(mixed, 0.0f, 255.0f) + 0.5f);
    }
}

/* The same structures as `Rectangle` and `Layers` in structures.py. Pixels [top, bottom) x [left, right). A grid whose
   cells are NULL is skipped; a and b are required. */
typedef struct {
    int32_t top, bottom, left, right;
} Rectangle;

typedef struct {
    Grid a, b, person, room, limits, glow;
    float spill_direction[3];
} Layers;

enum { A, B, PERSON, ROOM, LIMITS, GLOW, GRIDS };

/* The buffers of one row of a tile. */
typedef struct {
    uint8_t *frame, *luma_from, *background, *out;
    float *alpha, *three, *foreground;
} Row;

static void composite_row(const Row *row, Sampler *samplers, const float *spill_direction, int y, int width) {
    float below[GRIDS];
    for (int g = 0; g < GRIDS; g++)
        if (samplers[g].grid.cells)
            below[g] = sampler_move_to(&samplers[g], y, width);
    alpha_row(row->luma_from, samplers[A].upper, samplers[A].rise, samplers[B].upper, samplers[B].rise, below[A],
              row->alpha, width);
    repeat_for_channels(row->alpha, row->three, width);
    if (samplers[PERSON].grid.cells)
        foreground_row(row->frame, row->three, samplers[PERSON].upper, samplers[PERSON].rise, samplers[ROOM].upper,
                       samplers[ROOM].rise, below[PERSON], row->foreground, 3 * width);
    else
        copy_row(row->frame, row->foreground, 3 * width);
    if (samplers[LIMITS].grid.cells)
        despill_row(row->foreground, samplers[LIMITS].upper, samplers[LIMITS].rise, below[LIMITS], spill_direction,
                    width);
    if (samplers[GLOW].grid.cells)
        light_wrap_row(row->foreground, samplers[GLOW].upper, samplers[GLOW].rise, below[GLOW], 3 * width);
    blend_row(row->foreground, row->background, row->three, row->out, 3 * width);
}

/* Divides `memory` into the buffers for tiles of up to `width` pixels. Returns the number of floats that takes; with
   NULL as memory, only that. */
static size_t divide_memory(Row *row, Sampler *samplers, const Grid *grids, float *memory, int width) {
    const size_t size = 3 * (size_t)PADDED(width);
    size_t at = 4 * size;
    if (memory) {
        uint8_t *bytes = (uint8_t *)memory;
        float *values = memory + size;
        *row = (Row){bytes, bytes + size, bytes + 2 * size, bytes + 3 * size, values, values + size, values + 2 * size};
    }
    for (int g = 0; g < GRIDS; g++)
        at += sampler_memory(&samplers[g], &grids[g], memory ? memory + at : NULL, width);
    return at;
}

/* Writes the tiles into `out`, which holds the background. out, frame, luma_from: (height, width, 3) BGR. `frame` is
   composited, and alpha follows the luma of `luma_from`; both may be the same array. Tiles lie inside the frame.
   Returns DONE or NO_MEMORY. */
EXPORT int bgcam_composite(uint8_t *out, const uint8_t *frame, const uint8_t *luma_from, int32_t width,
                           const Rectangle *tiles, int32_t count, const Layers *layers) {
    const Grid grids[GRIDS] = {layers->a, layers->b, layers->person, layers->room, layers->limits, layers->glow};
    int widest = 0;
    for (int i = 0; i < count; i++)
        widest = max_int(widest, tiles[i].right - tiles[i].left);
    Row row;
    Sampler samplers[GRIDS];
    float *memory = calloc(divide_memory(&row, samplers, grids, NULL, widest), sizeof(float));
    if (!memory)
        return NO_MEMORY;
    divide_memory(&row, samplers, grids, memory, widest);
    if (luma_from == frame)
        row.luma_from = row.frame;
    for (int i = 0; i < count; i++) {
        const Rectangle *tile = &tiles[i];
        const int tile_width = tile->right - tile->left, bytes = 3 * tile_width;
        for (int g = 0; g < GRIDS; g++)
            if (grids[g].cells)
                sampler_start(&samplers[g], tile->left, tile_width);
        for (int y = tile->top; y < tile->bottom; y++) {
            const size_t from = ((size_t)y * width + tile->left) * 3;
            memcpy(row.frame, frame + from, bytes);
            memcpy(row.background, out + from, bytes);
            if (luma_from != frame)
                memcpy(row.luma_from, luma_from + from, bytes);
            composite_row(&row, samplers, layers->spill_direction, y, tile_width);
            memcpy(out + from, row.out, bytes);
        }
    }
    free(memory);
    return DONE;
}
