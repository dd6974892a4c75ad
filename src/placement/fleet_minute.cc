#include "placement/fleet_minute.h"

#include <algorithm>
#include <optional>

#include "placement/fleet_risk.h"

namespace snug::placement {
namespace {

constexpr double kMemoryTolerance = 1e-9;
constexpr uint32_t kNone = UINT32_MAX;
constexpr double kLoadWorthMoving = 0.02;  // of a card
constexpr double kRelieveMax = 0.95;       // of a card: above it is always relieved, and takes nothing

bool Serves(const FleetCard& card) {
  return card.state == CardState::kOn || card.state == CardState::kClosing;
}

class MinutePlanner {
 public:
  MinutePlanner(const Fleet& fleet, const FleetLimits& limits)
      : fleet_(fleet), limits_(limits), on_card_(fleet.cards.size()) {
    for (uint32_t m = 0; m < fleet_.models.size(); ++m) {
      for (const Home& home : fleet_.models[m].homes) on_card_[home.card].push_back(m);
    }
  }

  std::vector<Change> Run(size_t cards_wanted) {
    hot_above_ = HotAbove();
    FinishClosing();
    TurnOn(cards_wanted);
    Rescue();
    Relieve();
    Close(cards_wanted);
    Prepare(cards_wanted);
    return std::move(changes_);
  }

 private:
  // Copies do not help where all cards are about as full.
  double HotAbove() const {
    double sum = 0, cards = 0;
    for (const FleetCard& card : fleet_.cards) {
      if (!Serves(card) || card.guaranteed) continue;
      sum += card.load;
      cards += 1;
    }
    double mean = sum / std::max(1.0, cards);
    return std::max(limits_.relieve_above, std::min(kRelieveMax, mean + limits_.relieve_over_mean));
  }

  void FinishClosing() {
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      if (fleet_.cards[c].state == CardState::kClosing)
        Do({Change::Kind::kTurnOff, 0, c, "its models live elsewhere"});
    }
  }

  size_t CardsOn() const {
    return static_cast<size_t>(std::count_if(
        fleet_.cards.begin(), fleet_.cards.end(),
        [](const FleetCard& card) { return card.state == CardState::kOn && !card.guaranteed; }));
  }

  void TurnOn(size_t wanted) {
    size_t on = CardsOn();
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      bool guaranteed = fleet_.cards[c].guaranteed;
      if (fleet_.cards[c].state != CardState::kOff || (!guaranteed && on >= wanted)) continue;
      Do({Change::Kind::kTurnOn, 0, c, guaranteed ? "it is promised" : "the load to come needs it"});
      on += !guaranteed;
    }
  }

  void Rescue() {
    for (uint32_t m = 0; m < fleet_.models.size(); ++m) {
      if (!fleet_.models[m].homes.empty()) continue;
      uint32_t card = SafestTarget(m, 1e9);
      if (card != kNone) Load(m, card, "it had no home", true);
    }
  }

  // Hot cards hand their largest models' load to copies on emptier cards. Half of a model's load is taken to
  // move with its copy, so that one minute's copies do not all go to the same card.
  void Relieve() {
    for (;;) {
      uint32_t hot = kNone;
      for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
        const FleetCard& card = fleet_.cards[c];
        if (!Serves(card) || card.guaranteed || card.load <= hot_above_) continue;
        if (c < given_up_.size() && given_up_[c]) continue;
        if (hot == kNone || card.load > fleet_.cards[hot].load) hot = c;
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
      if (best != kNone && card.load >= fleet_.cards[best].load) continue;
      if (CanTake(c, m, load_below)) best = c;
    }
    return best;
  }

  // Of the cards that could be its Target, the one whose risk rises least by the model's only home: a card
  // may be empty just now because what lives there alone has not jumped for a while.
  uint32_t SafestTarget(uint32_t m, double load_below) {
    uint32_t best = kNone;
    double least = 0;
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      if (!CanTake(c, m, load_below)) continue;
      double risk = RiskOfOnlyHome(fleet_.models[m], c, Risks());
      if (best != kNone && risk >= least) continue;
      best = c;
      least = risk;
    }
    return best;
  }

  // Now, or once others that have a home elsewhere are evicted.
  bool CanTake(uint32_t c, uint32_t m, double load_below) const {
    const FleetCard& card = fleet_.cards[c];
    if (!Takes(fleet_, fleet_.models[m], c) || card.load >= load_below) return false;
    double used = card.memory_used_gb + fleet_.models[m].memory_gb - Evictable(c, m);
    return used <= card.memory_gb + kMemoryTolerance;
  }

  double Evictable(uint32_t card, uint32_t newcomer) const {
    double gb = 0;
    for (uint32_t m : on_card_[card]) {
      if (m != newcomer && CanEvict(m, card)) gb += fleet_.models[m].memory_gb;
    }
    return gb;
  }

  bool CanEvict(uint32_t m, uint32_t card) const { return HasOtherHome(fleet_, fleet_.models[m], card); }

  void Load(uint32_t m, uint32_t card, const char* why, bool is_move = false) {
    FleetCard& target = fleet_.cards[card];
    while (target.memory_used_gb + fleet_.models[m].memory_gb > target.memory_gb + kMemoryTolerance) {
      uint32_t coldest = kNone;
      double least = 0;
      for (uint32_t other : on_card_[card]) {
        if (other == m || !CanEvict(other, card)) continue;
        double worth = WorthOfHome(fleet_.models[other], card, Risks());
        if (coldest != kNone && worth >= least) continue;
        coldest = other;
        least = worth;
      }
      if (coldest == kNone) return;
      Do({Change::Kind::kEvict, coldest, card, "the least needed copy, to make room"});
    }
    Do({Change::Kind::kLoad, m, card, why, is_move});
  }

  const Captives& Risks() {
    if (!captives_) captives_.emplace(fleet_);
    return *captives_;
  }

  // In a quiet minute, room that nothing needs (or that much less worthy copies hold) goes to the copies that
  // lower the fleet's risk most: a burst then finds several cards instead of one.
  void Prepare(size_t wanted) {
    if (loads_ > 0 || CardsOn() < wanted) return;
    for (int i = 0; i < limits_.prepares_per_minute_max; ++i) {
      uint32_t best = kNone;
      double most = 0;
      for (uint32_t m = 0; m < fleet_.models.size(); ++m) {
        const FleetModel& model = fleet_.models[m];
        if (model.homes.empty() || model.guaranteed_share > 0) continue;
        double worth = WorthOfOneMore(model, Risks());
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
      if (!Takes(fleet_, fleet_.models[m], c)) continue;
      if (card.memory_used_gb + fleet_.models[m].memory_gb > card.memory_gb) continue;
      if (best == kNone || card.load < fleet_.cards[best].load) best = c;
    }
    return best;
  }

  // The emptiest card where copies worth less than `worth_max` can make the room.
  uint32_t SwapCard(uint32_t m, double worth_max) {
    std::vector<double> room;
    for (const FleetCard& card : fleet_.cards) room.push_back(card.memory_gb - card.memory_used_gb);
    for (uint32_t c = 0; c < room.size(); ++c) {
      for (uint32_t other : on_card_[c]) {
        const FleetModel& model = fleet_.models[other];
        if (CanEvict(other, c) && WorthOfHome(model, c, Risks()) < worth_max) room[c] += model.memory_gb;
      }
    }
    uint32_t best = kNone;
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      if (!Takes(fleet_, fleet_.models[m], c) || room[c] < fleet_.models[m].memory_gb) continue;
      if (best == kNone || fleet_.cards[c].load < fleet_.cards[best].load) best = c;
    }
    return best;
  }

  void Close(size_t wanted) {
    if (CardsOn() <= wanted || loads_ > 0) return;
    // The card whose last copies take the least memory is the cheapest to leave.
    uint32_t best = kNone;
    double least = 0;
    for (uint32_t c = 0; c < fleet_.cards.size(); ++c) {
      if (fleet_.cards[c].state != CardState::kOn || fleet_.cards[c].guaranteed) continue;
      double gb = 0.5 * fleet_.cards[c].load;
      for (uint32_t m : on_card_[c]) {
        if (!HasOtherHome(fleet_, fleet_.models[m], c)) gb += fleet_.models[m].memory_gb;
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
      if (!HasHome(model, closing) || HasOtherHome(fleet_, model, closing)) continue;
      uint32_t target = SafestTarget(m, kRelieveMax);
      size_t had = changes_.size();
      if (target != kNone) Load(m, target, "its card is being given back", true);
      bool loaded = changes_.size() > had && changes_.back().kind == Change::Kind::kLoad;
      if (loaded) {
        fleet_.cards[target].load += model.recent_load;
        continue;
      }
      fleet_ = std::move(before);
      captives_.reset();
      on_card_ = std::move(on_card_before);
      changes_.resize(changes_before);
      return;
    }
  }

  void Do(const Change& change) {
    changes_.push_back(change);
    CarryOut(fleet_, {change});
    captives_.reset();
    if (change.kind == Change::Kind::kLoad) on_card_[change.card].push_back(change.model);
    if (change.kind == Change::Kind::kEvict) std::erase(on_card_[change.card], change.model);
    if (change.kind == Change::Kind::kTurnOff) on_card_[change.card].clear();
  }

  Fleet fleet_;
  const FleetLimits& limits_;
  std::vector<std::vector<uint32_t>> on_card_;
  std::optional<Captives> captives_;  // of fleet_ as it is now
  std::vector<Change> changes_;
  std::vector<bool> given_up_;
  double hot_above_ = 0;
  int loads_ = 0;
};

}  // namespace

std::vector<Change> PlanMinute(const Fleet& fleet, size_t cards_wanted, const FleetLimits& limits) {
  return MinutePlanner(fleet, limits).Run(cards_wanted);
}

}  // namespace snug::placement
