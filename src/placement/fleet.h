// Models with several homes on a fleet of cards, as values: what is where, what was seen, and the changes
// that fleet_homes.h, fleet_minute.h and fleet_repack.h decide. Pure: the caller measures, asks, and carries
// out. Loads are in cards, memory in GB.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace snug::placement {

struct Home {
  uint32_t card = 0;
  double load = 0;  // of this model on this card, last minute
};

struct FleetModel {
  double memory_gb = 0;
  double guaranteed_share = 0;  // of a card, for a tenant who pays for isolation; 0: shares cards with others
  double recent_load = 0;       // smoothed over twenty minutes
  double surprise = 0;          // largest jump above recent_load, half forgotten in three days
  double activity = 0;          // how likely a minute has any load at all, smoothed over an hour
  std::vector<Home> homes;
};

enum class CardState {
  kOff,  // given to others: holds nothing
  kOn,
  kClosing,  // still serves; its models have other homes from the next minute on, then it goes off
  kFailed,   // holds nothing any more and takes nothing
};

struct FleetCard {
  CardState state = CardState::kOn;
  double memory_gb = 0;
  double memory_used_gb = 0;
  double load = 0;
  bool guaranteed = false;  // for models with a guaranteed share alone, whose shares add up to a card at most
  double guaranteed_share = 0;  // of those it holds
};

struct Fleet {
  std::vector<FleetModel> models;
  std::vector<FleetCard> cards;
};

struct FleetLimits {
  double headroom = 1.5;            // the fleet's size over the training peak of the summed load
  double memory_fill = 0.78;        // of the cards' memory by one copy of each model; the rest is for copies
  double relieve_above = 0.75;      // a card above this, and …
  double relieve_over_mean = 0.06;  // … so much above the mean, gets copies of its largest models elsewhere
  double relieve_gap = 0.2;         // … on a card that is at least so much emptier
  double copies_fill = 0.9;         // of the memory by the homes made to begin with
  int loads_per_minute_max = 10;
  double prepare_swap_ratio = 0.3;  // a copy takes the place of others worth less than this part of it
  int prepares_per_minute_max = 10;
  double repack_gain_min = 0.03;  // of the fleet's risk, by each move of a repack
};

struct Change {
  enum class Kind { kLoad, kEvict, kTurnOn, kClose, kTurnOff } kind = Kind::kLoad;
  uint32_t model = 0;  // of kLoad and kEvict
  uint32_t card = 0;
  const char* why = "";
  bool is_move = false;  // a load because the model's card goes or went
};

// What the last minute showed of a model.
void Observe(FleetModel& model, double load);

bool HasHome(const FleetModel& model, uint32_t card);
// The walls but memory: the card is on, has no home of the model yet, and is of its class with room for its
// share.
bool Takes(const Fleet& fleet, const FleetModel& model, uint32_t card);
// A home elsewhere that stays: on a card that is on.
bool HasOtherHome(const Fleet& fleet, const FleetModel& model, uint32_t card);

// Carries changes out on the values; loads of new homes are 0.
void CarryOut(Fleet& fleet, const std::vector<Change>& changes);

// The card is lost with all it held; the next PlanMinute (fleet_minute.h) serves its models elsewhere.
void FailCard(Fleet& fleet, uint32_t card);

// Spreads each model's load over its homes so that loads are even (what a router that picks the less loaded
// copy comes to): sets Home::load and FleetCard::load. Returns what could not be served because a model has
// no home.
double Balance(Fleet& fleet, const float* use);

}  // namespace snug::placement
