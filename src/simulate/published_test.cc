// The public traces through the replays: what was published must come out, the figures that docs/placement.md
// gives must be reached, and every machine must print the same. Runs where SNUG_TRACES names the directory of
// the traces (docs/simulate.md says where to get them); SNUG_GOLDEN_WRITE=1 writes the golden files anew.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "placement/node_rules.h"
#include "simulate/alloc.h"
#include "simulate/cards.h"
#include "simulate/csv.h"
#include "simulate/gzip.h"
#include "simulate/load.h"
#include "simulate/report.h"
#include "simulate/traces.h"

namespace snug::simulate {
namespace {

using nlohmann::ordered_json;

const std::vector<uint64_t> kSeeds = {42, 43, 44, 45, 46, 47, 48, 49, 50, 51};
constexpr double kOffMax = 0.4;  // points of the published mean of ten seeds

// The value, or the test fails with the error's text.
template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(result.status().ToString());
  return std::move(*result);
}

class PublishedTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* traces = std::getenv("SNUG_TRACES");
    if (traces == nullptr) GTEST_SKIP() << "SNUG_TRACES is not set";
    traces_ = traces;
  }

  std::string Path(const std::string& file) const { return traces_ + "/" + file; }
  std::vector<placement::PodSpec> Pods(const std::string& list) const {
    return Must(ReadPods(Path("openb/pod_list_" + list + ".csv.gz")));
  }
  std::vector<placement::NodeSpec> Nodes() const {
    return Must(ReadNodes(Path("openb/node_list_gpu_node.csv.gz")));
  }

 private:
  std::string traces_;
};

// {list, policy, percent arrived} → mean percent allocated.
using Published = std::map<std::tuple<std::string, std::string, std::string>, double>;

Published ReadPublished(const std::string& path) {
  std::string text = Must(ReadMaybeGzip(path));
  CsvReader reader = Must(
      CsvReader::Open(text, {"pod_list", "policy", "arrived_gpu_percent", "allocated_gpu_percent_mean"}));
  Published published;
  std::vector<std::string_view> fields;
  while (Must(reader.Next(fields))) {
    published[{std::string(fields[0]), std::string(fields[1]), std::string(fields[2])}] =
        Must(RealField(fields[3], "allocated_gpu_percent_mean", reader.line(), 0, 100));
  }
  return published;
}

std::vector<std::string> ListsOf(const Published& published) {
  std::vector<std::string> lists;
  for (const auto& [key, value] : published) {
    if (lists.empty() || lists.back() != std::get<0>(key)) lists.push_back(std::get<0>(key));
  }
  return lists;
}

std::map<int, double> MeanAllocated(const std::vector<placement::NodeSpec>& nodes,
                                    const std::vector<placement::PodSpec>& pods, const std::string& policy) {
  std::map<int, double> mean;
  for (uint64_t seed : kSeeds) {
    AllocRun run = Must(RunAlloc(nodes, pods, policy, seed, 1.3));
    for (auto [mark, percent] : run.allocated_percent) {
      mean[mark] += percent / static_cast<double>(kSeeds.size());
    }
  }
  return mean;
}

TEST_F(PublishedTest, RandomAndBestFitComeOutAsPublished) {
  Published published = ReadPublished(Path("openb/fgd_published.csv"));
  auto nodes = Nodes();
  ASSERT_EQ(ListsOf(published).size(), 6u);
  for (const std::string& list : ListsOf(published)) {
    auto pods = Pods(list);
    for (auto [ours, theirs] : {std::pair("random", "01-Random"), std::pair("best-fit", "05-BestFit")}) {
      auto mean = MeanAllocated(nodes, pods, ours);
      for (int mark : {100, 130}) {
        EXPECT_NEAR(mean.at(mark), published.at({list, theirs, std::to_string(mark)}), kOffMax)
            << list << " " << ours << " at " << mark << " %";
      }
    }
  }
}

TEST_F(PublishedTest, OursAllocatesAtLeastWhatTheBestPublishedDoes) {
  Published published = ReadPublished(Path("openb/fgd_published.csv"));
  for (const std::string& list : ListsOf(published)) {
    double floor = list == "default" ? 95.6 : published.at({list, "06-FGD", "130"});
    EXPECT_GE(MeanAllocated(Nodes(), Pods(list), "snug").at(130), floor) << list;
  }
}

TEST_F(PublishedTest, FractionsStayNearTheBound) {
  for (const CardsRun& run : Must(RunCards(Pods("default"), {"snug"}, kSeeds))) {
    EXPECT_LE(run.gap_percent, 1.4) << run.seed;
    EXPECT_LE(run.repacked_gap_percent, 0.2) << run.seed;
    EXPECT_LT(run.repack_moves, run.pods / 10) << run.seed;
  }
}

// Without what depends on the machine's speed, and rounded to what a solver's last bits do not reach.
void Settle(ordered_json& value) {
  if (value.is_number_float()) value = std::round(value.get<double>() * 1e6) / 1e6;
  if (value.is_object()) {
    value.erase("decision_us");
    value.erase("planning_us_max");
  }
  if (value.is_structured()) {
    for (auto& inner : value) Settle(inner);
  }
}

void ExpectGolden(const std::string& name, const std::string& json) {
  ordered_json got = ordered_json::parse(json);
  Settle(got);
  std::string path = std::string(SNUG_TEST_SOURCE_DIR) + "/golden/" + name + ".json";
  if (std::getenv("SNUG_GOLDEN_WRITE") != nullptr) std::ofstream(path) << got.dump(1) << "\n";
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  ordered_json expected = ordered_json::parse(golden.str(), nullptr, false);
  ASSERT_FALSE(expected.is_discarded()) << path;
  ASSERT_EQ(expected.at("runs").size(), got.at("runs").size()) << path;
  for (size_t i = 0; i < got["runs"].size(); ++i) {
    EXPECT_EQ(expected["runs"][i].dump(1), got["runs"][i].dump(1))
        << path << ": if the change is meant, SNUG_GOLDEN_WRITE=1 writes the file anew";
  }
}

TEST_F(PublishedTest, GoldenAlloc) {
  std::vector<AllocRun> runs;
  for (const std::string& policy : placement::NodeRuleNames()) {
    runs.push_back(Must(RunAlloc(Nodes(), Pods("default"), policy, 42, 1.3)));
  }
  ExpectGolden("alloc", Json(runs));
}

TEST_F(PublishedTest, GoldenCards) {
  std::vector<std::string> policies = placement::NodeRuleNames();
  policies.insert(policies.begin(), "one-per-card");
  policies.push_back("snug-repack");
  ExpectGolden("cards", Json(Must(RunCards(Pods("default"), policies, {42}))));
}

TEST_F(PublishedTest, GoldenLoad) {
  Counts counts = DrawCounts(Must(ReadSeries(Path("servegen/language.csv.gz"))));
  Demand demand = Must(MakeDemand(counts, 42, {}));
  std::vector<LoadRun> runs;
  std::vector<std::string> policies = placement::NodeRuleNames();
  policies.insert(policies.begin(), "one-per-card");
  runs.reserve(policies.size());
  for (const std::string& policy : policies) runs.push_back(Must(RunLoad(demand, policy, 42, {})));
  ExpectGolden("load", Json(runs));
}

}  // namespace
}  // namespace snug::simulate
