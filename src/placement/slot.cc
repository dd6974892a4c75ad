#include "placement/slot.h"

#include <fmt/format.h>

#include <algorithm>

namespace snug::placement {
namespace {

constexpr double kShareTolerance = 1e-9;  // sums of decimal shares are not exact

double Gib(uint64_t bytes) {
  return static_cast<double>(bytes) / (1024.0 * 1024.0 * 1024.0);
}

void AddProfile(Slot& slot, const std::vector<float>& profile, double share) {
  if (profile.empty()) {
    slot.unprofiled += share;
    return;
  }
  if (slot.profile.size() < profile.size()) slot.profile.resize(profile.size(), 0.0);
  for (size_t t = 0; t < profile.size(); ++t) slot.profile[t] += profile[t];
}

void Note(Slot& slot, const std::string& model, double share, uint64_t memory, Isolation isolation,
          const std::vector<float>& profile) {
  slot.requested += share;
  slot.memory_bytes += memory;
  slot.copies += 1;
  slot.guaranteed |= isolation == Isolation::kGuaranteed;
  slot.alone |= isolation == Isolation::kAlone;
  slot.models.insert(model);
  AddProfile(slot, profile, share);
}

}  // namespace

void Slot::Add(const Wanted& wanted) {
  Note(*this, wanted.id.model, wanted.share, wanted.memory_bytes, wanted.isolation, wanted.profile);
  use += wanted.share;
  kept_away.insert(wanted.keep_apart.begin(), wanted.keep_apart.end());
}

Slot MakeSlot(const Group& group, const std::vector<const HeldCopy*>& kept,
              const std::map<ModelVersion, const Wanted*>& wanted_by_id) {
  Slot slot;
  slot.id = group.id;
  slot.open = group.state == GroupState::kOpen;
  slot.department = group.department;
  slot.use = group.use;
  slot.memory_bytes_max = group.memory_bytes;
  slot.copies_max = group.copies_max;
  for (const HeldCopy* copy : kept) {
    Note(slot, copy->id.model, copy->share, copy->memory_bytes, copy->isolation, copy->profile);
    if (!copy->measured) slot.use += copy->share;
    if (auto wanted = wanted_by_id.find(copy->id); wanted != wanted_by_id.end()) {
      slot.kept_away.insert(wanted->second->keep_apart.begin(), wanted->second->keep_apart.end());
    }
  }
  return slot;
}

std::optional<std::string> Obstacle(const Slot& slot, const Wanted& wanted) {
  if (!slot.open) return "takes no copies now";
  if (slot.department != wanted.department) {
    return slot.department.empty() ? std::string("is nobody's in particular")
                                   : fmt::format("belongs to department {}", slot.department);
  }
  if (slot.models.contains(wanted.id.model))
    return fmt::format("holds a copy of {} already", wanted.id.model);
  if (slot.kept_away.contains(wanted.id.model)) return "holds a model that is kept apart from it";
  for (const std::string& other : wanted.keep_apart) {
    if (slot.models.contains(other)) return fmt::format("holds {}, from which it is kept apart", other);
  }
  if (slot.alone && slot.copies > 0) return "is reserved for one model";
  if (wanted.isolation == Isolation::kAlone && slot.copies > 0) return "is not empty and it must be alone";
  if (slot.copies_max > 0 && slot.copies >= slot.copies_max) {
    return fmt::format("holds {} copies, which is its limit", slot.copies);
  }
  if (slot.memory_bytes_max > 0 && (slot.memory_bytes > slot.memory_bytes_max ||
                                    wanted.memory_bytes > slot.memory_bytes_max - slot.memory_bytes)) {
    return fmt::format("memory: {:.1f} + {:.1f} of {:.1f} GiB", Gib(slot.memory_bytes),
                       Gib(wanted.memory_bytes), Gib(slot.memory_bytes_max));
  }
  bool guaranteed = slot.guaranteed || wanted.isolation == Isolation::kGuaranteed;
  if (guaranteed && slot.requested + wanted.share > 1 + kShareTolerance) {
    return fmt::format("guarantee: requests {:.0f} + {:.0f} % are above a card", slot.requested * 100,
                       wanted.share * 100);
  }
  return std::nullopt;
}

double PeakWith(const Slot& slot, const Wanted& wanted) {
  size_t buckets = std::max(slot.profile.size(), wanted.profile.size());
  double flat = slot.unprofiled + (wanted.profile.empty() ? wanted.share : 0.0);
  double peak = flat;
  for (size_t t = 0; t < buckets; ++t) {
    double here = flat;
    if (t < slot.profile.size()) here += slot.profile[t];
    if (t < wanted.profile.size()) here += wanted.profile[t];
    peak = std::max(peak, here);
  }
  return peak;
}

}  // namespace snug::placement
