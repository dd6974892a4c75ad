#include "os/heap.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "os/process.h"

namespace snug::os {
namespace {

constexpr uint64_t kMib = uint64_t{1} << 20;

TEST(HeapGrowthTest, IsDueOnceForEachGrowth) {
  HeapGrowth growth;
  growth.Trimmed(100 * kMib);
  EXPECT_FALSE(growth.Due(100 * kMib));
  EXPECT_FALSE(growth.Due(131 * kMib));
  EXPECT_TRUE(growth.Due(132 * kMib));
  growth.Trimmed(132 * kMib);  // it was all in use
  EXPECT_FALSE(growth.Due(140 * kMib));
}

TEST(HeapGrowthTest, CountsFromTheLeast) {
  HeapGrowth growth;
  growth.Trimmed(200 * kMib);
  EXPECT_FALSE(growth.Due(100 * kMib));
  EXPECT_TRUE(growth.Due(140 * kMib));
}

TEST(HeapGrowthTest, LargeProcessesMayGrowByMore) {
  HeapGrowth growth;
  growth.Trimmed(800 * kMib);
  EXPECT_FALSE(growth.Due(890 * kMib));
  EXPECT_TRUE(growth.Due(900 * kMib));
}

#ifndef SNUG_SANITIZED  // sanitizers have allocators of their own
TEST(HeapTest, WhatIsFreeBetweenWhatStaysIsGivenBack) {
  constexpr size_t kBlocks = 1000, kBlockBytes = 64 << 10, kPinBytes = 64;
  std::vector<std::unique_ptr<char[]>> blocks, pins;
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks.push_back(std::make_unique<char[]>(kBlockBytes));
    std::memset(blocks.back().get(), 1, kBlockBytes);
    pins.push_back(std::make_unique<char[]>(kPinBytes));
  }
  const uint64_t full = PrivateBytes(getpid());
  blocks.clear();
  const uint64_t freed = PrivateBytes(getpid());
  TrimHeap();
  EXPECT_GT(freed + 8 * kMib, full);
  EXPECT_LT(PrivateBytes(getpid()) + 40 * kMib, freed);
}
#endif

}  // namespace
}  // namespace snug::os
