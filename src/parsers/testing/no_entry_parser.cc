// A library that is no parser.
#include <parser.h>

extern "C" SNUG_EXPORT int snug_something_else() {
  return 0;
}
