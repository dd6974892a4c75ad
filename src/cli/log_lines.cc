#include "cli/log_lines.h"

namespace snug::cli {
namespace {

bool StartsLine(std::string_view text, size_t at) {
  return at == 0 || text[at - 1] == '\n';
}

}  // namespace

std::string NewLines(std::string_view previous, std::string_view current) {
  if (previous.empty()) return std::string(current);
  // The longest end of `previous`, from the beginning of a line, that `current` begins with.
  for (size_t at = 0; at < previous.size(); ++at) {
    if (StartsLine(previous, at) && current.starts_with(previous.substr(at))) {
      return std::string(current.substr(previous.size() - at));
    }
  }
  return std::string(current);
}

}  // namespace snug::cli
