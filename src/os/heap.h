// Memory that was freed, but that malloc keeps: given back to the system now and then.
//
// malloc gives back by itself only what lies at the heap's end. What lies between things that stay (a loaded
// model's) is used again, but once touched it counts as the process's.
#pragma once

#include <atomic>
#include <cstdint>

namespace snug::os {

// When giving back may bring something: the process has grown since it was last done. Thread-safe.
class HeapGrowth {
 public:
  // `bytes` are PrivateBytes (os/process.h). Whether they are at least kHeapGrowthMin, and a
  // kHeapGrowthPart-th, more than the least seen since Trimmed.
  bool Due(uint64_t bytes);
  // `bytes` are left after giving back.
  void Trimmed(uint64_t bytes) { least_.store(bytes, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> least_{0};
};
constexpr uint64_t kHeapGrowthMin = uint64_t{32} << 20;
constexpr uint64_t kHeapGrowthPart = 8;

// Gives all free pages back. Takes milliseconds where much was touched; others wait meanwhile if they
// allocate.
void TrimHeap();

}  // namespace snug::os
