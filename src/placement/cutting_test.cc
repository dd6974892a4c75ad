#include "placement/cutting.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "base/rng.h"

namespace snug::placement {
namespace {

std::vector<CutSize> Sizes(const std::vector<int>& units) {
  std::map<int, int64_t> counts;
  for (int u : units) counts[u] += 1;
  std::vector<CutSize> sizes;
  sizes.reserve(counts.size());
  for (auto [u, count] : counts) sizes.push_back({u, count});
  return sizes;
}

// Every item in every open card, or in a new one.
size_t BruteForce(const std::vector<int>& units, size_t item, std::vector<int>& left, size_t best) {
  if (left.size() >= best) return best;
  if (item == units.size()) return left.size();
  for (size_t c = 0; c < left.size(); ++c) {
    if (left[c] < units[item]) continue;
    left[c] -= units[item];
    best = std::min(best, BruteForce(units, item + 1, left, best));
    left[c] += units[item];
  }
  left.push_back(100 - units[item]);
  best = std::min(best, BruteForce(units, item + 1, left, best));
  left.pop_back();
  return best;
}

TEST(CuttingTest, BoundAndPackingAgainstBruteForce) {
  Rng rng(9);
  for (int round = 0; round < 60; ++round) {
    std::vector<int> units;
    for (uint64_t i = 0, n = 2 + rng.Below(8); i < n; ++i)
      units.push_back(static_cast<int>(10 + rng.Below(80)));
    std::sort(units.rbegin(), units.rend());
    std::vector<int> left;
    size_t optimum = BruteForce(units, 0, left, units.size() + 1);
    auto cutting = SolveCutting(Sizes(units), 100);
    auto packed = PackCards(Sizes(units), 100);
    ASSERT_TRUE(cutting.ok() && packed.ok());
    EXPECT_LE(cutting->bound_cards, static_cast<double>(optimum) + 1e-6);
    EXPECT_GE(packed->size(), optimum);
    EXPECT_LE(packed->size(), optimum + 1);
  }
}

TEST(CuttingTest, AKnownBound) {
  // Thirds waste nothing, 60s leave 40 each that two 20s fill.
  auto cutting = SolveCutting({{20, 20}, {60, 10}}, 100);
  ASSERT_TRUE(cutting.ok());
  EXPECT_NEAR(cutting->bound_cards, 10, 1e-9);
  EXPECT_EQ(PackCards({{20, 20}, {60, 10}}, 100)->size(), 10u);
  EXPECT_EQ(SolveCutting({}, 100)->bound_cards, 0);
}

TEST(CuttingTest, BadInputIsRefused) {
  EXPECT_FALSE(SolveCutting({{0, 1}}, 100).ok());
  EXPECT_FALSE(SolveCutting({{101, 1}}, 100).ok());
  EXPECT_FALSE(SolveCutting({{1, -1}}, 100).ok());
  EXPECT_FALSE(SolveCutting({{1, 1}}, 0).ok());
  EXPECT_FALSE(RepackCards({10, 20}, {0}, 100).ok());
}

TEST(CuttingTest, ARepackMovesOnlyWhatItMust) {
  std::vector<int> units;
  std::vector<size_t> card_of;
  for (size_t card = 0; card < 50; ++card) {
    for (int u : {60, 40}) {
      units.push_back(u);
      card_of.push_back(card);
    }
  }
  for (size_t card : {50, 51}) {
    units.push_back(50);
    card_of.push_back(card);
  }
  auto repack = *RepackCards(units, card_of, 100);
  EXPECT_EQ(repack.cards, 51u);
  EXPECT_EQ(repack.moves, 1u);
}

void CheckPacking(const std::vector<int>& units, const std::vector<size_t>& card_of) {
  std::map<size_t, int> used;
  for (size_t i = 0; i < units.size(); ++i) used[card_of[i]] += units[i];
  for (auto [card, sum] : used) EXPECT_LE(sum, 100);
}

TEST(CuttingTest, OnlineAndRepackKeepToTheCards) {
  Rng rng(4);
  std::vector<int> units;
  units.reserve(400);
  for (int i = 0; i < 400; ++i) units.push_back(std::vector<int>{8, 23, 47, 65, 81}[rng.Below(5)]);
  auto sizes = Sizes(units);
  auto cutting = *SolveCutting(sizes, 100);
  CardPacker packer(WorthOfRest(sizes, cutting.prices, 100), 100);
  std::vector<size_t> card_of;
  card_of.reserve(units.size());
  for (int u : units) card_of.push_back(packer.Place(u));
  CheckPacking(units, card_of);
  auto repack = *RepackCards(units, card_of, 100);
  CheckPacking(units, repack.card_of);
  EXPECT_LE(repack.cards, packer.cards());
  EXPECT_LT(repack.moves, units.size() / 2);
  size_t moved = 0;
  for (size_t i = 0; i < units.size(); ++i) moved += repack.card_of[i] != card_of[i];
  EXPECT_EQ(moved, repack.moves);
  // What is packed stays as it is.
  auto again = *RepackCards(units, repack.card_of, 100);
  EXPECT_EQ(again.cards, repack.cards);
  EXPECT_EQ(again.moves, 0u);
}

}  // namespace
}  // namespace snug::placement
