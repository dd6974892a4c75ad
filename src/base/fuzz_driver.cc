// Runs a libFuzzer target without libFuzzer: every seed of the corpus folders given, and mutations of them
// from a fixed seed, so that the fast suite exercises each decoder on every machine. `SNUG_FUZZ_ROUNDS` sets
// the mutations a seed.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "base/rng.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

void Mutate(Bytes& bytes, snug::Rng& rng) {
  for (uint64_t edits = 1 + rng.Below(4); edits > 0; --edits) {
    size_t at = bytes.empty() ? 0 : rng.Below(bytes.size());
    switch (rng.Below(4)) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<uint8_t>(rng.Next());
        break;
      case 1:
        if (!bytes.empty()) bytes.resize(at);
        break;
      case 2:
        bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(at), static_cast<uint8_t>(rng.Next()));
        break;
      default:
        if (!bytes.empty()) bytes[at] ^= static_cast<uint8_t>(1u << rng.Below(8));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* rounds_text = std::getenv("SNUG_FUZZ_ROUNDS");
  const int rounds = rounds_text != nullptr ? std::atoi(rounds_text) : 200;
  std::vector<Bytes> seeds{Bytes{}};
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) continue;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  snug::Rng rng(42);
  size_t runs = 0;
  for (const Bytes& seed : seeds) {
    LLVMFuzzerTestOneInput(seed.data(), seed.size());
    for (int round = 0; round < rounds; ++round, ++runs) {
      Bytes mutated = seed;
      Mutate(mutated, rng);
      LLVMFuzzerTestOneInput(mutated.data(), mutated.size());
    }
  }
  std::printf("%zu seeds, %zu mutations, no crash\n", seeds.size(), runs);
  return 0;
}
