// Models with several homes on a fleet of cards: how many cards, which homes to begin with, and the minute
// loop that makes copies where they are needed, takes them away where room is needed, and gives cards back
// and takes them again. Pure: the caller measures, asks, and carries out. Loads are in cards, memory in GB.
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
  double request = 0;      // share asked for
  double recent_load = 0;  // smoothed; what an unused copy is judged by
  double recent_peak = 0;  // slowly forgotten maximum
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
};

struct Fleet {
  std::vector<FleetModel> models;
  std::vector<FleetCard> cards;
};

struct FleetLimits {
  double headroom = 1.5;        // the fleet's size over the training peak of the summed load
  double memory_fill = 0.78;    // of the cards' memory by one copy of each model; the rest is for copies
  double relieve_above = 0.75;  // a card above this gets copies of its largest models elsewhere
  double relieve_gap = 0.2;     // … on a card that is at least so much emptier
  double copies_fill = 0.9;     // of the memory by the homes made to begin with
  int loads_per_minute_max = 10;
  double prepare_peak_min = 0.25;   // a model whose peak, shared by its homes, is above this may get one more
  double prepare_swap_ratio = 0.3;  // … in the place of copies worth less than this part of it
  int prepares_per_minute_max = 3;
};

// How many cards the next hour needs, from the summed load minute by minute until now.
struct ScaleLimits {
  double headroom = 1.1;      // over the peak that is expected
  double memory_fill = 0.78;  // of the memory of the cards that are on by one copy of each model
  double hurry_above = 0.85;  // summed load over cards on above which cards are taken back within the hour …
  double hurry_to = 0.75;     // … down to this
};
// At the full hour. Expected is what the last half hour had, or what the coming hour had yesterday, scaled by
// how much today's last half hour differs from yesterday's. `sums` holds a day at least, else `cards_max` is
// the answer.
size_t CardsForNextHour(const std::vector<double>& sums, double models_memory_gb, double card_memory_gb,
                        size_t cards_max, const ScaleLimits& limits);
// Within the hour: what is wanted now, never less than `cards_wanted`.
size_t CardsInHurry(double sum_now, size_t cards_wanted, size_t cards_max, const ScaleLimits& limits);

// ceil(max(headroom * peak, memory / (memory_fill * card's memory))), at least 1.
size_t FleetSize(double peak_of_sum, double models_memory_gb, double card_memory_gb,
                 const FleetLimits& limits);

// First homes: largest request first, each on the card where the peak of the summed profiles is lowest and
// memory suffices; then second homes, as far as copies_fill of the memory goes, for the models with the
// highest peak a GB. profiles[model][bucket] in cards. Models that fit nowhere keep no home.
void PlanHomes(Fleet& fleet, const std::vector<std::vector<float>>& profiles, const FleetLimits& limits);

struct Change {
  enum class Kind { kLoad, kEvict, kTurnOn, kClose, kTurnOff } kind = Kind::kLoad;
  uint32_t model = 0;  // of kLoad and kEvict
  uint32_t card = 0;
  const char* why = "";
  bool is_move = false;  // a load because the model's card goes or went
};

// What to do now, to be carried out in this order. A copy that is loaded serves from the next minute on.
// Rescues models without a home first, whatever the limit of loads; then relieves hot cards; then turns cards
// on or closes them so that cards_wanted are on. Never evicts a model's last home, never fills a card above
// its memory.
std::vector<Change> PlanMinute(const Fleet& fleet, size_t cards_wanted, const FleetLimits& limits);

// Carries changes out on the values; loads of new homes are 0.
void CarryOut(Fleet& fleet, const std::vector<Change>& changes);

// The card is lost with all it held; the next PlanMinute serves its models elsewhere.
void FailCard(Fleet& fleet, uint32_t card);

// Spreads each model's load over its homes so that loads are even (what a router that picks the less loaded
// copy comes to): sets Home::load and FleetCard::load. Returns what could not be served because a model has
// no home.
double Balance(Fleet& fleet, const float* use);

}  // namespace snug::placement
