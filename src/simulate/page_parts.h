// What the pages of snug simulate are made of.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "simulate/chart.h"

namespace snug::simulate {

// A figure that matters, large.
struct Tile {
  std::string value;
  std::string name;
};

struct PageTable {
  std::vector<std::string> columns;  // the first holds names
  std::vector<std::vector<std::string>> rows;
};

// The whole page; `body` is HTML, the rest text.
std::string WholePage(std::string_view title, std::string_view subtitle, const std::vector<Tile>& tiles,
                      const std::string& body);
std::string Section(std::string_view title, const std::string& body);
std::string TableHtml(const PageTable& table);
// The same behind a line to click on.
std::string FoldedTable(std::string_view title, const PageTable& table);

// "snug, seeds 42, 43, …"
template <typename Run>
std::string Seeds(const std::vector<Run>& runs) {
  std::vector<uint64_t> seeds;
  std::string text;
  for (const Run& run : runs) {
    if (std::find(seeds.begin(), seeds.end(), run.seed) != seeds.end()) continue;
    seeds.push_back(run.seed);
    text += (text.empty() ? "" : ", ") + std::to_string(run.seed);
  }
  return (seeds.size() == 1 ? "seed " : "seeds ") + text;
}

// A policy's runs; the colour is its own in all pictures of the page.
template <typename Run>
struct PolicyRuns {
  std::string policy;
  size_t colour = 0;
  std::vector<const Run*> runs;

  template <typename Figure>
  double Mean(Figure figure) const {
    double sum = 0;
    for (const Run* run : runs) sum += static_cast<double>(figure(*run));
    return sum / static_cast<double>(runs.size());
  }
};

template <typename Run>
std::vector<PolicyRuns<Run>> ByPolicy(const std::vector<Run>& runs) {
  std::vector<PolicyRuns<Run>> policies;
  for (const Run& run : runs) {
    auto found = std::find_if(policies.begin(), policies.end(),
                              [&](const PolicyRuns<Run>& policy) { return policy.policy == run.policy; });
    if (found == policies.end()) found = policies.insert(policies.end(), {run.policy, policies.size(), {}});
    found->runs.push_back(&run);
  }
  return policies;
}

}  // namespace snug::simulate
