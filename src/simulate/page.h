// One self-contained HTML page with the pictures of load replays.
#pragma once

#include <string>
#include <vector>

#include "simulate/load.h"

namespace snug::simulate {

std::string LoadPage(const std::vector<LoadRun>& runs);

}  // namespace snug::simulate
