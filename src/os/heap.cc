#include "os/heap.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace snug::os {

uint64_t PrivateBytes() {
  uint64_t size = 0, resident = 0, shared = 0;  // pages; /proc/PID/statm, see proc(5)
  std::ifstream statm("/proc/self/statm");
  if (!(statm >> size >> resident >> shared) || shared > resident) return 0;
  return (resident - shared) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

bool HeapGrowth::Due(uint64_t bytes) {
  const uint64_t least = std::min(least_.load(std::memory_order_relaxed), bytes);
  least_.store(least, std::memory_order_relaxed);
  return bytes - least >= std::max(kHeapGrowthMin, least / kHeapGrowthPart);
}

void TrimHeap() {
  malloc_trim(0);
}

}  // namespace snug::os
