#include <algorithm>
#include <map>

#include "placement/cutting.h"

namespace snug::placement {
namespace {

constexpr size_t kNone = SIZE_MAX;

// Brings a packing that is given by sizes into being with the items as they lie: each of its cards becomes an
// old card that holds much of it already, and only what is then on the wrong card moves.
class Mover {
 public:
  // packed: each card's sizes. size_of: each item's.
  Mover(std::vector<std::vector<int>> packed, const std::vector<int>& size_of,
        const std::vector<size_t>& card_of, const std::vector<CutSize>& sizes)
      : packed_(std::move(packed)), size_of_(size_of), sizes_(sizes), home_(packed_.size(), kNone) {
    size_t old_cards = card_of.empty() ? 0 : *std::max_element(card_of.begin(), card_of.end()) + 1;
    holds_.resize(old_cards);
    for (size_t i = 0; i < size_of.size(); ++i) holds_[card_of[i]][size_of[i]].push_back(i);
    for (auto& card : packed_) std::sort(card.begin(), card.end());
  }

  Repack Run() {
    TakeCardsThatHoldTheSame();
    TakeCardsThatHoldMost();
    size_t next_card = holds_.size();
    for (size_t& home : home_) {
      if (home == kNone) home = next_card++;
    }
    repack_.cards = packed_.size();
    repack_.card_of.assign(size_of_.size(), kNone);
    Move(KeepInPlace());
    return std::move(repack_);
  }

 private:
  void TakeCardsThatHoldTheSame() {
    std::map<std::vector<int>, std::vector<size_t>> by_content;
    for (size_t c = 0; c < holds_.size(); ++c) {
      std::vector<int> content;
      for (const auto& [s, items] : holds_[c]) content.insert(content.end(), items.size(), s);
      by_content[content].push_back(c);
    }
    for (size_t p = 0; p < packed_.size(); ++p) {
      auto same = by_content.find(packed_[p]);
      if (same == by_content.end() || same->second.empty()) continue;
      home_[p] = same->second.back();
      same->second.pop_back();
    }
    for (const auto& [content, cards] : by_content) free_.insert(free_.end(), cards.begin(), cards.end());
  }

  void TakeCardsThatHoldMost() {
    for (size_t p = 0; p < packed_.size(); ++p) {
      if (home_[p] != kNone || free_.empty()) continue;
      std::map<int, int> want;
      for (int s : packed_[p]) want[s] += 1;
      auto best = free_.begin();
      int most = -1;
      for (auto card = free_.begin(); card != free_.end(); ++card) {
        int overlap = Overlap(want, *card);
        if (overlap <= most) continue;
        most = overlap;
        best = card;
      }
      home_[p] = *best;
      free_.erase(best);
    }
  }

  // Items of `want` that lie on the card.
  int Overlap(const std::map<int, int>& want, size_t card) const {
    int overlap = 0;
    for (auto [s, count] : want) {
      auto held = holds_[card].find(s);
      if (held != holds_[card].end()) overlap += std::min(count, static_cast<int>(held->second.size()));
    }
    return overlap;
  }

  // Per packed card, the sizes that do not lie on it yet.
  std::vector<std::vector<int>> KeepInPlace() {
    std::vector<std::vector<int>> missing(packed_.size());
    for (size_t p = 0; p < packed_.size(); ++p) {
      for (int s : packed_[p]) {
        if (home_[p] < holds_.size() && !holds_[home_[p]][s].empty()) {
          repack_.card_of[holds_[home_[p]][s].back()] = home_[p];
          holds_[home_[p]][s].pop_back();
        } else {
          missing[p].push_back(s);
        }
      }
    }
    return missing;
  }

  void Move(const std::vector<std::vector<int>>& missing) {
    std::vector<std::vector<size_t>> moving(sizes_.size());
    for (size_t i = 0; i < size_of_.size(); ++i) {
      if (repack_.card_of[i] == kNone) moving[static_cast<size_t>(size_of_[i])].push_back(i);
    }
    for (size_t p = 0; p < packed_.size(); ++p) {
      for (int s : missing[p]) {
        repack_.card_of[moving[static_cast<size_t>(s)].back()] = home_[p];
        moving[static_cast<size_t>(s)].pop_back();
        ++repack_.moves;
      }
    }
  }

  std::vector<std::vector<int>> packed_;
  const std::vector<int>& size_of_;
  const std::vector<CutSize>& sizes_;
  std::vector<std::map<int, std::vector<size_t>>> holds_;  // per old card: size → items
  std::vector<size_t> home_;                               // per packed card
  std::vector<size_t> free_;                               // old cards that are nobody's home yet
  Repack repack_;
};

using Packing = std::vector<std::vector<int>>;  // each card's sizes

// What lies on the cards now, emptiest first.
Packing ContentByFill(const std::vector<int>& size_of, const std::vector<size_t>& card_of,
                      const std::vector<CutSize>& sizes) {
  std::map<size_t, std::vector<int>> content;
  for (size_t i = 0; i < size_of.size(); ++i) content[card_of[i]].push_back(size_of[i]);
  Packing cards;
  for (auto& [card, held] : content) cards.push_back(std::move(held));
  auto fill = [&](const std::vector<int>& card) {
    int units = 0;
    for (int s : card) units += sizes[static_cast<size_t>(s)].units;
    return units;
  };
  std::stable_sort(cards.begin(), cards.end(),
                   [&](const auto& a, const auto& b) { return fill(a) < fill(b); });
  return cards;
}

// The cards with what lies on the emptiest `dissolved` packed anew.
Result<Packing> Dissolve(const Packing& cards, size_t dissolved, const std::vector<CutSize>& sizes,
                         int card_units) {
  std::vector<CutSize> loose = sizes;
  for (CutSize& size : loose) size.count = 0;
  for (size_t c = 0; c < dissolved; ++c) {
    for (int s : cards[c]) loose[static_cast<size_t>(s)].count += 1;
  }
  SNUG_ASSIGN_OR_RETURN(Packing packed, PackCards(loose, card_units));
  packed.insert(packed.end(), cards.begin() + static_cast<ptrdiff_t>(dissolved), cards.end());
  return packed;
}

// Of the packings with as few cards as one made from nothing, that which dissolves about the fewest cards.
Result<Packing> FewestDissolved(const Packing& cards, const std::vector<CutSize>& sizes, int card_units) {
  SNUG_ASSIGN_OR_RETURN(Packing best, PackCards(sizes, card_units));
  if (cards.size() <= best.size()) return cards;
  size_t target = best.size(), too_few = cards.size() - target, enough = cards.size();
  for (size_t next = 2 * too_few; too_few + 1 < enough;) {
    SNUG_ASSIGN_OR_RETURN(Packing packed, Dissolve(cards, std::min(next, enough), sizes, card_units));
    if (packed.size() <= target) {
      enough = std::min(next, enough);
      best = std::move(packed);
      next = (too_few + enough) / 2;
    } else {
      too_few = next;
      next = enough == cards.size() ? 2 * next : (too_few + enough) / 2;
    }
    if (next >= enough) next = (too_few + enough) / 2;
  }
  return best;
}

}  // namespace

Result<Repack> RepackCards(const std::vector<int>& units, const std::vector<size_t>& card_of,
                           int card_units) {
  if (units.size() != card_of.size()) {
    return InvalidArgument("{} items on the cards of {}", units.size(), card_of.size());
  }
  std::map<int, int64_t, std::greater<>> counts;
  for (int u : units) counts[u] += 1;
  std::vector<CutSize> sizes;
  std::map<int, int> number;
  for (auto [u, count] : counts) {
    number[u] = static_cast<int>(sizes.size());
    sizes.push_back({u, count});
  }
  std::vector<int> size_of;
  size_of.reserve(units.size());
  for (int u : units) size_of.push_back(number[u]);
  SNUG_ASSIGN_OR_RETURN(Packing packed,
                        FewestDissolved(ContentByFill(size_of, card_of, sizes), sizes, card_units));
  return Mover(std::move(packed), size_of, card_of, sizes).Run();
}

}  // namespace snug::placement
