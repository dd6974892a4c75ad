#include "os/heap.h"

#include <malloc.h>

#include <algorithm>

namespace snug::os {

bool HeapGrowth::Due(uint64_t bytes) {
  const uint64_t least = std::min(least_.load(std::memory_order_relaxed), bytes);
  least_.store(least, std::memory_order_relaxed);
  return bytes - least >= std::max(kHeapGrowthMin, least / kHeapGrowthPart);
}

void TrimHeap() {
  malloc_trim(0);
}

}  // namespace snug::os
