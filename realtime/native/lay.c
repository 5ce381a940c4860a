/* The picture's last stage in one pass over the tiles that hold an edge: lines laid over luma (picture/guided.py), the
   person's own colours (foreground.py), spill (spill.py), light (wrap.py), and the blend (blend.py).

   What lies on a grid is widened to the tile's columns once a grid row; a pixel then takes no more than one step between
   two such rows, which lie as the frame's own rows do. Every row that is worked on lies in memory of its own, and is as
   long as whole vectors: a compiler makes vectors of all of it then, without a rest of single pixels. */

#include "rows.h"

/* A grid of `channels` floats a cell. Pixel x lies at (x + 0.5) * step_x - 0.5 of its columns, borders repeated. */
typedef struct {
    const float *cells;
    int32_t columns, rows, channels;
    float step_x, step_y;
} Grid;

/* The two rows of a grid around a row of pixels, at every pixel of a tile, and what the lower one adds to the upper. For
   each of their values: the place of the left one of two that it lies between, and how far beside that it lies. */
typedef struct {
    Grid grid;
    int held;
    int32_t *left;
    float *beside, *next, *upper, *lower, *rise;
} Walk;

static void walk_from(Walk *walk, int begin, int wide) {
    const int columns = walk->grid.columns, channels = walk->grid.channels;
    for (int x = 0; x < wide; x++) {
        const float at = place(begin + x, walk->grid.step_x, columns);
        const int cell = least((int)at, most(columns - 2, 0));
        for (int c = 0; c < channels; c++) {
            walk->left[x * channels + c] = cell * channels + c;
            walk->beside[x * channels + c] = at - cell;
        }
    }
    walk->held = -2;
}

/* Not for AVX, which would gather: slower than single reads, on processors that are mended against Downfall by far. */
static void pick(const float *restrict cells, const int32_t *restrict left, float *restrict out, int count) {
    for (int i = 0; i < count; i++)
        out[i] = cells[left[i]];
}

FAST static void between(float *restrict here, const float *restrict next, const float *restrict beside, int count) {
    for (int i = 0; i < WHOLE(count); i++)
        here[i] += beside[i] * (next[i] - here[i]);
}

static void widen_row(const Walk *walk, int row, float *out, int count) {
    const Grid *grid = &walk->grid;
    const float *cells = grid->cells + (size_t)row * grid->columns * grid->channels;
    pick(cells, walk->left, out, count);
    pick(cells + (grid->columns > 1 ? grid->channels : 0), walk->left, walk->next, count);
    between(out, walk->next, walk->beside, count);
}

FAST static void subtract(const float *restrict from, const float *restrict what, float *restrict out, int count) {
    for (int i = 0; i < WHOLE(count); i++)
        out[i] = from[i] - what[i];
}

/* Makes `upper` and `rise` those around pixel row y, and gives how far below the upper one it lies. */
static float walk_to(Walk *walk, int y, int wide) {
    const int rows = walk->grid.rows, count = wide * walk->grid.channels;
    const float at = place(y, walk->grid.step_y, rows);
    const int row = least((int)at, most(rows - 2, 0));
    if (row != walk->held) {
        if (row == walk->held + 1) {
            float *above = walk->upper;
            walk->upper = walk->lower;
            walk->lower = above;
        } else {
            widen_row(walk, row, walk->upper, count);
        }
        widen_row(walk, least(row + 1, rows - 1), walk->lower, count);
        subtract(walk->lower, walk->upper, walk->rise, count);
        walk->held = row;
    }
    return at - row;
}

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
                         const float *restrict person_rise, const float *restrict room,
                         const float *restrict room_rise, float below, float *restrict own, int count) {
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

static size_t share_out(Row *row, Walk *walks, const Grid *grids, char *memory, int wide);

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

/* out, frame, seen, background: (height, width, 3) BGR; frame is what is laid, seen what luma is taken from. places: four
   numbers each, first row, last + 1, first column, last + 1, inside the frame. grids: six, in the order of the enum;
   those without cells are left out, but for the first two. direction: three floats, for LIMITS. Gives DONE, or NO_MEMORY where there
   was no memory. */
EXPORT int bgcam_lay(uint8_t *out, const uint8_t *frame, const uint8_t *seen, const uint8_t *background, int32_t width,
                     const int32_t *places, int32_t count, const Grid *grids, const float *direction) {
    int widest = 0;
    for (int i = 0; i < count; i++)
        widest = most(widest, places[4 * i + 3] - places[4 * i + 2]);
    Row row;
    Walk walks[GRIDS];
    char *memory = calloc(1, share_out(&row, walks, grids, NULL, widest));
    if (!memory)
        return NO_MEMORY;
    share_out(&row, walks, grids, memory, widest);
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

/* Divides up memory for rows of tiles so wide, or without any, tells how much it takes. */
static size_t share_out(Row *row, Walk *walks, const Grid *grids, char *memory, int wide) {
    size_t at = 0;
#define SHARE(pointer, count)                                                                                          \
    do {                                                                                                               \
        (pointer) = memory ? (void *)(memory + at) : NULL;                                                             \
        at += (size_t)WHOLE(count) * sizeof(*(pointer));                                                               \
    } while (0)
    /* Loops over pixels run up to WHOLE(wide), and touch three values of each. */
    const int many = 3 * WHOLE(wide);
    SHARE(row->frame, many);
    SHARE(row->background, many);
    SHARE(row->out, many);
    SHARE(row->seen, many);
    SHARE(row->alpha, many);
    SHARE(row->three, many);
    SHARE(row->own, many);
    for (int g = 0; g < GRIDS; g++) {
        walks[g].grid = grids[g];
        if (!grids[g].cells)
            continue;
        SHARE(walks[g].left, many);
        SHARE(walks[g].beside, many);
        SHARE(walks[g].next, many);
        SHARE(walks[g].upper, many);
        SHARE(walks[g].lower, many);
        SHARE(walks[g].rise, many);
    }
#undef SHARE
    return at;
}
