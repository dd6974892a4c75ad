// Following a log of which only the last lines can be had.
#pragma once

#include <string>
#include <string_view>

namespace snug::cli {

// What `current` has beyond `previous`, both the last lines of one growing log. All of `current` when they do
// not overlap: then more lines came between than were asked for.
std::string NewLines(std::string_view previous, std::string_view current);

}  // namespace snug::cli
