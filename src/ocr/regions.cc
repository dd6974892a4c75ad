#include "ocr/regions.h"

#include <cstddef>
#include <map>

namespace snug::ocr {
namespace {

// Runs that belong together, as trees of indices.
class Forest {
 public:
  size_t Add() {
    parents_.push_back(parents_.size());
    return parents_.size() - 1;
  }
  size_t Root(size_t index) {
    while (parents_[index] != index) {
      parents_[index] = parents_[parents_[index]];
      index = parents_[index];
    }
    return index;
  }
  // The earlier one stays a root, so that regions keep the order in which they begin.
  void Join(size_t a, size_t b) {
    a = Root(a);
    b = Root(b);
    if (a < b) parents_[b] = a;
    if (b < a) parents_[a] = b;
  }

 private:
  std::vector<size_t> parents_;
};

void AddRuns(const float* row, int y, int width, float pixel_min, std::vector<Run>& runs) {
  int begin = -1;
  for (int x = 0; x <= width; ++x) {
    const bool inside = x < width && row[x] >= pixel_min;
    if (inside && begin < 0) begin = x;
    if (inside || begin < 0) continue;
    runs.push_back({y, begin, x});
    begin = -1;
  }
}

}  // namespace

std::vector<std::vector<Run>> Regions(std::span<const float> map, int width, int height, float pixel_min) {
  std::vector<Run> runs;
  Forest forest;
  size_t above = 0, above_end = 0;  // runs of the row before
  for (int y = 0; y < height; ++y) {
    const size_t first = runs.size();
    AddRuns(map.data() + static_cast<size_t>(y) * static_cast<size_t>(width), y, width, pixel_min, runs);
    for (size_t i = first; i < runs.size(); ++i) {
      forest.Add();
      while (above < above_end && runs[above].end < runs[i].begin) ++above;
      for (size_t j = above; j < above_end && runs[j].begin <= runs[i].end; ++j) forest.Join(i, j);
    }
    above = first;
    above_end = runs.size();
  }
  std::map<size_t, std::vector<Run>> regions;
  for (size_t i = 0; i < runs.size(); ++i) regions[forest.Root(i)].push_back(runs[i]);
  std::vector<std::vector<Run>> result;
  result.reserve(regions.size());
  for (auto& [root, members] : regions) result.push_back(std::move(members));
  return result;
}

}  // namespace snug::ocr
