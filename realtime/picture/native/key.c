/* `key_guide` of picture/key.py: the key of each pixel of some tiles, in all three channels. */

#include "grid.h"

/* top - slope * max(0, the channel - the larger of the other two, `first` and `second`), from 0 to 255. */
FAST static void key_row(const uint8_t *restrict bgr, const float *restrict slope, const float *restrict rise,
                         float below, float top, int channel, int first, int second, uint8_t *restrict out, int width) {
    for (int i = 0; i < PADDED(width); i++) {
        const int a = bgr[3 * i + first], b = bgr[3 * i + second];
        const int excess = max_int(bgr[3 * i + channel] - max_int(a, b), 0);
        const float key = clamped(top - (slope[i] + below * rise[i]) * (float)excess, 0.0f, 255.0f);
        out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = (uint8_t)(int)(key + 0.5f);
    }
}

/* The same structure as `Rectangle` in structures.py. */
typedef struct {
    int32_t top, bottom, left, right;
} Rectangle;

/* out, frame: (height, width, 3) BGR; only the tiles of `out` are written, and they lie inside the frame. slope: one
   channel. Returns DONE or NO_MEMORY. */
EXPORT int bgcam_key(uint8_t *out, const uint8_t *frame, int32_t width, const Rectangle *tiles, int32_t count,
                     const Grid *slope, int32_t channel, float top) {
    int widest = 0;
    for (int i = 0; i < count; i++)
        widest = max_int(widest, tiles[i].right - tiles[i].left);
    Sampler sampler;
    const size_t size = 3 * (size_t)PADDED(widest);
    float *memory = calloc(2 * size + sampler_memory(&sampler, slope, NULL, widest), sizeof(float));
    if (!memory)
        return NO_MEMORY;
    uint8_t *bgr = (uint8_t *)memory, *key = bgr + size;
    sampler_memory(&sampler, slope, memory + 2 * size, widest);
    for (int i = 0; i < count; i++) {
        const Rectangle *tile = &tiles[i];
        const int tile_width = tile->right - tile->left;
        sampler_start(&sampler, tile->left, tile_width);
        for (int y = tile->top; y < tile->bottom; y++) {
            const size_t from = ((size_t)y * width + tile->left) * 3;
            memcpy(bgr, frame + from, 3 * (size_t)tile_width);
            const float below = sampler_move_to(&sampler, y, tile_width);
            key_row(bgr, sampler.upper, sampler.rise, below, top, channel, (channel + 1) % 3, (channel + 2) % 3, key,
                    tile_width);
            memcpy(out + from, key, 3 * (size_t)tile_width);
        }
    }
    free(memory);
    return DONE;
}
