// The replays end to end on small inputs of their own, and their golden results.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "simulate/alloc.h"
#include "simulate/cards.h"
#include "simulate/page.h"
#include "simulate/queue.h"
#include "simulate/report.h"
#include "simulate/simulate.h"
#include "simulate/synth.h"

namespace snug::simulate {
namespace {

using testing::HasSubstr;

std::vector<placement::NodeSpec> SmallNodes() {
  std::vector<placement::NodeSpec> nodes;
  for (int n = 0; n < 40; ++n) {
    bool large = n % 2 == 0;
    nodes.push_back(
        {"n" + std::to_string(n), large ? 96000 : 16000, 393216, large ? 8 : 2, large ? "G2" : "T4"});
  }
  return nodes;
}

std::vector<placement::PodSpec> SmallPods() {
  std::vector<placement::PodSpec> pods;
  pods.reserve(60);
  for (int i = 0; i < 60; ++i) pods.push_back({8000 + 1000 * (i % 5), 16384, 1, 100 + 90 * (i % 10), {}});
  for (int i = 0; i < 40; ++i) pods.push_back({10000, 16384, 1 + i % 2, 1000, {}});
  for (int i = 0; i < 20; ++i) pods.push_back({6000, 8192, 0, 0, {}});
  return pods;
}

Demand SmallDemand(uint64_t seed) {
  static const Counts& counts = *new Counts(DrawCounts(*MakeSynth({40, 4, 3})));
  DemandOptions options;
  options.train_days = 2;
  return *MakeDemand(counts, seed, options);
}

std::string Rounded(double value) {
  return fmt::format("{:.3f}", value);
}

TEST(SimulateTest, GoldenAlloc) {
  std::string text;
  for (const char* policy :
       {"random", "first-fit", "best-fit", "dot-product", "fifty-percent", "fgd", "snug"}) {
    auto run = RunAlloc(SmallNodes(), SmallPods(), policy, 42, 1.3);
    ASSERT_TRUE(run.ok()) << run.status().ToString();
    text += fmt::format("{} {} {}\n", policy, Rounded(run->allocated_percent.at(130)),
                        Rounded(run->fragmented_percent.at(130)));
  }
  EXPECT_EQ(text,
            "random 79.335 20.665\n"
            "first-fit 86.405 13.595\n"
            "best-fit 83.890 16.110\n"
            "dot-product 82.890 17.110\n"
            "fifty-percent 78.965 20.829\n"
            "fgd 86.775 13.225\n"
            "snug 84.620 15.380\n");
}

// A list that asks for more than is to arrive loses pods, one that asks for less is drawn from again.
TEST(SimulateTest, AsMuchArrivesAsIsAskedFor) {
  for (double arrive : {0.05, 0.5, 2.0}) {
    auto run = RunAlloc(SmallNodes(), SmallPods(), "random", 1, arrive);
    ASSERT_TRUE(run.ok());
    EXPECT_GE(run->arrived_percent, 100 * arrive);
    EXPECT_LT(run->arrived_percent, 100 * arrive + 1);  // 200 cards, and no pod asks for more than two
    EXPECT_EQ(run->allocated_percent.contains(50), arrive >= 0.5);
  }
}

TEST(SimulateTest, WhatAFailedNodeHeldIsPlacedElsewhereAndNothingElseMoves) {
  for (const char* policy : {"random", "fifty-percent", "fgd", "snug"}) {
    auto run = RunAlloc(SmallNodes(), SmallPods(), policy, 42, 0.5, 2);
    ASSERT_TRUE(run.ok()) << run.status().ToString();
    ASSERT_TRUE(run->failure.has_value());
    const NodeFailure& failure = *run->failure;
    EXPECT_EQ(failure.nodes.size(), 2u);
    EXPECT_EQ(failure.pods_moved, 0u) << policy;
    EXPECT_EQ(failure.pods_placed, failure.pods_lost) << "half of the fleet is free: " << policy;
    EXPECT_NEAR(failure.cards_placed, failure.cards_lost, 1e-9);
    EXPECT_GT(failure.pods_lost, 0u);
    EXPECT_THAT(failure.example, HasSubstr("which failed; node"));
  }
  auto full = RunAlloc(SmallNodes(), SmallPods(), "snug", 42, 1.3, 40);
  ASSERT_TRUE(full.ok());
  EXPECT_GT(full->failure->pods_lost, 100u);
  EXPECT_EQ(full->failure->pods_placed, 0u);
  EXPECT_THAT(full->failure->example, HasSubstr("no node"));
  EXPECT_THAT(Table(std::vector<AllocRun>{*full}), HasSubstr("40 nodes failed"));
  auto json = nlohmann::json::parse(Json(std::vector<AllocRun>{*full}))["runs"][0]["failure"];
  EXPECT_EQ(json["pods_lost"], full->failure->pods_lost);
  EXPECT_THAT(Page(std::vector<AllocRun>{*full}), HasSubstr("40 nodes fail"));
  EXPECT_THAT(RunAlloc(SmallNodes(), SmallPods(), "snug", 42, 1.3, 41).status().text(),
              HasSubstr("41 nodes are to fail, and 40 have cards"));
}

TEST(SimulateTest, ImpossibleReplaysAreRefused) {
  EXPECT_THAT(RunAlloc({}, SmallPods(), "snug", 1, 1.3).status().text(), HasSubstr("no cards"));
  EXPECT_THAT(RunAlloc(SmallNodes(), {{1000, 0, 0, 0, {}}}, "snug", 1, 1.3).status().text(),
              HasSubstr("no cards"));
  EXPECT_EQ(RunAlloc(SmallNodes(), SmallPods(), "snug", 1, 0).status().code(), Code::kInvalidArgument);
  std::vector<placement::NodeSpec> many(4000, {"n", 1000, 1000, 16, ""});
  EXPECT_EQ(RunAlloc(many, {{0, 0, 1, 1, {}}}, "random", 1, 1.3).status().code(), Code::kResourceExhausted);
}

TEST(SimulateTest, GoldenCards) {
  auto runs = RunCards(SmallPods(),
                       {"one-per-card", "random", "first-fit", "best-fit", "fifty-percent", "snug"}, {42});
  ASSERT_TRUE(runs.ok()) << runs.status().ToString();
  std::string text;
  for (const CardsRun& run : *runs) {
    text += fmt::format("{} {} {:.2f} {}\n", run.policy, run.cards, run.lp_bound, run.repacked_cards);
    EXPECT_GE(static_cast<double>(run.repacked_cards), run.lp_bound - 1e-6);
    EXPECT_LE(run.repacked_cards, run.cards);
  }
  EXPECT_EQ(text,
            "one-per-card 60 33.00 33\n"
            "random 35 33.00 33\n"
            "first-fit 35 33.00 33\n"
            "best-fit 35 33.00 33\n"
            "fifty-percent 49 33.00 33\n"
            "snug 35 33.00 33\n");
}

TEST(SimulateTest, GoldenLoad) {
  Demand demand = SmallDemand(42);
  std::string text;
  for (const char* policy : {"one-per-card", "random", "first-fit", "best-fit", "fifty-percent", "snug"}) {
    auto run = RunLoad(demand, policy, 42, {});
    ASSERT_TRUE(run.ok()) << run.status().ToString();
    text += fmt::format("{} {} {} {} {}\n", policy, run->cards, Rounded(run->overload_percent),
                        Rounded(run->mean_cards), run->lower_bound);
    EXPECT_EQ(run->unserved_percent, 0);
  }
  LoadOptions options;
  options.scale_in = true;
  auto run = RunLoad(demand, "snug", 42, options);
  ASSERT_TRUE(run.ok());
  text += fmt::format("snug --scale-in {} {} {} {}\n", run->cards, Rounded(run->overload_percent),
                      Rounded(run->mean_cards), run->lower_bound);
  EXPECT_EQ(text,
            "one-per-card 40 0.000 40.000 6\n"
            "random 16 0.115 16.000 6\n"
            "first-fit 15 0.162 15.000 6\n"
            "best-fit 15 0.162 15.000 6\n"
            "fifty-percent 18 0.044 18.000 6\n"
            "snug 8 0.000 8.000 6\n"
            "snug --scale-in 8 0.031 4.415 6\n");
}

TEST(SimulateTest, TheGuaranteedClassIsNeverInOverload) {
  static const Counts& counts = *new Counts(DrawCounts(*MakeSynth({40, 4, 3})));
  DemandOptions asked;
  asked.train_days = 2;
  asked.guaranteed = 0.3;
  Demand demand = *MakeDemand(counts, 42, asked);
  size_t promised = static_cast<size_t>(std::count(demand.guaranteed.begin(), demand.guaranteed.end(), true));
  ASSERT_GT(promised, 5u);
  LoadOptions options;
  options.scale_in = true;
  options.fail_minute = 500;
  options.observer = [&](size_t minute, const placement::Fleet& fleet) {
    for (size_t m = 0; m < demand.models(); ++m) {
      if (!demand.guaranteed[m]) continue;
      ASSERT_EQ(fleet.models[m].homes.size() == 1, true) << "minute " << minute;
      const auto& card = fleet.cards[fleet.models[m].homes[0].card];
      ASSERT_TRUE(card.guaranteed);
      ASSERT_LE(card.load, 1 + 1e-6);
    }
  };
  auto run = RunLoad(demand, "snug", 42, options);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->unplaced, 0u);
}

TEST(SimulateTest, MemoryIsNeverExceededAndEveryModelIsServedEveryMinute) {
  Demand demand = SmallDemand(1);
  LoadOptions options;
  options.scale_in = true;
  options.card_memory_gb = 6;
  options.fail_minute = 300;
  size_t minutes = 0, unserved = 0;
  options.observer = [&](size_t, const placement::Fleet& fleet) {
    ++minutes;
    std::vector<double> used(fleet.cards.size(), 0.0);
    for (const auto& model : fleet.models) {
      if (model.homes.empty()) ++unserved;
      for (const auto& home : model.homes) {
        used[home.card] += model.memory_gb;
        auto state = fleet.cards[home.card].state;
        ASSERT_TRUE(state == placement::CardState::kOn || state == placement::CardState::kClosing);
      }
    }
    for (size_t c = 0; c < used.size(); ++c) ASSERT_LE(used[c], fleet.cards[c].memory_gb + 1e-6);
  };
  auto run = RunLoad(demand, "snug", 1, options);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->unplaced, 0u);
  EXPECT_EQ(minutes, demand.minutes - demand.train_minutes);
  // Only the minute of the failure itself may miss models that had their one home there.
  EXPECT_LE(unserved, demand.models());
}

TEST(SimulateTest, QueueSeesTheSameRequestsWhateverThePolicy) {
  Demand demand = SmallDemand(42);
  auto alone = RunQueue(demand, "one-per-card", 42, {});
  auto ours = RunQueue(demand, "snug", 42, {});
  ASSERT_TRUE(alone.ok() && ours.ok());
  EXPECT_EQ(alone->busiest.requests, ours->busiest.requests);
  EXPECT_GT(alone->busiest.p99_ms, alone->busiest.p50_ms);
}

template <typename Run>
std::vector<std::string> KeysOf(const std::vector<Run>& runs) {
  std::vector<std::string> keys;
  nlohmann::ordered_json json = nlohmann::ordered_json::parse(Json(runs));
  for (const auto& [key, value] : json["runs"][0].items()) keys.push_back(key);
  return keys;
}

std::vector<AllocRun> SomeAlloc(double arrive) {
  std::vector<AllocRun> runs;
  for (const char* policy : {"random", "snug"}) {
    for (uint64_t seed : {42, 43}) runs.push_back(*RunAlloc(SmallNodes(), SmallPods(), policy, seed, arrive));
  }
  return runs;
}

TEST(SimulateTest, JsonHasTheShapeThatIsDocumented) {
  using testing::IsSupersetOf;
  EXPECT_THAT(KeysOf(SomeAlloc(1.3)),
              IsSupersetOf({"policy", "seed", "allocated_percent", "fragmented_percent", "decision_us"}));
  auto alloc = nlohmann::json::parse(Json(SomeAlloc(1.3)))["runs"][0];
  for (const char* mark : {"50", "90", "100", "130"}) {
    EXPECT_TRUE(alloc["allocated_percent"][mark].is_number());
    EXPECT_TRUE(alloc["fragmented_percent"][mark].is_number());
  }
  EXPECT_TRUE(alloc["decision_us"]["p50"].is_number() && alloc["decision_us"]["p99"].is_number());
  EXPECT_FALSE(nlohmann::json::parse(Json(SomeAlloc(0.6)))["runs"][0]["allocated_percent"].contains("90"));
  EXPECT_THAT(KeysOf(*RunCards(SmallPods(), {"snug"}, {42})),
              IsSupersetOf({"policy", "seed", "cards", "lp_bound"}));
  EXPECT_THAT(KeysOf(std::vector<LoadRun>{*RunLoad(SmallDemand(42), "snug", 42, {})}),
              IsSupersetOf({"policy", "seed", "models", "cards", "overload_percent",
                            "load_in_overload_percent", "mean_cards", "mean_use_percent", "lower_bound",
                            "loads_per_day", "moves_per_day", "copies_per_model"}));
  EXPECT_THAT(
      KeysOf(std::vector<QueueRun>{*RunQueue(SmallDemand(42), "snug", 42, {})}),
      IsSupersetOf({"policy", "seed", "cards", "p50_ms", "p99_ms", "p999_ms", "above_limit_percent"}));
}

// Self-contained, and no figure that is none.
void CheckPage(const std::string& page, size_t pictures) {
  size_t found = 0;
  for (size_t at = page.find("<svg"); at != std::string::npos; at = page.find("<svg", at + 1)) ++found;
  EXPECT_EQ(found, pictures);
  for (const char* bad : {"http", "<script", "nan", "inf\"", "inf ", "-inf"}) {
    EXPECT_THAT(page, testing::Not(HasSubstr(bad)));
  }
  EXPECT_TRUE(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
}

TEST(PageTest, EachHoldsItsPictures) {
  CheckPage(Page(SomeAlloc(1.3)), 4);
  CheckPage(Page(SomeAlloc(0.01)), 4);
  CheckPage(Page(*RunCards(SmallPods(), {"one-per-card", "snug"}, {1, 2})), 3);
  Demand demand = SmallDemand(42);
  CheckPage(
      Page(std::vector<LoadRun>{*RunLoad(demand, "one-per-card", 42, {}), *RunLoad(demand, "snug", 42, {})}),
      9);
  CheckPage(Page(std::vector<QueueRun>{*RunQueue(demand, "snug", 42, {})}), 2);
  CheckPage(Page(*MakeSynth({3, 1, 1})), 2);
}

TEST(PageTest, NamesAreText) {
  AllocRun run = SomeAlloc(1.3)[0];
  run.policy = "<b>\"&";
  std::string page = Page(std::vector<AllocRun>{run});
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;&quot;&amp;"));
  EXPECT_THAT(page, testing::Not(HasSubstr("<b>\"")));
}

int Main(std::vector<const char*> args) {
  args.insert(args.begin(), "simulate");
  return SimulateMain(static_cast<int>(args.size()), args.data());
}

TEST(SimulateTest, CommandLine) {
  std::string dir = testing::TempDir() + "/simulate_test";
  std::filesystem::create_directories(dir);
  std::string series = dir + "/series.csv", page = dir + "/page.html";
  EXPECT_EQ(Main({"synth", "--models", "10", "--days", "2", "--seed", "1", "--out", series.c_str()}), 0);
  EXPECT_EQ(Main({"load", "--series", series.c_str(), "--policy", "snug,one-per-card", "--seeds", "1-2",
                  "--train-days", "0.5", "--json", "--html", page.c_str()}),
            0);
  EXPECT_TRUE(std::filesystem::exists(page));
  for (const char* command : {"alloc", "cards", "load", "queue"}) {
    bool over_time = command == std::string("load") || command == std::string("queue");
    std::vector<const char*> args = {command, over_time ? "--series" : "--pods", series.c_str()};
    if (command == std::string("alloc")) args.insert(args.end(), {"--nodes", series.c_str()});
    auto with = [&](std::vector<const char*> more) {
      more.insert(more.begin(), args.begin(), args.end());
      return Main(more);
    };
    EXPECT_EQ(with({}), 2) << command;
    EXPECT_EQ(with({"--policy", "magic"}), 2) << command;
    EXPECT_EQ(with({"--policy", "snug,"}), 2) << command;
    EXPECT_EQ(with({"--policy", "snug", "--seeds", "9-1"}), 2) << command;
    EXPECT_EQ(with({"--policy", "snug", "--fly"}), 2) << command;
  }
  EXPECT_EQ(Main({"cards", "--pods", series.c_str(), "--policy", "snug"}), 1);  // not a list of pods
  EXPECT_EQ(Main({"cards", "--pods", dir.c_str(), "--policy", "snug"}), 1);
  EXPECT_EQ(Main({"load", "--series", series.c_str(), "--policy", "snug", "--card-capacity", "2"}), 2);
  EXPECT_EQ(Main({"queue", "--series", series.c_str(), "--policy", "snug", "--seeds", "1", "--train-days",
                  "1", "--scale-in", "--no-repack", "--guaranteed", "0.2", "--fail-minute", "60"}),
            0);
  EXPECT_EQ(Main({"load", "--series", series.c_str(), "--policy", "snug", "--guaranteed", "2"}), 2);
  EXPECT_EQ(Main({"load", "--series", "/nowhere", "--policy", "snug"}), 1);
  EXPECT_EQ(Main({"load", "--series", series.c_str(), "--policy", "snug", "--train-days", "2"}), 1);
  EXPECT_EQ(Main({"fly"}), 2);
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace snug::simulate
