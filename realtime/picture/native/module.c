/* setuptools wants a module of Python's; this one is never imported, but opened as the library that it is. */

#include "rows.h"

EXPORT void *PyInit__library(void);
void *PyInit__library(void) {
    return NULL;
}
