#include "placement/cutting.h"

#include <glpk.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace snug::placement {
namespace {

constexpr double kGainMin = 1e-9;  // a column that gains less is not worth another round
constexpr int kRoundsMax = 5000;

Status Check(const std::vector<CutSize>& sizes, int card_units) {
  if (card_units < 1 || card_units > kCardUnitsMax) {
    return InvalidArgument("a card of {} units; 1 to {}", card_units, kCardUnitsMax);
  }
  for (const CutSize& size : sizes) {
    if (size.units >= 1 && size.units <= card_units && size.count >= 0) continue;
    return InvalidArgument("{} fractions of {} units on cards of {}", size.count, size.units, card_units);
  }
  return {};
}

// The pattern of the highest price that fits a card: an unbounded knapsack.
std::vector<int> BestPattern(const std::vector<CutSize>& sizes, const std::vector<double>& prices,
                             int card_units, double& value) {
  std::vector<double> best(static_cast<size_t>(card_units) + 1, 0.0);
  std::vector<int> chosen(best.size(), -1);
  for (int room = 1; room <= card_units; ++room) {
    best[room] = best[room - 1];
    for (size_t s = 0; s < sizes.size(); ++s) {
      if (sizes[s].units > room || best[room - sizes[s].units] + prices[s] <= best[room] + 1e-15) continue;
      best[room] = best[room - sizes[s].units] + prices[s];
      chosen[room] = static_cast<int>(s);
    }
  }
  value = best[card_units];
  std::vector<int> counts(sizes.size(), 0);
  for (int room = card_units; room > 0;) {
    if (chosen[room] < 0) {
      --room;
      continue;
    }
    counts[chosen[room]] += 1;
    room -= sizes[chosen[room]].units;
  }
  return counts;
}

// min sum x, pattern counts * x >= demand, x >= 0.
class Master {
 public:
  explicit Master(const std::vector<CutSize>& sizes) : problem_(glp_create_prob()) {
    glp_set_obj_dir(problem_, GLP_MIN);
    glp_add_rows(problem_, static_cast<int>(sizes.size()));
    for (size_t s = 0; s < sizes.size(); ++s) {
      glp_set_row_bnds(problem_, static_cast<int>(s) + 1, GLP_LO, static_cast<double>(sizes[s].count), 0);
    }
  }
  ~Master() { glp_delete_prob(problem_); }
  Master(const Master&) = delete;
  Master& operator=(const Master&) = delete;

  void AddColumn(const std::vector<int>& counts) {
    int column = glp_add_cols(problem_, 1);
    glp_set_col_bnds(problem_, column, GLP_LO, 0, 0);
    glp_set_obj_coef(problem_, column, 1);
    std::vector<int> rows(1);
    std::vector<double> values(1);
    for (size_t s = 0; s < counts.size(); ++s) {
      if (counts[s] == 0) continue;
      rows.push_back(static_cast<int>(s) + 1);
      values.push_back(counts[s]);
    }
    glp_set_mat_col(problem_, column, static_cast<int>(rows.size()) - 1, rows.data(), values.data());
  }

  bool Solve() {
    glp_smcp options;
    glp_init_smcp(&options);
    options.msg_lev = GLP_MSG_OFF;
    return glp_simplex(problem_, &options) == 0 && glp_get_status(problem_) == GLP_OPT;
  }
  double Objective() const { return glp_get_obj_val(problem_); }
  double Price(size_t s) const { return glp_get_row_dual(problem_, static_cast<int>(s) + 1); }
  double Used(size_t column) const { return glp_get_col_prim(problem_, static_cast<int>(column) + 1); }

 private:
  glp_prob* problem_;
};

std::vector<size_t> LargestFirst(const std::vector<CutSize>& sizes) {
  std::vector<size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sizes[a].units > sizes[b].units; });
  return order;
}

void PackLargestFirst(const std::vector<CutSize>& sizes, std::vector<int64_t> missing, int card_units,
                      std::vector<std::vector<int>>& cards) {
  std::vector<int> left(cards.size(), card_units);
  for (size_t c = 0; c < cards.size(); ++c) {
    for (int s : cards[c]) left[c] -= sizes[s].units;
  }
  for (size_t s : LargestFirst(sizes)) {
    for (size_t c = 0; missing[s] > 0; ++c) {
      if (c == cards.size()) {
        cards.emplace_back();
        left.push_back(card_units);
      }
      while (missing[s] > 0 && left[c] >= sizes[s].units) {
        cards[c].push_back(static_cast<int>(s));
        left[c] -= sizes[s].units;
        --missing[s];
      }
    }
  }
}

}  // namespace

Result<Cutting> SolveCutting(const std::vector<CutSize>& sizes, int card_units) {
  SNUG_RETURN_IF_ERROR(Check(sizes, card_units));
  Cutting cutting;
  cutting.prices.assign(sizes.size(), 0.0);
  if (sizes.empty()) return cutting;
  Master master(sizes);
  for (size_t s = 0; s < sizes.size(); ++s) {
    std::vector<int> alone(sizes.size(), 0);
    alone[s] = card_units / sizes[s].units;
    cutting.patterns.push_back({alone, 0});
    master.AddColumn(alone);
  }
  for (int round = 0; round < kRoundsMax; ++round) {
    if (!master.Solve()) return Internal("the linear program of {} sizes could not be solved", sizes.size());
    for (size_t s = 0; s < sizes.size(); ++s) cutting.prices[s] = std::max(0.0, master.Price(s));
    double value = 0;
    std::vector<int> pattern = BestPattern(sizes, cutting.prices, card_units, value);
    // Prices divided by the best pattern's value satisfy every pattern, so their sum is a bound even before
    // the end.
    cutting.bound_cards = master.Objective() / std::max(1.0, value);
    if (value <= 1 + kGainMin) break;
    cutting.patterns.push_back({pattern, 0});
    master.AddColumn(pattern);
  }
  for (size_t p = 0; p < cutting.patterns.size(); ++p) cutting.patterns[p].cards = master.Used(p);
  std::erase_if(cutting.patterns, [](const Cutting::Pattern& pattern) { return pattern.cards <= kGainMin; });
  return cutting;
}

Result<std::vector<std::vector<int>>> PackCards(const std::vector<CutSize>& sizes, int card_units) {
  SNUG_ASSIGN_OR_RETURN(Cutting cutting, SolveCutting(sizes, card_units));
  std::vector<std::vector<int>> cards;
  std::vector<int64_t> missing;
  missing.reserve(sizes.size());
  for (const CutSize& size : sizes) missing.push_back(size.count);
  for (const Cutting::Pattern& pattern : cutting.patterns) {
    auto times = static_cast<int64_t>(std::floor(pattern.cards + 1e-6));
    for (int64_t i = 0; i < times; ++i) {
      std::vector<int> card;
      for (size_t s = 0; s < sizes.size(); ++s) {
        for (int k = 0; k < pattern.counts[s] && missing[s] > 0; ++k, --missing[s])
          card.push_back(static_cast<int>(s));
      }
      if (!card.empty()) cards.push_back(std::move(card));
    }
  }
  PackLargestFirst(sizes, std::move(missing), card_units, cards);
  return cards;
}

std::vector<double> WorthOfRest(const std::vector<CutSize>& sizes, const std::vector<double>& prices,
                                int card_units) {
  std::vector<double> worth(static_cast<size_t>(card_units) + 1, 0.0);
  for (int room = 1; room <= card_units; ++room) {
    worth[room] = worth[room - 1];
    for (size_t s = 0; s < sizes.size(); ++s) {
      if (sizes[s].units <= room)
        worth[room] = std::max(worth[room], worth[room - sizes[s].units] + prices[s]);
    }
  }
  return worth;
}

CardPacker::CardPacker(std::vector<double> worth, int card_units)
    : worth_(std::move(worth)), by_left_(static_cast<size_t>(card_units) + 1) {}

size_t CardPacker::Place(int units) {
  constexpr double kEqual = 1e-7;  // prices come from a solver
  int card_units = static_cast<int>(by_left_.size()) - 1;
  int best = card_units;  // an empty card
  double lowest = worth_[card_units] - worth_[card_units - units];
  for (int left = card_units - 1; left >= units; --left) {
    if (by_left_[left].empty()) continue;
    double loss = worth_[left] - worth_[left - units];
    if (loss > lowest + kEqual) continue;
    best = left;
    lowest = std::min(lowest, loss);
  }
  size_t card = left_.size();
  if (best == card_units) {
    left_.push_back(card_units);
  } else {
    card = by_left_[best].back();
    by_left_[best].pop_back();
  }
  left_[card] -= units;
  if (left_[card] < card_units) by_left_[left_[card]].push_back(card);
  return card;
}

}  // namespace snug::placement
