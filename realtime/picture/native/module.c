/* setuptools builds Python extension modules. This one is never imported: ctypes loads it as a plain library. */

#include "rows.h"

EXPORT void *PyInit__library(void);
void *PyInit__library(void) {
    return NULL;
}
