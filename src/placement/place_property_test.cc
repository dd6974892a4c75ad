// What Place promises in its header, over random worlds and every policy.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/rng.h"
#include "placement/place.h"

namespace snug::placement {
namespace {

constexpr int kWorlds = 150;

World RandomWorld(Rng& rng) {
  World world;
  world.new_group.memory_bytes = 20;
  world.new_group.copies_max = 6;
  world.quota_shares["cars"] = 1.5;
  for (uint64_t m = 0, n = 1 + rng.Below(12); m < n; ++m) {
    Wanted wanted;
    wanted.id = {"m" + std::to_string(rng.Below(9)), static_cast<int64_t>(m)};
    wanted.share = static_cast<double>(1 + rng.Below(50)) / 100;
    wanted.copies = static_cast<uint32_t>(1 + rng.Below(3));
    wanted.memory_bytes = 1 + rng.Below(9);
    wanted.department = rng.Below(3) == 0 ? "cars" : "";
    wanted.isolation = static_cast<Isolation>(rng.Below(8) < 6 ? 0 : rng.Below(3));
    if (rng.Below(4) == 0) wanted.keep_apart = {"m" + std::to_string(rng.Below(9))};
    if (rng.Below(2) == 0) {
      for (int t = 0; t < 4; ++t) wanted.profile.push_back(static_cast<float>(rng.Uniform() * wanted.share));
    }
    std::erase(wanted.keep_apart, wanted.id.model);
    world.wanted.push_back(wanted);
  }
  return world;
}

// The world after the plan was carried out.
World CarryOut(const World& world, const Plan& plan) {
  World next = world;
  for (Group& group : next.groups) {
    if (group.state == GroupState::kFailed) group.copies.clear();
    std::erase_if(group.copies, [&](const HeldCopy& copy) {
      return std::any_of(plan.removals.begin(), plan.removals.end(),
                         [&](const Removal& r) { return r.id == copy.id && r.group == group.id; });
    });
  }
  std::map<std::string, std::string> made;  // "new group 1" → the id it got
  for (const Assignment& a : plan.assignments) {
    if (!a.is_new_copy) continue;
    std::string id = a.group;
    if (a.is_new_group)
      id = made.try_emplace(a.group, "g" + std::to_string(next.groups.size())).first->second;
    auto wanted =
        std::find_if(world.wanted.begin(), world.wanted.end(), [&](auto& w) { return w.id == a.id; });
    auto group = std::find_if(next.groups.begin(), next.groups.end(), [&](auto& g) { return g.id == id; });
    if (group == next.groups.end()) {
      Group fresh = world.new_group;
      fresh.id = id;
      fresh.department = wanted->department;
      group = next.groups.insert(next.groups.end(), fresh);
    }
    group->copies.push_back(
        {wanted->id, wanted->share, wanted->memory_bytes, false, wanted->isolation, wanted->profile});
  }
  return next;
}

void CheckGroup(const World& world, const Group& group) {
  uint64_t memory = 0;
  double shares = 0;
  bool guaranteed = false, alone = false;
  std::set<std::string> models;
  for (const HeldCopy& copy : group.copies) {
    memory += copy.memory_bytes;
    shares += copy.share;
    guaranteed |= copy.isolation == Isolation::kGuaranteed;
    alone |= copy.isolation == Isolation::kAlone;
    EXPECT_TRUE(models.insert(copy.id.model).second) << "two copies of a model share " << group.id;
  }
  EXPECT_LE(memory, group.memory_bytes);
  EXPECT_LE(group.copies.size(), group.copies_max);
  if (guaranteed) {
    EXPECT_LE(shares, 1 + 1e-6);
  }
  if (alone) {
    EXPECT_EQ(group.copies.size(), 1u);
  }
  for (const Wanted& wanted : world.wanted) {
    if (!std::any_of(group.copies.begin(), group.copies.end(), [&](auto& c) { return c.id == wanted.id; }))
      continue;
    EXPECT_EQ(group.department, wanted.department);
    for (const std::string& other : wanted.keep_apart) EXPECT_FALSE(models.contains(other));
  }
}

void CheckNothingLost(const World& world, const Plan& plan) {
  std::map<ModelVersion, uint32_t> found;
  std::map<std::string, double> used;
  for (const Assignment& a : plan.assignments) ++found[a.id];
  for (const Wanted& wanted : world.wanted) used[wanted.department] += wanted.share * found[wanted.id];
  for (const Unplaced& u : plan.unplaced) {
    found[u.id] += u.copies;
    EXPECT_FALSE(u.why.empty());
  }
  for (const Wanted& wanted : world.wanted) EXPECT_EQ(found[wanted.id], wanted.copies) << Name(wanted.id);
  EXPECT_LE(used["cars"], 1.5 + 1e-6);
}

std::string Text(const Plan& plan) {
  std::string text;
  for (const Assignment& a : plan.assignments) text += Name(a.id) + ">" + a.group + "|" + a.why + "\n";
  std::vector<std::string> unplaced;
  for (const Unplaced& u : plan.unplaced) unplaced.push_back(Name(u.id) + "!" + std::to_string(u.copies));
  for (const std::string& line : unplaced) text += line + "\n";
  return text;
}

TEST(PlacePropertyTest, PromisesHoldForEveryPolicy) {
  for (const std::string& name : PolicyNames()) {
    Rng rng(7);
    for (int i = 0; i < kWorlds; ++i) {
      SCOPED_TRACE(name + " world " + std::to_string(i));
      World world = RandomWorld(rng);
      auto plan = Place(world, *PolicyNamed(name));
      ASSERT_TRUE(plan.ok()) << plan.status().ToString();
      CheckNothingLost(world, *plan);
      World after = CarryOut(world, *plan);
      for (const Group& group : after.groups) CheckGroup(world, group);

      auto again = Place(after, *PolicyNamed(name));
      ASSERT_TRUE(again.ok());
      EXPECT_TRUE(again->removals.empty());
      for (const Assignment& a : again->assignments)
        EXPECT_FALSE(a.is_new_copy) << Name(a.id) << ": " << a.why;

      World shuffled = world;
      rng.Shuffle(std::span(shuffled.wanted));
      EXPECT_EQ(Text(*Place(shuffled, *PolicyNamed(name))), Text(*plan));

      if (after.groups.empty()) continue;
      World broken = after;
      broken.groups[rng.Below(broken.groups.size())].state = GroupState::kFailed;
      auto healed = Place(broken, *PolicyNamed(name));
      ASSERT_TRUE(healed.ok());
      CheckNothingLost(broken, *healed);
      for (const Group& group : CarryOut(broken, *healed).groups) {
        if (group.state != GroupState::kFailed) CheckGroup(world, group);
      }
    }
  }
}

// Every share in every group that is open, or in a new one.
size_t FewestGroups(const std::vector<int>& shares, size_t next, std::vector<int>& left, int whole,
                    size_t best) {
  if (left.size() >= best) return best;
  if (next == shares.size()) return left.size();
  for (size_t g = 0; g < left.size(); ++g) {
    if (left[g] < shares[next]) continue;
    left[g] -= shares[next];
    best = FewestGroups(shares, next + 1, left, whole, best);
    left[g] += shares[next];
  }
  left.push_back(whole - shares[next]);
  best = FewestGroups(shares, next + 1, left, whole, best);
  left.pop_back();
  return best;
}

// Largest first, so first and best fit need at most 11/9 of the optimum and 6/9 of a group (Dosa, 2007).
TEST(PlacePropertyTest, NewGroupsAreNearTheFewestThereCanBe) {
  for (const char* name : {"first-fit", "best-fit", "snug"}) {
    Policy policy = *PolicyNamed(name);
    int whole = static_cast<int>(std::lround(policy.limit * 100));
    Rng rng(17);
    for (int round = 0; round < 60; ++round) {
      World world;
      std::vector<int> shares;
      for (uint64_t m = 0, n = 3 + rng.Below(7); m < n; ++m) {
        shares.push_back(static_cast<int>(5 + rng.Below(static_cast<uint64_t>(whole - 5))));
        Wanted wanted;
        wanted.id = {"m" + std::to_string(m), 1};
        wanted.share = shares.back() / 100.0;
        world.wanted.push_back(wanted);
      }
      std::vector<int> left;
      size_t fewest = FewestGroups(shares, 0, left, whole, shares.size() + 1);
      auto plan = Place(world, policy);
      ASSERT_TRUE(plan.ok());
      std::set<std::string> groups;
      for (const Assignment& a : plan->assignments) groups.insert(a.group);
      ASSERT_EQ(plan->assignments.size(), shares.size());
      EXPECT_GE(groups.size(), fewest);
      EXPECT_LE(9 * groups.size(), 11 * fewest + 6) << name;
    }
  }
}

}  // namespace
}  // namespace snug::placement
