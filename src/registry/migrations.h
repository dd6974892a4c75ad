// The schema as numbered steps. A step that was released is never edited: a further change is a further step.
#pragma once

#include <span>
#include <string_view>

namespace snug::registry {

struct Migration {
  int number;
  std::string_view name;
  std::span<const std::string_view> statements;
};

// Ascending, without gaps, from 1.
std::span<const Migration> Migrations();

}  // namespace snug::registry
