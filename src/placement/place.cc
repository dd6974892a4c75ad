#include "placement/place.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "placement/rules.h"
#include "placement/slot.h"
#include "placement/standing.h"

namespace snug::placement {
namespace {

constexpr double kPolicyLimitMax = 4.0;
constexpr size_t kPassedOverNamedMax = 2;  // of the groups passed over, this many are explained by name

uint64_t Mib(uint64_t bytes) {
  constexpr uint64_t kMib = uint64_t{1} << 20;
  return bytes / kMib + (bytes % kMib != 0 ? 1 : 0);
}

Status CheckWanted(const World& world) {
  std::set<ModelVersion> seen;
  for (const Wanted& wanted : world.wanted) {
    if (wanted.id.model.empty()) return InvalidArgument("a wanted model has no name");
    if (!seen.insert(wanted.id).second) return InvalidArgument("{} is wanted twice", Name(wanted.id));
    if (!(wanted.share > 0 && wanted.share <= 1)) {
      return InvalidArgument("{} asks for {} of a card; a share is above 0 and at most 1", Name(wanted.id),
                             wanted.share);
    }
  }
  return {};
}

Status CheckGroups(const World& world) {
  std::set<std::string> seen;
  for (const Group& group : world.groups) {
    if (group.id.empty()) return InvalidArgument("a group has no id");
    if (!seen.insert(group.id).second) return InvalidArgument("group {} is there twice", group.id);
    if (!(group.use >= 0)) return InvalidArgument("group {} has a use of {}", group.id, group.use);
  }
  return {};
}

class Planner {
 public:
  Planner(const World& world, const Policy& policy, const NamedRule& rule)
      : world_(world), policy_(policy), rule_(rule), quotas_(world.quota_shares) {}

  Plan Run() {
    SortWanted();
    KeepWhatStands();
    for (const Wanted* wanted : order_) PlaceMissing(*wanted);
    std::stable_sort(plan_.assignments.begin(), plan_.assignments.end(), [](const auto& a, const auto& b) {
      return std::tie(a.id, a.is_new_copy) < std::tie(b.id, b.is_new_copy);
    });
    return std::move(plan_);
  }

 private:
  void SortWanted() {
    for (const Wanted& wanted : world_.wanted) {
      order_.push_back(&wanted);
      by_id_[wanted.id] = &wanted;
    }
    std::sort(order_.begin(), order_.end(), [](const Wanted* a, const Wanted* b) {
      if (a->share != b->share) return a->share > b->share;
      return a->id < b->id;
    });
  }

  StandingCopies Standing() const {
    Holders holders;
    for (const Group& group : world_.groups) {
      if (group.state == GroupState::kFailed) continue;
      for (const HeldCopy& copy : group.copies) holders[copy.id].push_back(group.id);
    }
    return StandingCopies(holders, [this](const ModelVersion& id) {
      auto wanted = by_id_.find(id);
      return wanted == by_id_.end() ? CopiesWanted{}
                                    : CopiesWanted{wanted->second->copies, wanted->second->pinned_groups};
    });
  }

  void KeepWhatStands() {
    StandingCopies standing = Standing();
    for (const Group& group : world_.groups) {
      if (group.state == GroupState::kFailed) continue;
      std::vector<const HeldCopy*> stays;
      for (const HeldCopy& copy : group.copies) {
        if (standing.Keep(copy.id, group.id)) {
          stays.push_back(&copy);
          Keep(copy, group);
        } else {
          Remove(copy, group);
        }
      }
      slots_.push_back(MakeSlot(group, stays, by_id_));
    }
  }

  void Keep(const HeldCopy& copy, const Group& group) {
    const Wanted& wanted = *by_id_.at(copy.id);
    placed_[copy.id] += 1;
    memory_used_ += copy.memory_bytes;
    // What stands already counts with what it asks for now.
    quotas_.Use(wanted.department, wanted.share);
    plan_.assignments.push_back({copy.id, group.id, false, false, "stands there already"});
  }

  void Remove(const HeldCopy& copy, const Group& group) {
    auto wanted = by_id_.find(copy.id);
    plan_.removals.push_back(
        {copy.id, group.id, WhyRemoved(wanted == by_id_.end() ? 0 : wanted->second->copies)});
  }

  void PlaceMissing(const Wanted& wanted) {
    uint32_t have = placed_[wanted.id];
    for (uint32_t copy = have; copy < wanted.copies; ++copy) {
      std::string why_not;
      if (PlaceOne(wanted, why_not)) continue;
      plan_.unplaced.push_back({wanted.id, wanted.copies - copy, why_not});
      return;
    }
  }

  bool PlaceOne(const Wanted& wanted, std::string& why_not) {
    if (!quotas_.Allow(wanted.department, wanted.share, why_not)) return false;
    if (!MemoryAllows(wanted, 0, why_not)) return false;
    if (PlacePinned(wanted, why_not)) return true;
    if (!why_not.empty()) return false;
    return PlaceByRule(wanted, why_not) || PlaceInNewGroup(wanted, why_not);
  }

  // `extra_bytes`: what comes with the copy.
  bool MemoryAllows(const Wanted& wanted, uint64_t extra_bytes, std::string& why_not) const {
    uint64_t max = world_.memory_bytes;
    uint64_t more = wanted.memory_bytes + extra_bytes;
    if (max == 0 || (memory_used_ <= max && more <= max - memory_used_)) return true;
    why_not = fmt::format("memory: it needs about {} MiB{}, and models have {} of {} MiB already", Mib(more),
                          extra_bytes > 0 ? " with a server of its own" : "", Mib(memory_used_), Mib(max));
    return false;
  }

  // The first pin that can be honoured; that none can is an answer of its own: the copy must not land
  // elsewhere unnoticed. With all pins taken by its copies, the rule decides.
  bool PlacePinned(const Wanted& wanted, std::string& why_not) {
    std::vector<std::string> refusals;
    for (const std::string& id : wanted.pinned_groups) {
      auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) { return s.id == id; });
      if (slot == slots_.end()) {
        refusals.push_back(fmt::format("to group {}, which is not there", id));
        continue;
      }
      if (slot->models.contains(wanted.id.model) && Stands(wanted.id, id)) continue;
      if (auto obstacle = Obstacle(*slot, wanted)) {
        refusals.push_back(fmt::format("to group {}, which {}", id, *obstacle));
        continue;
      }
      Assign(*slot, wanted, "pinned there");
      return true;
    }
    if (!refusals.empty()) why_not = fmt::format("it is pinned {}", fmt::join(refusals, "; and "));
    return false;
  }

  bool Stands(const ModelVersion& id, const std::string& group) const {
    return std::any_of(plan_.assignments.begin(), plan_.assignments.end(),
                       [&](const Assignment& a) { return a.id == id && a.group == group; });
  }

  bool PlaceByRule(const Wanted& wanted, std::string& why_not) {
    Slot* best = nullptr;
    Verdict best_verdict;
    std::vector<std::string> passed;
    size_t passed_count = 0;
    for (Slot& slot : slots_) {
      Verdict verdict;
      auto obstacle = Obstacle(slot, wanted);
      if (!obstacle) verdict = rule_.judge(slot, wanted, policy_);
      if (obstacle || !verdict.fits) {
        ++passed_count;
        if (passed.size() < kPassedOverNamedMax) {
          passed.push_back(fmt::format("{}: {}", slot.id, obstacle ? *obstacle : verdict.why));
        }
      } else if (best == nullptr || verdict.cost < best_verdict.cost) {
        best = &slot;
        best_verdict = std::move(verdict);
      }
    }
    std::string others = PassedOver(passed, passed_count);
    if (best == nullptr) {
      why_not = others;
      return false;
    }
    Assign(*best, wanted, others.empty() ? best_verdict.why : best_verdict.why + "; " + others);
    return true;
  }

  static std::string PassedOver(const std::vector<std::string>& named, size_t count) {
    if (count == 0) return "";
    std::string more = count > named.size() ? fmt::format("; and {} more", count - named.size()) : "";
    return fmt::format("passed over {}{}", fmt::join(named, "; "), more);
  }

  bool PlaceInNewGroup(const Wanted& wanted, std::string& why_not) {
    std::string others = why_not.empty() ? "there is no group" : why_not;
    if (world_.groups_max > 0 && slots_.size() >= world_.groups_max) {
      why_not =
          fmt::format("no group fits and there are {} groups, which is the limit; {}", slots_.size(), others);
      return false;
    }
    if (!MemoryAllows(wanted, world_.new_group_memory_bytes, why_not)) return false;
    Slot slot = MakeSlot(world_.new_group, {}, by_id_);
    slot.id = fmt::format("new group {}", new_groups_ + 1);
    slot.open = true;
    slot.is_new = true;
    slot.use = 0;
    slot.department = wanted.department;
    if (auto obstacle = Obstacle(slot, wanted)) {
      why_not = fmt::format("even an empty group does not fit: {}", *obstacle);
      return false;
    }
    ++new_groups_;
    memory_used_ += world_.new_group_memory_bytes;
    slots_.push_back(std::move(slot));
    Assign(slots_.back(), wanted, fmt::format("no group fits; {}", others));
    return true;
  }

  void Assign(Slot& slot, const Wanted& wanted, std::string why) {
    slot.Add(wanted);
    memory_used_ += wanted.memory_bytes;
    placed_[wanted.id] += 1;
    quotas_.Use(wanted.department, wanted.share);
    plan_.assignments.push_back({wanted.id, slot.id, true, slot.is_new, std::move(why)});
  }

  const World& world_;
  const Policy& policy_;
  const NamedRule& rule_;
  std::vector<const Wanted*> order_;
  std::map<ModelVersion, const Wanted*> by_id_;
  std::map<ModelVersion, uint32_t> placed_;
  Quotas quotas_;
  uint64_t memory_used_ = 0;  // of all groups
  std::vector<Slot> slots_;
  size_t new_groups_ = 0;
  Plan plan_;
};

}  // namespace

std::string Name(const ModelVersion& version) {
  return fmt::format("{}@{}", version.model, version.version);
}

std::vector<std::string> PolicyNames() {
  std::vector<std::string> names;
  for (const NamedRule& rule : Rules()) names.emplace_back(rule.name);
  return names;
}

Result<Policy> PolicyNamed(std::string_view name) {
  const NamedRule* rule = FindRule(name);
  if (rule == nullptr) {
    return InvalidArgument("there is no placement policy \"{}\"; there are: {}", name,
                           fmt::join(PolicyNames(), ", "));
  }
  return Policy{std::string(name), rule->limit, 0};
}

Result<Plan> Place(const World& world, const Policy& policy) {
  SNUG_ASSIGN_OR_RETURN([[maybe_unused]] Policy known, PolicyNamed(policy.name));
  if (!(policy.limit > 0 && policy.limit <= kPolicyLimitMax)) {
    return InvalidArgument("the policy's limit is {} of a card; it must be above 0 and at most {}",
                           policy.limit, kPolicyLimitMax);
  }
  SNUG_RETURN_IF_ERROR(CheckWanted(world));
  SNUG_RETURN_IF_ERROR(CheckGroups(world));
  return Planner(world, policy, *FindRule(policy.name)).Run();
}

}  // namespace snug::placement
