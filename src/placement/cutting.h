// Packing fractions on as few cards as can be: the bound by column generation (Gilmore and Gomory, 1961), a
// packing that comes within a card or two of it, and the worth of what is left of a card, which an online
// rule needs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace snug::placement {

inline constexpr int kCardUnitsMax = 10'000;  // a card is divided into at most this many units

// Fractions of one size.
struct CutSize {
  int units = 0;  // 1 to the card's units
  int64_t count = 0;
};

struct Cutting {
  double bound_cards = 0;  // no packing has fewer
  std::vector<double>
      prices;  // per size: what one more of it costs, in cards (the dual of the linear program)
  struct Pattern {
    std::vector<int> counts;  // per size
    double cards = 0;         // times used by the linear program
  };
  std::vector<Pattern> patterns;
};

// INVALID_ARGUMENT: a size outside [1, card_units], a negative count, card_units outside [1, kCardUnitsMax].
Result<Cutting> SolveCutting(const std::vector<CutSize>& sizes, int card_units);

// A whole packing: each card's fractions as indices into `sizes`. Rounds the linear program down and packs
// the rest largest first; at most one card a size above the bound, in practice one or two in all.
Result<std::vector<std::vector<int>>> PackCards(const std::vector<CutSize>& sizes, int card_units);

// worth[r]: the most that r units can hold, by the prices. worth[card_units] is 1 up to rounding.
std::vector<double> WorthOfRest(const std::vector<CutSize>& sizes, const std::vector<double>& prices,
                                int card_units);

// The online rule: of the cards where the fraction fits and an empty one, that which loses the least worth;
// of equals the fullest. Fractions of a size that `sizes` does not list are as good as any.
class CardPacker {
 public:
  CardPacker(std::vector<double> worth, int card_units);
  // Number of the card it goes to; a new one has the number of cards so far.
  size_t Place(int units);
  size_t cards() const { return left_.size(); }

 private:
  std::vector<double> worth_;
  std::vector<int> left_;                     // per card
  std::vector<std::vector<size_t>> by_left_;  // cards with so many units left, latest last
};

struct Repack {
  std::vector<size_t> card_of;  // per item
  size_t cards = 0;
  size_t moves = 0;  // items whose card is another than before
};

// As few cards as PackCards needs, brought about with few moves: only about as many of the emptiest cards as
// that takes are packed anew, and of those what lies right stays. `units` and `card_of` are per item.
// INVALID_ARGUMENT: as above, or not as many cards as items.
Result<Repack> RepackCards(const std::vector<int>& units, const std::vector<size_t>& card_of, int card_units);

}  // namespace snug::placement
