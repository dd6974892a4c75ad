// Where a command reads and writes, so that tests can look at it.
#pragma once

#include <istream>
#include <ostream>

namespace snug::cli {

struct Terminal {
  std::ostream& out;  // answers
  std::ostream& err;  // errors, hints, progress
  std::istream& in;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

}  // namespace snug::cli
