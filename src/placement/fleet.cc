#include "placement/fleet.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace snug::placement {
namespace {

constexpr int kBalancePasses = 5;
constexpr double kMemoryTolerance = 1e-9;
constexpr uint32_t kNone = UINT32_MAX;
constexpr double kLoadWorthMoving = 0.02;  // of a card

bool Serves(const FleetCard& card) {
  return card.state == CardState::kOn || card.state == CardState::kClosing;
}

bool HasHome(const FleetModel& model, uint32_t card) {
  return std::any_of(model.homes.begin(), model.homes.end(),
                     [&](const Home& home) { return home.card == card; });
}

}  // namespace

size_t FleetSize(double peak_of_sum, double models_memory_gb, double card_memory_gb,
                 const FleetLimits& limits) {
  double by_load = limits.headroom * peak_of_sum;
  double by_memory = card_memory_gb > 0 ? models_memory_gb / (limits.memory_fill * card_memory_gb) : 0;
  return static_cast<size_t>(std::max(1.0, std::ceil(std::max(by_load, by_memory) - 1e-9)));
}

size_t CardsForNextHour(const std::vector<double>& sums, double models_memory_gb, double card_memory_gb,
                        size_t cards_max, const ScaleLimits& limits) {
  constexpr std::ptrdiff_t kDay = 1440, kHour = 60, kRecent = 30;
  if (sums.size() < static_cast<size_t>(kDay + kRecent)) return cards_max;
  auto now = sums.end();
  double recent = *std::max_element(now - kRecent, now);
  double recent_yesterday = *std::max_element(now - kDay - kRecent, now - kDay);
  double hour_yesterday = *std::max_element(now - kDay, now - kDay + kHour);
  double trend = std::clamp(recent / std::max(1e-6, recent_yesterday), 0.7, 1.4);
  double expected = std::max(recent, hour_yesterday * trend);
  double by_memory = card_memory_gb > 0 ? models_memory_gb / (limits.memory_fill * card_memory_gb) : 0;
  double cards = std::ceil(std::max({limits.headroom * expected, by_memory, 1.0}) - 1e-9);
  return std::min(cards_max, static_cast<size_t>(cards));
}

size_t CardsInHurry(double sum_now, size_t cards_wanted, size_t cards_max, const ScaleLimits& limits) {
  if (sum_now <= limits.hurry_above * static_cast<double>(cards_wanted)) return cards_wanted;
  auto cards = static_cast<size_t>(std::ceil(sum_now / limits.hurry_to));
  return std::min(cards_max, std::max(cards, cards_wanted));
}

namespace {

// Summed profiles per card while homes are planned.
class HomePlanner {
 public:
  HomePlanner(Fleet& fleet, const std::vector<std::vector<float>>& profiles)
      : fleet_(fleet), profiles_(profiles), sums_(fleet.cards.size()) {
    buckets_ = profiles.empty() ? 0 : profiles[0].size();
    for (auto& sum : sums_) sum.assign(buckets_, 0.0);
  }

  void Add(uint32_t m, uint32_t card) {
    fleet_.models[m].homes.push_back({card, 0});
    fleet_.cards[card].memory_used_gb += fleet_.models[m].memory_gb;
    double part = 1.0 / static_cast<double>(fleet_.models[m].homes.size());
    for (size_t h = 0; h < fleet_.models[m].homes.size(); ++h) {
      uint32_t home = fleet_.models[m].homes[h].card;
      // The homes before shared the load among one fewer.
      double before = home == card ? 0.0 : 1.0 / static_cast<double>(fleet_.models[m].homes.size() - 1);
      for (size_t b = 0; b < buckets_; ++b)
        sums_[home][b] += (part - before) * static_cast<double>(profiles_[m][b]);
    }
  }

  // The card with room, up to `fill` of its memory, where the peak would be lowest.
  uint32_t Best(uint32_t m, double fill) const {
    uint32_t best = kNone;
    double lowest = 0;
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      const FleetCard& card = fleet_.cards[c];
      if (card.state != CardState::kOn || HasHome(fleet_.models[m], c)) continue;
      if (card.memory_used_gb + fleet_.models[m].memory_gb > card.memory_gb * fill + kMemoryTolerance)
        continue;
      double peak = PeakWith(m, c) + 0.05 * card.memory_used_gb / card.memory_gb;
      if (best != kNone && peak >= lowest) continue;
      best = c;
      lowest = peak;
    }
    return best;
  }

 private:
  double PeakWith(uint32_t m, uint32_t c) const {
    double part = 1.0 / static_cast<double>(fleet_.models[m].homes.size() + 1), peak = 0;
    for (size_t b = 0; b < buckets_; ++b) {
      peak = std::max(peak, sums_[c][b] + part * static_cast<double>(profiles_[m][b]));
    }
    return peak;
  }

  Fleet& fleet_;
  const std::vector<std::vector<float>>& profiles_;
  std::vector<std::vector<double>> sums_;
  size_t buckets_ = 0;
};

std::vector<uint32_t> OrderBy(size_t count, const std::vector<double>& key) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return key[a] > key[b]; });
  return order;
}

}  // namespace

void PlanHomes(Fleet& fleet, const std::vector<std::vector<float>>& profiles, const FleetLimits& limits) {
  HomePlanner planner(fleet, profiles);
  std::vector<double> size, worth;
  for (const FleetModel& model : fleet.models) {
    size.push_back(model.memory_gb);
    worth.push_back(model.recent_peak / std::max(0.01, model.memory_gb));
  }
  // Memory is the wall, so the largest go first.
  for (uint32_t m : OrderBy(size.size(), size)) {
    if (uint32_t card = planner.Best(m, 1.0); card != kNone) planner.Add(m, card);
  }
  for (uint32_t m : OrderBy(worth.size(), worth)) {
    if (fleet.models[m].homes.empty()) continue;
    if (uint32_t card = planner.Best(m, limits.copies_fill); card != kNone) planner.Add(m, card);
  }
}

double Balance(Fleet& fleet, const float* use) {
  for (FleetCard& card : fleet.cards) card.load = 0;
  double unserved = 0;
  std::vector<uint32_t> several;
  for (uint32_t m = 0; m < fleet.models.size(); ++m) {
    FleetModel& model = fleet.models[m];
    double load = static_cast<double>(use[m]);
    if (model.homes.empty()) unserved += load;
    if (model.homes.size() > 1 && load > 0) several.push_back(m);
    double part = model.homes.empty() ? 0.0 : load / static_cast<double>(model.homes.size());
    for (Home& home : model.homes) {
      home.load = part;
      fleet.cards[home.card].load += part;
    }
  }
  std::vector<Home*> by_load;
  for (int pass = 0; pass < kBalancePasses; ++pass) {
    for (uint32_t m : several) {
      FleetModel& model = fleet.models[m];
      double left = static_cast<double>(use[m]);
      by_load.clear();
      for (Home& home : model.homes) {
        fleet.cards[home.card].load -= home.load;
        by_load.push_back(&home);
      }
      auto base = [&](const Home* home) { return fleet.cards[home->card].load; };
      std::sort(by_load.begin(), by_load.end(), [&](const Home* a, const Home* b) {
        return base(a) != base(b) ? base(a) < base(b) : a->card < b->card;
      });
      // Fill the emptiest up to a common level.
      size_t count = 1;
      double level_sum = base(by_load[0]);
      while (count < by_load.size() &&
             (level_sum + left) / static_cast<double>(count) > base(by_load[count])) {
        level_sum += base(by_load[count]);
        ++count;
      }
      double level = (level_sum + left) / static_cast<double>(count);
      for (size_t h = 0; h < by_load.size(); ++h) {
        by_load[h]->load = h < count ? std::max(0.0, level - base(by_load[h])) : 0.0;
      }
      for (Home* home : by_load) fleet.cards[home->card].load += home->load;
    }
  }
  return unserved;
}

namespace {

class MinutePlanner {
 public:
  MinutePlanner(const Fleet& fleet, const FleetLimits& limits)
      : fleet_(fleet), limits_(limits), on_card_(fleet.cards.size()) {
    for (uint32_t m = 0; m < fleet_.models.size(); ++m) {
      for (const Home& home : fleet_.models[m].homes) on_card_[home.card].push_back(m);
    }
  }

  std::vector<Change> Run(size_t cards_wanted) {
    FinishClosing();
    TurnOn(cards_wanted);
    Rescue();
    Relieve();
    Close(cards_wanted);
    Prepare(cards_wanted);
    return std::move(changes_);
  }

 private:
  void FinishClosing() {
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      if (fleet_.cards[c].state == CardState::kClosing)
        Do({Change::Kind::kTurnOff, 0, c, "its models live elsewhere"});
    }
  }

  size_t CardsOn() const {
    return static_cast<size_t>(
        std::count_if(fleet_.cards.begin(), fleet_.cards.end(),
                      [](const FleetCard& card) { return card.state == CardState::kOn; }));
  }

  void TurnOn(size_t wanted) {
    size_t on = CardsOn();
    for (uint32_t c = 0; c < fleet_.cards.size() && on < wanted; ++c) {
      if (fleet_.cards[c].state != CardState::kOff) continue;
      Do({Change::Kind::kTurnOn, 0, c, "the load to come needs it"});
      ++on;
    }
  }

  void Rescue() {
    for (uint32_t m = 0; m < fleet_.models.size(); ++m) {
      if (!fleet_.models[m].homes.empty()) continue;
      uint32_t card = Target(m, 1e9);
      if (card != kNone) Load(m, card, "it had no home", true);
    }
  }

  // Hot cards hand their largest models' load to copies on emptier cards. Half of a model's load is taken to
  // move with its copy, so that one minute's copies do not all go to the same card.
  void Relieve() {
    for (;;) {
      uint32_t hot = kNone;
      for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
        if (!Serves(fleet_.cards[c]) || fleet_.cards[c].load <= limits_.relieve_above) continue;
        if (c < given_up_.size() && given_up_[c]) continue;
        if (hot == kNone || fleet_.cards[c].load > fleet_.cards[hot].load) hot = c;
      }
      if (hot == kNone || loads_ >= limits_.loads_per_minute_max) return;
      if (RelieveOne(hot)) continue;
      given_up_.resize(fleet_.cards.size());
      given_up_[hot] = true;
    }
  }

  bool RelieveOne(uint32_t hot) {
    std::vector<std::pair<double, uint32_t>> here;
    for (uint32_t m : on_card_[hot]) {
      for (const Home& home : fleet_.models[m].homes) {
        if (home.card == hot && home.load > kLoadWorthMoving) here.emplace_back(home.load, m);
      }
    }
    std::sort(here.begin(), here.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    for (auto [load, m] : here) {
      uint32_t target = Target(m, fleet_.cards[hot].load - limits_.relieve_gap);
      if (target == kNone) continue;
      double moves = std::min(load, (fleet_.cards[hot].load - fleet_.cards[target].load) / 2);
      Load(m, target, "its card was above the limit");
      fleet_.cards[hot].load -= moves;
      fleet_.cards[target].load += moves;
      for (Home& home : fleet_.models[m].homes) {
        if (home.card == hot) home.load -= moves;
        if (home.card == target) home.load += moves;
      }
      ++loads_;
      return true;
    }
    return false;
  }

  // The emptiest card below `load_below` that has room or can make it.
  uint32_t Target(uint32_t m, double load_below) const {
    uint32_t best = kNone;
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      const FleetCard& card = fleet_.cards[c];
      if (card.state != CardState::kOn || HasHome(fleet_.models[m], c) || card.load >= load_below) continue;
      if (best != kNone && card.load >= fleet_.cards[best].load) continue;
      if (card.memory_used_gb + fleet_.models[m].memory_gb - Evictable(c, m) >
          card.memory_gb + kMemoryTolerance)
        continue;
      best = c;
    }
    return best;
  }

  // A home elsewhere that stays: on a card that is on.
  bool HasOtherHome(const FleetModel& model, uint32_t card) const {
    return std::any_of(model.homes.begin(), model.homes.end(), [&](const Home& home) {
      return home.card != card && fleet_.cards[home.card].state == CardState::kOn;
    });
  }

  double Evictable(uint32_t card, uint32_t newcomer) const {
    double gb = 0;
    for (uint32_t m : on_card_[card]) {
      if (m != newcomer && CanEvict(m, card)) gb += fleet_.models[m].memory_gb;
    }
    return gb;
  }

  bool CanEvict(uint32_t m, uint32_t card) const { return HasOtherHome(fleet_.models[m], card); }

  void Load(uint32_t m, uint32_t card, const char* why, bool is_move = false) {
    FleetCard& target = fleet_.cards[card];
    while (target.memory_used_gb + fleet_.models[m].memory_gb > target.memory_gb + kMemoryTolerance) {
      uint32_t coldest = kNone;
      double least = 0;
      for (uint32_t other : on_card_[card]) {
        if (other == m || !CanEvict(other, card)) continue;
        double worth = WorthOfLast(other);
        if (coldest != kNone && worth >= least) continue;
        coldest = other;
        least = worth;
      }
      if (coldest == kNone) return;
      Do({Change::Kind::kEvict, coldest, card, "the least needed copy, to make room"});
    }
    Do({Change::Kind::kLoad, m, card, why, is_move});
  }

  // What a copy is worth: by how much it lowers what one card bears of the model's peak, a GB.
  double WorthOfOneMore(uint32_t m) const {
    const FleetModel& model = fleet_.models[m];
    auto homes = static_cast<double>(model.homes.size());
    return model.recent_peak / (homes * (homes + 1) * std::max(0.01, model.memory_gb));
  }
  double WorthOfLast(uint32_t m) const {
    const FleetModel& model = fleet_.models[m];
    auto homes = static_cast<double>(model.homes.size());
    return model.recent_peak / (homes * std::max(1.0, homes - 1) * std::max(0.01, model.memory_gb));
  }

  // In a quiet minute, room that nothing needs (or that much less worthy copies hold) goes to copies of the
  // models with the highest peaks: a burst then finds several cards instead of one.
  void Prepare(size_t wanted) {
    if (loads_ > 0 || CardsOn() != wanted) return;
    for (int i = 0; i < limits_.prepares_per_minute_max; ++i) {
      uint32_t best = kNone;
      double most = 0;
      for (uint32_t m = 0; m < fleet_.models.size(); ++m) {
        const FleetModel& model = fleet_.models[m];
        if (model.homes.empty() ||
            model.recent_peak / static_cast<double>(model.homes.size()) < limits_.prepare_peak_min)
          continue;
        double worth = WorthOfOneMore(m);
        if (worth <= most) continue;
        best = m;
        most = worth;
      }
      if (best == kNone) return;
      uint32_t card = RoomyCard(best);
      if (card == kNone) card = SwapCard(best, most * limits_.prepare_swap_ratio);
      if (card == kNone) return;
      Load(best, card, "one more home before its next peak");
    }
  }

  uint32_t RoomyCard(uint32_t m) const {
    uint32_t best = kNone;
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      const FleetCard& card = fleet_.cards[c];
      if (card.state != CardState::kOn || HasHome(fleet_.models[m], c)) continue;
      if (card.memory_used_gb + fleet_.models[m].memory_gb > card.memory_gb) continue;
      if (best == kNone || card.load < fleet_.cards[best].load) best = c;
    }
    return best;
  }

  // The emptiest card where copies worth less than `worth_max` can make the room.
  uint32_t SwapCard(uint32_t m, double worth_max) const {
    std::vector<double> room;
    for (const FleetCard& card : fleet_.cards) room.push_back(card.memory_gb - card.memory_used_gb);
    for (uint32_t other = 0; other < fleet_.models.size(); ++other) {
      if (fleet_.models[other].homes.size() < 2 || WorthOfLast(other) >= worth_max) continue;
      for (const Home& home : fleet_.models[other].homes) {
        if (CanEvict(other, home.card)) room[home.card] += fleet_.models[other].memory_gb;
      }
    }
    uint32_t best = kNone;
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      const FleetCard& card = fleet_.cards[c];
      if (card.state != CardState::kOn || HasHome(fleet_.models[m], c) ||
          room[c] < fleet_.models[m].memory_gb)
        continue;
      if (best == kNone || card.load < fleet_.cards[best].load) best = c;
    }
    return best;
  }

  void Close(size_t wanted) {
    if (CardsOn() <= wanted || loads_ > 0) return;
    // The card whose last copies take the least memory is the cheapest to leave.
    uint32_t best = kNone;
    double least = 0;
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      if (fleet_.cards[c].state != CardState::kOn) continue;
      double gb = 0.5 * fleet_.cards[c].load;
      for (uint32_t m : on_card_[c]) {
        if (!HasOtherHome(fleet_.models[m], c)) gb += fleet_.models[m].memory_gb;
      }
      if (best != kNone && gb >= least) continue;
      best = c;
      least = gb;
    }
    if (best != kNone) TryClose(best);
  }

  void TryClose(uint32_t closing) {
    Fleet before = fleet_;
    auto on_card_before = on_card_;
    size_t changes_before = changes_.size();
    Do({Change::Kind::kClose, 0, closing, "the load to come does not need it"});
    for (uint32_t m : std::vector<uint32_t>(on_card_[closing])) {
      const FleetModel& model = fleet_.models[m];
      if (!HasHome(model, closing) || HasOtherHome(model, closing)) continue;
      uint32_t target = Target(m, limits_.relieve_above);
      size_t had = changes_.size();
      if (target != kNone) Load(m, target, "its card is being given back", true);
      bool loaded = changes_.size() > had && changes_.back().kind == Change::Kind::kLoad;
      if (loaded) {
        fleet_.cards[target].load += model.recent_load;
        continue;
      }
      fleet_ = std::move(before);
      on_card_ = std::move(on_card_before);
      changes_.resize(changes_before);
      return;
    }
  }

  void Do(const Change& change) {
    changes_.push_back(change);
    CarryOut(fleet_, {change});
    if (change.kind == Change::Kind::kLoad) on_card_[change.card].push_back(change.model);
    if (change.kind == Change::Kind::kEvict) std::erase(on_card_[change.card], change.model);
    if (change.kind == Change::Kind::kTurnOff) on_card_[change.card].clear();
  }

  Fleet fleet_;
  const FleetLimits& limits_;
  std::vector<std::vector<uint32_t>> on_card_;
  std::vector<Change> changes_;
  std::vector<bool> given_up_;
  int loads_ = 0;
};

void Forget(Fleet& fleet, uint32_t m, uint32_t card) {
  auto& homes = fleet.models[m].homes;
  auto gone = std::remove_if(homes.begin(), homes.end(), [&](const Home& home) { return home.card == card; });
  if (gone == homes.end()) return;
  homes.erase(gone, homes.end());
  fleet.cards[card].memory_used_gb -= fleet.models[m].memory_gb;
}

void Empty(Fleet& fleet, uint32_t card) {
  for (uint32_t m = 0; m < fleet.models.size(); ++m) Forget(fleet, m, card);
  fleet.cards[card].memory_used_gb = 0;
  fleet.cards[card].load = 0;
}

bool NothingToDo(const Fleet& fleet, size_t cards_wanted, const FleetLimits& limits) {
  size_t on = 0;
  for (const FleetCard& card : fleet.cards) {
    on += card.state == CardState::kOn;
    if (card.state == CardState::kClosing || (Serves(card) && card.load > limits.relieve_above)) return false;
  }
  if (on != cards_wanted || limits.prepares_per_minute_max > 0) return false;
  return std::none_of(fleet.models.begin(), fleet.models.end(),
                      [](const auto& model) { return model.homes.empty(); });
}

}  // namespace

void FailCard(Fleet& fleet, uint32_t card) {
  Empty(fleet, card);
  fleet.cards[card].state = CardState::kFailed;
}

std::vector<Change> PlanMinute(const Fleet& fleet, size_t cards_wanted, const FleetLimits& limits) {
  if (NothingToDo(fleet, cards_wanted, limits)) return {};
  return MinutePlanner(fleet, limits).Run(cards_wanted);
}

void CarryOut(Fleet& fleet, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    FleetCard& card = fleet.cards[change.card];
    switch (change.kind) {
      case Change::Kind::kLoad:
        fleet.models[change.model].homes.push_back({change.card, 0});
        card.memory_used_gb += fleet.models[change.model].memory_gb;
        break;
      case Change::Kind::kEvict:
        Forget(fleet, change.model, change.card);
        break;
      case Change::Kind::kTurnOn:
        card.state = CardState::kOn;
        break;
      case Change::Kind::kClose:
        card.state = CardState::kClosing;
        break;
      case Change::Kind::kTurnOff:
        card.state = CardState::kOff;
        Empty(fleet, change.card);
        break;
    }
  }
}

}  // namespace snug::placement
